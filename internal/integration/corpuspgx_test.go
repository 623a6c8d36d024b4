package integration

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/corpus"
	"github.com/sealsql/sealsql/internal/testing/testdb"
	"github.com/sealsql/sealsql/sealpgx"
)

// pgxConn is what the corpus takes of a connection, sealed or bare.
type pgxConn interface {
	Exec(context.Context, string, ...any) (pgconn.CommandTag, error)
	Query(context.Context, string, ...any) (pgx.Rows, error)
	SendBatch(context.Context, *pgx.Batch) pgx.BatchResults
	Prepare(ctx context.Context, name, sql string) (*pgconn.StatementDescription, error)
	Close(context.Context) error
}

// pgxModes are ways to send a statement without database/sql.
var pgxModes = []string{"pgx", "pgx exec", "pgx batch", "pgx prepared", "pgx simple", "pgx described"}

// TestCorpusThroughPgx runs the corpus through sealpgx and bare on the twin: each statement
// by Query, and each third in one other way, or all with -corpus.modes.
func TestCorpusThroughPgx(t *testing.T) {
	server := testdb.Postgres(t)
	for _, dir := range []string{corpusDir, searchedDir} {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			w := newWorld(t, server, dir)
			p := w.pgxPools()
			n := w.eachCase(func(file string, c *corpus.Case, n int) { w.checkPgx(p, file, c, n) })
			if dir == corpusDir && n != corpus.Size[server.Name] {
				t.Errorf("ran %d statements, want %d", n, corpus.Size[server.Name])
			}
		})
	}
}

// checkPgx runs a case in the ways that are its turn.
func (w *world) checkPgx(p pgxPools, file string, c *corpus.Case, n int) {
	if c.Skips("run") {
		return
	}
	ways := pgxModes[:1]
	switch {
	case *everyMode:
		ways = pgxModes
	case n%3 == 0:
		ways = []string{pgxModes[0], pgxModes[1+n%(len(pgxModes)-1)]}
	}
	for _, m := range ways {
		w.t.Run(file+"/"+c.Name+"/"+m, func(t *testing.T) {
			w := *w
			w.t = t
			w.comparePgx(p, c, m)
		})
	}
}

// pgxPools are the protected database's through sealpgx, and the twin's.
type pgxPools struct {
	sealed *sealpgx.Pool
	bare   *pgxpool.Pool
}

func (w *world) pgxPools() (p pgxPools) {
	w.t.Helper()
	ctx := context.Background()
	for i, addr := range []string{w.proxy.Addr(), w.server.Addr()} {
		_, dsn := w.server.DSN(addr, w.names[i])
		config, err := pgxpool.ParseConfig(dsn)
		if err == nil && i == 0 {
			p.sealed, err = sealpgx.NewPool(ctx, config, driver.WithPolicy(w.policy))
		} else if err == nil {
			p.bare, err = pgxpool.NewWithConfig(ctx, config)
		}
		if err != nil {
			w.t.Fatal(err)
		}
	}
	w.t.Cleanup(p.sealed.Close)
	w.t.Cleanup(p.bare.Close)
	return p
}

// acquire takes a connection of a pool. used says that a case may have changed its
// session, which ends with it.
func (p pgxPools) acquire(ctx context.Context, sealed bool) (c pgxConn, done func(used bool), err error) {
	if sealed {
		pooled, err := p.sealed.Acquire(ctx)
		if err != nil {
			return nil, nil, err
		}
		return pooled, func(used bool) {
			if used {
				_ = pooled.Close(ctx)
			}
			pooled.Release()
		}, nil
	}
	pooled, err := p.bare.Acquire(ctx)
	if err != nil {
		return nil, nil, err
	}
	return pooled.Conn(), func(used bool) {
		if used {
			_ = pooled.Conn().Close(ctx)
		}
		pooled.Release()
	}, nil
}

// runPgx sends a case.
func (w *world) runPgx(p pgxPools, sealed bool, c *corpus.Case, mode string) (a answer) {
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Second)
	defer cancel()
	conn, done, err := p.acquire(ctx, sealed)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { done(len(c.First) > 0 || !reads(c.Text) && !changes(c.Text)) }()
	for _, first := range c.First {
		if _, err := conn.Exec(ctx, first); err != nil {
			a.err = fmt.Errorf("first: %w", err)
			return a
		}
	}
	defer func() {
		if len(c.First) > 0 && a.err == nil && strings.HasPrefix(c.First[0], "BEGIN") {
			_, a.err = conn.Exec(ctx, "COMMIT")
		}
	}()
	args := c.Args
	switch mode {
	case "pgx exec":
		tag, err := conn.Exec(ctx, c.Text, args...)
		return answer{affected: tag.String(), err: err}
	case "pgx batch":
		b := &pgx.Batch{}
		b.Queue(c.Text, args...)
		results := conn.SendBatch(ctx, b)
		rows, err := results.Query()
		a.readPgx(rows, err)
		if err := results.Close(); a.err == nil {
			a.err = err
		}
		return a
	case "pgx simple":
		args = append([]any{pgx.QueryExecModeSimpleProtocol}, args...)
	case "pgx described":
		args = append([]any{pgx.QueryExecModeDescribeExec, pgx.QueryResultFormats{pgx.TextFormatCode}}, args...)
	}
	text := c.Text
	if mode == "pgx prepared" {
		if _, a.err = conn.Prepare(ctx, "case", text); a.err != nil {
			return a
		}
		defer func() {
			_ = conn.(interface {
				Deallocate(context.Context, string) error
			}).Deallocate(ctx, "case")
		}()
		text = "case"
	}
	a.readPgx(conn.Query(ctx, text, args...))
	return a
}

// readPgx reads a result.
func (a *answer) readPgx(rows pgx.Rows, err error) {
	defer rows.Close()
	if a.err = err; err != nil {
		return
	}
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			a.err = err
			return
		}
		line := make([]string, len(values))
		for i, v := range values {
			line[i] = spell(v)
		}
		a.rows = append(a.rows, strings.Join(line, "|"))
	}
	if a.err = rows.Err(); a.err != nil {
		return
	}
	for _, f := range rows.FieldDescriptions() {
		a.columns = append(a.columns, f.Name)
		a.types = append(a.types, fmt.Sprint(f.DataTypeOID))
	}
	a.affected = rows.CommandTag().String()
}

func (w *world) comparePgx(p pgxPools, c *corpus.Case, mode string) {
	t := w.t
	leaks := len(w.proxy.Leaks())
	got := w.runPgx(p, true, c, mode)
	if len(w.proxy.Leaks()) > leaks {
		t.Errorf("LEAK: %s", c.Text)
	}
	if got.err != nil && plaintexts.MatchString(got.err.Error()) {
		t.Errorf("the error holds a plaintext: %v", got.err)
	}
	if c.Refused() {
		w.refused(c, got)
		return
	}
	if mode == "pgx batch" && errors.Is(got.err, driver.ErrRefused) && strings.Contains(got.err.Error(), "takes several exchanges") {
		return
	}
	want := w.runPgx(p, false, c, mode)
	if c.Taken(w.server.AtLeast) {
		defer w.after(c)
	}
	if !c.Taken(w.server.AtLeast) && got.err != nil {
		return
	}
	if class(got.err) != class(want.err) {
		t.Errorf("%s\n got: %v\nwant: %v", c.Text, got.err, want.err)
		w.restore()
		return
	}
	if got.affected == "DO" && want.affected == "CREATE INDEX" {
		got.affected = want.affected // no index of ciphertexts is made: a statement that does nothing is sent
	}
	w.sameAnswers(c, got, want)
}
