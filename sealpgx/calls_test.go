package sealpgx_test

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

type lax struct {
	SSN    *string `db:"ssn"`
	Number string
	Extra  *string `db:"-"`
}

type wide struct {
	SSN     *string `db:"ssn"`
	Number  string
	Missing *int
}

type wholeRow struct{ out []string }

func (w *wholeRow) ScanRow(rows pgx.Rows) error {
	v, err := rows.Values()
	w.out = append(w.out, fmt.Sprint(v...), fmt.Sprint(len(rows.RawValues()), len(rows.FieldDescriptions())))
	return err
}

// callCases are more odd cases: each goes through many of pgx's calls.
var callCases = map[string]func(ctx context.Context, q pooled, say func(...any)){
	"collectors": func(ctx context.Context, q pooled, say func(...any)) {
		const text = "SELECT number, ssn FROM accounts ORDER BY number"
		query := func(text string, args ...any) pgx.Rows { r, _ := q.Query(ctx, text, args...); return r }
		a, err := pgx.CollectRows(query(text), pgx.RowToStructByNameLax[wide])
		say(len(a), err)
		for _, x := range a {
			say(x.Number, shown(x.SSN), x.Missing)
		}
		_, err = pgx.CollectRows(query(text), pgx.RowToStructByName[wide])
		say(err)
		l, err := pgx.CollectRows(query(text), pgx.RowToAddrOfStructByName[lax])
		say(len(l), err)
		m, err := pgx.CollectRows(query(text), pgx.RowToMap)
		say(fmt.Sprint(m), err)
		p, err := pgx.CollectRows(query("SELECT ssn, number FROM accounts ORDER BY number"), pgx.RowToStructByPos[struct {
			A *string
			B string
		}])
		say(len(p), err)
		one, err := pgx.CollectOneRow(query(text), pgx.RowToMap)
		say(one, err)
		_, err = pgx.CollectOneRow(query("SELECT ssn FROM accounts WHERE number = 'none'"), pgx.RowTo[string])
		say(err)
		_, err = pgx.CollectExactlyOneRow(query(text), pgx.RowToMap)
		say(err)
		s, err := pgx.CollectExactlyOneRow(query("SELECT ssn FROM accounts WHERE number = $1", "a1"), pgx.RowTo[string])
		say(s, err)
		_, err = pgx.CollectRows(query("SELECT ssn FROM accounts"), pgx.RowTo[string])
		say(err != nil)
		all, err := pgx.AppendRows([]string{"x"}, query("SELECT ssn FROM accounts WHERE ssn IS NOT NULL ORDER BY number"), pgx.RowTo[string])
		say(all, err)
		var n string
		var v *string
		tag, err := pgx.ForEachRow(query(text), []any{&n, &v}, func() error { say(n, shown(v)); return nil })
		say(tag, err)
		tag, err = pgx.ForEachRow(query(text), []any{&n, &v}, func() error { return errors.New("enough") })
		say(tag, err)
		tag, err = pgx.ForEachRow(query(text), []any{&n}, func() error { return nil })
		say(tag, err)
		var w wholeRow
		say(q.QueryRow(ctx, text).Scan(&w), w.out)
		rows := query(text)
		for rows.Next() {
			say(rows.Scan(&w))
		}
		say(w.out, rows.Err(), rows.CommandTag())
	},
	"rows out of order": func(ctx context.Context, q pooled, say func(...any)) {
		rows, err := q.Query(ctx, "SELECT number, ssn FROM accounts ORDER BY number")
		say(err, len(rows.FieldDescriptions()), rows.CommandTag(), rows.Err())
		var a string
		var b *string
		say(rows.Next(), rows.Scan(&a, &b), a, shown(b))
		say(rows.Scan(&a, &b), a, shown(b))
		v, err := rows.Values()
		say(v, err)
		say(len(rows.RawValues()), string(rows.RawValues()[1]))
		say(rows.CommandTag())
		rows.Close()
		rows.Close()
		say(len(rows.FieldDescriptions()), rows.FieldDescriptions()[1].Name, rows.CommandTag(), rows.Err(), rows.Next())
		_, err = rows.Values()
		say(err)
	},
	"a scan of the wrong number": func(ctx context.Context, q pooled, say func(...any)) {
		rows, _ := q.Query(ctx, "SELECT number, ssn FROM accounts ORDER BY number")
		var a string
		say(rows.Next(), rows.Scan(&a), rows.Err(), rows.Next())
		rows, _ = q.Query(ctx, "SELECT number, ssn FROM accounts ORDER BY number")
		say(rows.Next(), rows.Scan(), rows.Err())
		say(q.QueryRow(ctx, "SELECT number, ssn FROM accounts ORDER BY number").Scan(&a))
		say(q.QueryRow(ctx, "SELECT number, ssn FROM accounts ORDER BY number").Scan(nil, nil))
		var d pgtype.DriverBytes
		say(q.QueryRow(ctx, "SELECT ssn FROM accounts ORDER BY number").Scan(&d))
		rows, _ = q.Query(ctx, "SELECT ssn FROM accounts WHERE number = 'a1'")
		say(rows.Next(), rows.Scan(&d), string(d))
		rows.Close()
	},
	"batch callbacks": func(ctx context.Context, q pooled, say func(...any)) {
		b := &pgx.Batch{}
		b.Queue(insertAccount, "b1", "911-11-1111").Exec(func(t pgconn.CommandTag) error { say(t); return nil })
		b.Queue("SELECT number, ssn FROM accounts ORDER BY number").Query(func(rows pgx.Rows) error {
			for rows.Next() {
				var n string
				var v *string
				say(rows.Scan(&n, &v), n, shown(v))
			}
			return rows.Err()
		})
		b.Queue("SELECT number, ssn FROM accounts ORDER BY number").Query(func(rows pgx.Rows) error {
			say(rows.Next())
			return nil // half-way
		})
		b.Queue("SELECT ssn FROM accounts WHERE number = @n", pgx.NamedArgs{"n": "a1"}).QueryRow(func(r pgx.Row) error {
			var v string
			err := r.Scan(&v)
			say(v)
			return err
		})
		b.Queue("SELECT ssn FROM accounts WHERE number = 'none'").QueryRow(func(r pgx.Row) error {
			err := r.Scan(nil)
			say(err)
			return nil
		})
		b.Queue("UPDATE accounts SET ssn = $1 WHERE number = $2 RETURNING ssn", "911-22-2222", "a2").QueryRow(func(r pgx.Row) error {
			var v string
			err := r.Scan(&v)
			say(v)
			return err
		})
		b.Queue("SELECT 1").Query(func(rows pgx.Rows) error {
			v, err := pgx.CollectRows(rows, pgx.RowTo[int])
			say(v, err)
			return errors.New("mine")
		})
		b.Queue("SELECT 2").Query(func(rows pgx.Rows) error { say("never"); return nil })
		say(q.SendBatch(ctx, b).Close())
	},
	"batch results by hand": func(ctx context.Context, q pooled, say func(...any)) {
		b := &pgx.Batch{}
		for range 3 {
			b.Queue("SELECT number, ssn FROM accounts ORDER BY number")
		}
		b.Queue("SELECT ssn FROM accounts WHERE number = $1", "a1")
		r := q.SendBatch(ctx, b)
		rows, err := r.Query()
		say(err, rows.Next())
		rows.Close()
		tag, err := r.Exec()
		say(tag, err)
		m, err := pgx.CollectRows(rowsOf(r.Query()), pgx.RowToMap)
		say(fmt.Sprint(m), err)
		var v string
		say(r.QueryRow().Scan(&v), v)
		_, err = r.Exec()
		say(err != nil)
		_, err = r.Query()
		say(err != nil, r.QueryRow().Scan(&v) != nil)
		say(r.Close())
		_, err = r.Query()
		say(err)
	},
	"large objects": func(ctx context.Context, q pooled, say func(...any)) {
		say(pgx.BeginFunc(ctx, q, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, insertAccount, "b1", "911-11-1111")
			say(err)
			lo := tx.LargeObjects()
			oid, err := lo.Create(ctx, 0)
			say(err)
			o, err := lo.Open(ctx, oid, pgx.LargeObjectModeRead|pgx.LargeObjectModeWrite)
			say(err)
			_, err = o.Write([]byte("large"))
			say(err)
			var v string
			say(tx.QueryRow(ctx, "SELECT ssn FROM accounts WHERE number = 'b1'").Scan(&v), v)
			_, err = o.Seek(0, io.SeekStart)
			all, err2 := io.ReadAll(o)
			say(err, string(all), err2)
			return errors.Join(o.Close(), lo.Unlink(ctx, oid))
		}))
	},
	"deep savepoints": func(ctx context.Context, q pooled, say func(...any)) {
		say(pgx.BeginFunc(ctx, q, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "UPDATE accounts SET ssn = $1 WHERE tenant = 1", "911-11-1111")
			say(err)
			say(pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
				var id int64
				var ssn string
				say(tx.QueryRow(ctx, "INSERT INTO people (name, ssn) VALUES ($1, $2) RETURNING ssn", "Zed", "911-22-2222").Scan(&ssn), ssn)
				say(stateOf(pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
					_, err := tx.Exec(ctx, "UPDATE accounts SET ssn = $1, number = 'a1' WHERE tenant = 1", "911-33-3333")
					return err
				})))
				say(stateOf(pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
					_, err := tx.Exec(ctx, "INSERT INTO people (name, ssn) VALUES ($1, $2)", "Zed", "911-22-2223")
					return err
				})))
				say(tx.QueryRow(ctx, "SELECT ssn FROM people WHERE name = 'Zed'").Scan(&ssn), ssn, id)
				return nil
			}))
			inner, err := tx.Begin(ctx)
			say(err)
			_, err = inner.Exec(ctx, "UPDATE accounts SET ssn = $1 WHERE tenant = 1", "911-44-4444")
			say(err, inner.Rollback(ctx), inner.Rollback(ctx), inner.Commit(ctx))
			say(answerOf(tx.(querier), "SELECT number, ssn FROM accounts ORDER BY number", nil))
			return nil
		}))
		say(answerOf(q, "SELECT name, ssn FROM people ORDER BY name", nil))
	},
	"several statements in one text": func(ctx context.Context, q pooled, say func(...any)) {
		tag, err := q.Exec(ctx, "INSERT INTO accounts (number, ssn) VALUES ('b1', '911-11-1111'); INSERT INTO accounts (number, ssn) VALUES ('b2', '911-22-2222')")
		say(tag, stateOf(err))
		tag, err = q.Exec(ctx, "INSERT INTO accounts (number, ssn) VALUES ('b3', '911-11-1111'); SELECT 1/0", pgx.QueryExecModeSimpleProtocol)
		say(tag, stateOf(err))
		tag, err = q.Exec(ctx, "INSERT INTO accounts (number, ssn) VALUES ('b4', '911-11-1111'); INSERT INTO accounts (number, ssn) VALUES ('b5', '911-22-2222')", pgx.QueryExecModeSimpleProtocol)
		say(tag, stateOf(err))
		tag, err = q.Exec(ctx, "SELECT ssn FROM accounts")
		say(tag, err)
		tag, err = q.Exec(ctx, "SELECT ssn FROM accounts WHERE number = 'a1' ;  ")
		say(tag, err)
		tag, err = q.Exec(ctx, "-- nothing\n")
		say(tag, err)
		rows, err := q.Query(ctx, "/* c */ SELECT ssn FROM accounts WHERE number = 'a1' -- end")
		m, err2 := pgx.CollectRows(rows, pgx.RowToMap)
		say(m, err, err2)
	},
	"rows that fail half-way": func(ctx context.Context, q pooled, say func(...any)) {
		rows, err := q.Query(ctx, "SELECT number, ssn, 10 / (tenant - 2) FROM accounts ORDER BY number")
		n := 0
		for rows.Next() {
			n++
		}
		say(n, stateOf(rows.Err()), stateOf(err), rows.CommandTag())
		rows, err = q.Query(ctx, "SELECT ssn, CASE WHEN n > 3 THEN 1 / (n - n) ELSE n END FROM accounts, generate_series(1, 5) n WHERE number = 'a1' ORDER BY n")
		n = 0
		for rows.Next() {
			n++
		}
		say(n, stateOf(rows.Err()), stateOf(err))
	},
	"named statements": func(ctx context.Context, q pooled, say func(...any)) {
		say(pgx.BeginFunc(ctx, q, func(tx pgx.Tx) error {
			for _, x := range [][2]string{{"put", insertAccount}, {"get", "SELECT ssn, number FROM accounts WHERE number = $1"}, {"plain", "SELECT name FROM other WHERE id = $1"}, {"byterm", "SELECT number FROM accounts WHERE ssn = $1"}, {"rbr", "UPDATE accounts SET ssn = $1 WHERE tenant = $2"}} {
				name, text := x[0], x[1]
				sd, err := tx.Prepare(ctx, name, text)
				say(err, sd.Name, sd.SQL, sd.ParamOIDs, len(sd.Fields))
				sd, err = tx.Prepare(ctx, name, text)
				say(err, sd.Name)
			}
			say(stateOf(pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
				_, err := tx.Prepare(ctx, "put", "SELECT 1")
				return err
			})))
			say(stateOf(pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
				_, err := tx.Prepare(ctx, "plain", insertAccount)
				return err
			})))
			tag, err := tx.Exec(ctx, "put", "b1", "911-11-1111")
			say(tag, err)
			tag, err = tx.Exec(ctx, "rbr", "911-33-1111", 1)
			say(tag, err)
			var a, b string
			say(tx.QueryRow(ctx, "get", "b1").Scan(&a, &b), a, b)
			say(tx.QueryRow(ctx, "get", pgx.QueryResultFormats{0, 0}, "b1").Scan(&a, &b), a, b)
			say(tx.QueryRow(ctx, "get", pgx.QueryResultFormats{1, 0}, "b1").Scan(&a, &b), a, b)
			say(tx.QueryRow(ctx, "plain", 1).Scan(&a), a)
			say(tx.QueryRow(ctx, "byterm", "911-11-1111").Scan(&a), a)
			bt := &pgx.Batch{}
			bt.Queue("put", "b2", "911-22-2222")
			bt.Queue("get", "b2").QueryRow(func(r pgx.Row) error { err := r.Scan(&a, &b); say(a, b); return err })
			bt.Queue("plain", 1).QueryRow(func(r pgx.Row) error { return r.Scan(&a) })
			bt.Queue("byterm", "911-22-2222").QueryRow(func(r pgx.Row) error { err := r.Scan(&a); say(a); return err })
			say(tx.SendBatch(ctx, bt).Close())
			return errors.New("undone")
		}))
	},
	"copies": func(ctx context.Context, q pooled, say func(...any)) {
		i := 0
		n, err := q.CopyFrom(ctx, pgx.Identifier{"public", "accounts"}, []string{"ssn", "tenant", "number"}, pgx.CopyFromFunc(func() ([]any, error) {
			if i++; i > 5 {
				return nil, nil
			}
			return []any{fmt.Sprintf("911-00-000%d", i), i, fmt.Sprint("c", i)}, nil
		}))
		say(n, stateOf(err))
		n, err = q.CopyFrom(ctx, pgx.Identifier{"accounts"}, []string{"number", "ssn"}, pgx.CopyFromRows([][]any{{"d1", "911-11-1111"}, {"a1", "911-11-1112"}}))
		say(n, stateOf(err))
		n, err = q.CopyFrom(ctx, pgx.Identifier{"nothing"}, []string{"number"}, pgx.CopyFromRows([][]any{{"d1"}}))
		say(n, stateOf(err))
		n, err = q.CopyFrom(ctx, pgx.Identifier{"accounts"}, []string{"number", "ssn"}, pgx.CopyFromRows([][]any{{"e1", nil}, {"e2", (*string)(nil)}, {"e3", ""}, {"e4", pgtype.Text{}}}))
		say(n, stateOf(err))
		n, err = q.CopyFrom(ctx, pgx.Identifier{"accounts"}, []string{"number", "ssn"}, pgx.CopyFromRows(nil))
		say(n, stateOf(err))
	},
	"conflicts": func(ctx context.Context, q pooled, say func(...any)) {
		t1, _ := q.Begin(ctx)
		t2, _ := q.Begin(ctx)
		for _, tx := range []pgx.Tx{t1, t2} {
			_, err := tx.Exec(ctx, "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
			say(err)
			say(tx.QueryRow(ctx, "SELECT ssn FROM accounts WHERE number = 'a1'").Scan(new(string)))
		}
		_, err := t1.Exec(ctx, "UPDATE accounts SET ssn = $1 WHERE number = 'a1'", "911-11-1111")
		say(err, t1.Commit(ctx))
		_, err = t2.Exec(ctx, "UPDATE accounts SET ssn = $1 WHERE number = 'a1'", "911-11-1112")
		say(stateOf(err), t2.Commit(ctx))
		t1, _ = q.Begin(ctx)
		_, err = t1.Exec(ctx, "UPDATE accounts SET ssn = $1 WHERE tenant = 1", "911-11-1113")
		say(err)
		t2, _ = q.Begin(ctx)
		_, err = t2.Exec(ctx, "SET LOCAL lock_timeout = '50ms'")
		say(err)
		_, err = t2.Exec(ctx, "UPDATE accounts SET ssn = $1 WHERE tenant = 1", "911-11-1114")
		say(stateOf(err), t2.Rollback(ctx), t1.Rollback(ctx))
		t2, _ = q.Begin(ctx)
		_, err = t2.Exec(ctx, "SET LOCAL statement_timeout = '50ms'")
		say(err)
		_, err = t2.Exec(ctx, "SELECT ssn, pg_sleep(2) FROM accounts")
		say(stateOf(err), t2.Rollback(ctx))
	},
	"a begin and commit of the user's texts": func(ctx context.Context, q pooled, say func(...any)) {
		if b, ok := q.(interface {
			BeginTx(context.Context, pgx.TxOptions) (pgx.Tx, error)
		}); ok {
			tx, err := b.BeginTx(ctx, pgx.TxOptions{BeginQuery: "BEGIN READ ONLY", CommitQuery: "COMMIT AND CHAIN"})
			say(err)
			_, err = tx.Exec(ctx, insertAccount, "b1", "911-11-1111")
			say(stateOf(err), stateOf(tx.Commit(ctx)), stateOf(tx.Rollback(ctx)))
			tx, err = b.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly, DeferrableMode: pgx.Deferrable})
			say(err)
			say(tx.QueryRow(ctx, "SELECT current_setting('transaction_isolation')").Scan(new(string)))
			_, err = tx.Exec(ctx, "UPDATE accounts SET ssn = $1 WHERE tenant = 1", "911-11-1111")
			say(stateOf(err), stateOf(tx.Rollback(ctx)))
			_, err = b.BeginTx(ctx, pgx.TxOptions{BeginQuery: "BEGINN"})
			say(stateOf(err))
		}
	},
	"types beside": func(ctx context.Context, q pooled, say func(...any)) {
		rows, err := q.Query(ctx, "SELECT ssn, ROW(number, tenant), ARRAY[number], int4range(1, 5), '{\"a\": 1}'::jsonb, '1 day'::interval, point(1, 2), inet '10.0.0.1', number::name, tenant::oid, B'101', xmlelement(name a)::text, '\\x01'::bytea, now() - now(), ARRAY[[1,2],[3,4]] FROM accounts ORDER BY number")
		say(err)
		for rows.Next() {
			v, err := rows.Values()
			say(fmt.Sprintf("%T %v", v, v), err)
			say(fmt.Sprintf("%q", rows.RawValues()))
		}
		for _, f := range rows.FieldDescriptions() {
			say(f.Name, f.DataTypeOID, f.Format)
		}
	},
}

// rowsOf leaves an error to the rows.
func rowsOf(rows pgx.Rows, _ error) pgx.Rows { return rows }

func shown(s *string) string {
	if s == nil {
		return "NULL"
	}
	return *s
}
