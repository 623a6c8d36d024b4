package testdb

import (
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// startMySQL starts a MySQL or a MariaDB.
func (s *Server) startMySQL() error {
	dir, fetched := s.choice.fetched()
	if !fetched && s.choice.product == productMySQL {
		return s.choice.missing()
	}
	attr, err := s.prepare("mysql", "nobody")
	if err != nil {
		return err
	}
	if fetched {
		return s.startFetched(attr, dir)
	}
	return s.startInstalled(attr)
}

// startInstalled starts the machine's own MariaDB.
func (s *Server) startInstalled(attr *syscall.SysProcAttr) error {
	install, err := installed("mariadb-install-db", "mariadb-server")
	if err != nil {
		return err
	}
	server, err := installed("mariadbd", "mariadb-server")
	if err != nil {
		return err
	}
	if err := s.run(attr, install, "--no-defaults", "--datadir="+s.data(), "--tmpdir="+s.dir,
		"--auth-root-authentication-method=normal", "--skip-test-db"); err != nil {
		return err
	}
	return s.serveMySQL(attr, server, "--debug-no-sync")
}

// startFetched starts a server that scripts/servers.sh unpacked, on a copy of the
// empty data that the script made.
func (s *Server) startFetched(attr *syscall.SysProcAttr, dir string) error {
	if err := os.CopyFS(s.data(), os.DirFS(filepath.Join(dir, "data"))); err != nil {
		return err
	}
	if err := s.own(s.dir, attr); err != nil {
		return err
	}
	folder := func(path string) string { return filepath.Join(dir, "usr", path) }
	if s.choice.product == productMariaDB {
		return s.serveMySQL(attr, unpacked(dir, "usr/sbin/mariadbd"), "--basedir="+folder(""), "--lc-messages-dir="+folder("share/mariadb"),
			"--character-sets-dir="+folder("share/mariadb/charsets"), "--plugin-dir="+folder("lib/mysql/plugin"), "--debug-no-sync")
	}
	return s.serveMySQL(attr, unpacked(dir, "usr/sbin/mysqld"), "--basedir="+folder(""), "--lc-messages-dir="+folder("share/mysql"),
		"--character-sets-dir="+folder("share/mysql/charsets"), "--plugin-dir="+folder("lib/mysql/plugin"),
		"--secure-file-priv=", "--local-infile=ON", "--mysqlx=OFF", "--disable-log-bin", "--innodb-doublewrite=OFF", "--innodb-redo-log-capacity=64M")
}

// serveMySQL starts the process with the options that every product wants.
func (s *Server) serveMySQL(attr *syscall.SysProcAttr, server program, args ...string) error {
	return s.serve(attr, server, append(append([]string{"--no-defaults"}, args...),
		"--datadir="+s.data(), "--tmpdir="+s.dir, "--port="+strconv.Itoa(s.port), "--bind-address=127.0.0.1",
		"--socket="+filepath.Join(s.dir, "sock"), "--pid-file="+filepath.Join(s.dir, "pid"), "--skip-name-resolve",
		"--innodb-flush-log-at-trx-commit=0", "--innodb-flush-method=nosync", "--max-connections=400", "--character-set-server=utf8mb4")...)
}
