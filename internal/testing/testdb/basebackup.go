package testdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// copyOf copies the data of a running Postgres as pg_basebackup does, which not
// every build of Postgres comes with, and makes the copy follow the server.
func (s *Server) copyOf(ctx context.Context, primary *Server) (err error) {
	driver, dsn := primary.bare("")
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	c, err := db.Conn(ctx) // a backup is a session's
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	start, stop := "SELECT pg_backup_start('replica', true)", "SELECT labelfile FROM pg_backup_stop(false)"
	if primary.Major < 15 {
		start, stop = "SELECT pg_start_backup('replica', true, false)", "SELECT labelfile FROM pg_stop_backup(false, false)"
	}
	if _, err := c.ExecContext(ctx, start); err != nil {
		return err
	}
	if err := copyLive(s.data(), primary.data()); err != nil {
		return err
	}
	var label string
	if err := c.QueryRowContext(ctx, stop).Scan(&label); err != nil {
		return err
	}
	source := fmt.Sprintf("primary_conninfo = 'host=127.0.0.1 port=%d user=test sslmode=disable'\n", primary.port)
	return errors.Join(
		os.WriteFile(filepath.Join(s.data(), "backup_label"), []byte(label), 0o600),
		os.WriteFile(filepath.Join(s.data(), "standby.signal"), nil, 0o600),
		os.WriteFile(filepath.Join(s.data(), "postgresql.auto.conf"), []byte(source), 0o600))
}

// copyLive copies a folder in which files come and go. The process's own files stay behind.
func copyLive(to, from string) error {
	err := os.Mkdir(to, 0o700)
	if err != nil {
		return err
	}
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(from, path)
		if errors.Is(err, fs.ErrNotExist) || rel == "." || rel == "postmaster.pid" || rel == "postmaster.opts" {
			return nil
		}
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		if d.IsDir() {
			return os.Mkdir(target, 0o700)
		}
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return errors.Join(err, os.WriteFile(target, data, 0o600))
	})
}
