package driver

//lint:file-ignore SA1019 a wrapper exposes whatever the base has, older interfaces too

import (
	"context"
	sqldriver "database/sql/driver"
	"fmt"
	"slices"
	"strings"

	"github.com/sealsql/sealsql/fault"
	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/internal/sqlplan"
)

// stepwise reports whether a plan needs more than one text to be sent.
func stepwise(plan *sqlplan.Plan) bool {
	_, direct := plan.Route.(sqlplan.Direct)
	return !direct
}

// finish sends the statement that a stepwise plan ends in.
type finish func(ctx context.Context, text string, args []sqldriver.NamedValue, results []sqlplan.ResultSet) error

func (c *conn) execSteps(ctx context.Context, b *binding, plan *sqlplan.Plan, a server.Arguments) (sqldriver.Result, error) {
	after := sealsAfter(plan)
	if after != nil && after.Returning {
		_, _, err := c.insertReturning(ctx, b, plan, after, a)
		return rowsReturned{}, err
	}
	var res sqldriver.Result
	err := c.steps(ctx, b, plan, a, func(ctx context.Context, text string, args []sqldriver.NamedValue, _ []sqlplan.ResultSet) (err error) {
		res, err = c.baseExec(ctx, text, args)
		if err == nil && after != nil {
			err = c.sealInserted(ctx, b, plan, after, res)
		}
		return err
	})
	return res, err
}

// rowsReturned is the result of a statement that answered with rows.
type rowsReturned struct{}

func (rowsReturned) LastInsertId() (int64, error) { return 0, nil }
func (rowsReturned) RowsAffected() (int64, error) { return 0, nil }

// sealsAfter returns the plan's route if rows are inserted without their
// protected values, which are sealed and written once the rows' keys are known;
// else nil.
func sealsAfter(plan *sqlplan.Plan) *sqlplan.ServerKey {
	if k, ok := plan.Route.(*sqlplan.ServerKey); ok && k.Mode == sqlplan.ServerKeyInsertThenSeal {
		return k
	}
	return nil
}

// insertReturning carries out an INSERT whose RETURNING clause shows the keys
// that the server made, and returns its rows as if the values had been there.
func (c *conn) insertReturning(ctx context.Context, b *binding, plan *sqlplan.Plan, k *sqlplan.ServerKey, a server.Arguments) (rows [][]any, base sqldriver.Rows, err error) {
	err = c.steps(ctx, b, plan, a, func(ctx context.Context, text string, args []sqldriver.NamedValue, results []sqlplan.ResultSet) error {
		var err error
		if rows, base, err = c.baseQuery(ctx, text, args, k.Rows); err != nil {
			return err
		}
		if len(rows) != k.Rows || len(base.Columns()) <= k.Returned || len(results) > 0 && !fits(base, &results[0]) {
			b.engine.tablesChanged()
			return fmt.Errorf("%w: the server did not return the rows that it inserted; the insert was undone", ErrTableChanged)
		}
		keys := make([][]any, k.Rows)
		for i, row := range rows {
			keys[i] = []any{row[k.Returned]}
		}
		sealed, err := c.sealKeys(ctx, b, plan, k, keys)
		if err != nil {
			return err
		}
		for at, column := range k.Shown {
			for i, row := range rows {
				for _, seal := range k.RowSeals[i] {
					if plan.Seals[seal].Column == column {
						row[at] = sealed[seal]
					}
				}
			}
		}
		return nil
	})
	return rows, base, err
}

func (c *conn) querySteps(ctx context.Context, b *binding, plan *sqlplan.Plan, a server.Arguments) (sqldriver.Rows, error) {
	after := sealsAfter(plan)
	if after != nil && after.Returning {
		all, base, err := c.insertReturning(ctx, b, plan, after, a)
		if err != nil {
			return nil, err
		}
		return wrapBuffered(ctx, base, all, b.engine, plan.Results, a.Text), nil
	}
	if after != nil {
		if _, err := c.execSteps(ctx, b, plan, a); err != nil {
			return nil, err
		}
		return noRows{}, nil
	}
	var rows sqldriver.Rows
	err := c.steps(ctx, b, plan, a, func(ctx context.Context, text string, args []sqldriver.NamedValue, results []sqlplan.ResultSet) error {
		all, base, err := c.baseQuery(ctx, text, args, -1)
		if err != nil {
			b.engine.noteStale(err)
			return err
		}
		if len(results) > 0 && !fits(base, &results[0]) {
			b.engine.tablesChanged()
			if _, made := plan.Route.(*sqlplan.ServerKey); made && !c.inTx {
				return fmt.Errorf("%w: it was carried out, but its result is withheld because it does not have the expected columns", ErrTableChanged)
			}
			return fmt.Errorf("%w: its result is withheld because it does not have the expected columns; roll back and run it again", ErrTableChanged)
		}
		rows = wrapBuffered(ctx, base, all, b.engine, results, a.Text)
		return nil
	})
	return rows, err
}

// steps carries out what comes before the last statement, in a transaction
// where the rows that were read must not change meanwhile.
func (c *conn) steps(ctx context.Context, b *binding, plan *sqlplan.Plan, a server.Arguments, end finish) error {
	switch r := plan.Route.(type) {
	case *sqlplan.RowByRow:
		return c.inTransaction(ctx, func(ctx context.Context) error { return c.rowByRow(ctx, b, plan, r, a, end) })
	case *sqlplan.ServerKey:
		if r.Mode == sqlplan.ServerKeyEvaluate {
			return c.evaluateThenInsert(ctx, b, plan, r, a, end)
		}
		insert := func(ctx context.Context) error {
			text, args := b.bind(&plan.Main, a.Options, nil)
			return end(ctx, text, args, plan.Results)
		}
		return c.inTransaction(ctx, func(ctx context.Context) error { return c.whole(ctx, insert) })
	case *sqlplan.KeyChecks:
		return c.inTransaction(ctx, func(ctx context.Context) error { return c.checkKeys(ctx, b, plan, r, a, end) })
	}
	return fmt.Errorf("a plan of an unknown route (%T)", plan.Route)
}

// inTransaction runs f in the user's transaction, or else in one of its own.
func (c *conn) inTransaction(ctx context.Context, f func(ctx context.Context) error) error {
	open := c.inTx
	if !open {
		var err error
		if open, err = c.ctor.server.InTransaction(ctx, c.base); err != nil {
			return err
		}
	}
	if open {
		return f(ctx)
	}
	own, err := c.beginBase(ctx)
	if err != nil {
		return err
	}
	if err := f(ctx); err != nil {
		_ = own.Rollback() // err says what went wrong
		return err
	}
	return own.Commit()
}

// whole undoes what f wrote if it fails, so that it is one statement to the
// transaction around it: the server alone would undo the last of several only.
func (c *conn) whole(ctx context.Context, f func(ctx context.Context) error) error {
	if _, err := c.baseExec(ctx, "SAVEPOINT sealsql_statement", nil); err != nil {
		return err
	}
	if err := f(ctx); err != nil {
		// It fails if the server rolled back the transaction: then all is undone.
		_, _ = c.baseExec(context.WithoutCancel(ctx), "ROLLBACK TO SAVEPOINT sealsql_statement", nil)
		return err
	}
	_, err := c.baseExec(ctx, "RELEASE SAVEPOINT sealsql_statement", nil)
	return err
}

func (c *conn) beginBase(ctx context.Context) (sqldriver.Tx, error) {
	if x, ok := c.base.(sqldriver.ConnBeginTx); ok {
		return x.BeginTx(ctx, sqldriver.TxOptions{})
	}
	return c.base.Begin()
}

// rowByRow locks and reads the rows that an UPDATE will write, seals a value
// for each, and writes them in one statement.
func (c *conn) rowByRow(ctx context.Context, b *binding, plan *sqlplan.Plan, r *sqlplan.RowByRow, a server.Arguments, end finish) error {
	counts, found := make([]int, len(r.Tables)), 0
	b.groups = make([]group, len(r.Tables))
	for i, p := range r.Tables {
		rows, err := c.lockRows(ctx, b, p, a)
		if err != nil {
			return err
		}
		b.groups[i].rows, counts[i], found = rows, len(rows), found+len(rows)
	}
	if found == 0 {
		text, args := b.bind(&r.Empty, a.Options, nil)
		return end(ctx, text, args, plan.Results)
	}
	for i, p := range r.Tables {
		var err error
		if b.groups[i].sealed, err = b.sealRows(ctx, p, b.groups[i].rows, len(p.Table.RowKey)); err != nil {
			return err
		}
	}
	t := r.Build(counts...)
	text, args := b.bind(&t, a.Options, nil)
	return end(ctx, text, args, plan.Results)
}

// lockRows locks and reads the rows of one table.
func (c *conn) lockRows(ctx context.Context, b *binding, r *sqlplan.LockedTable, a server.Arguments) ([][]any, error) {
	text, args := b.bind(&r.Lock, a.Options, nil)
	rows, _, err := c.baseQuery(ctx, text, args, lockedMost(r))
	if err == nil {
		err = width(rows, len(r.Table.RowKey)+len(r.Table.Sources)+len(r.Old))
	}
	if err == nil {
		rows = distinct(rows, len(r.Table.RowKey))
	}
	if err == errTooManyRows || err == nil && len(rows) > r.MaxRows {
		return nil, &fault.RefusedError{Object: r.Table.Name,
			What: fmt.Sprintf("the statement writes protected values of more than %d rows", r.MaxRows),
			Hint: "narrow its WHERE, or raise max_rows_per_statement of the table in the policy"}
	}
	return rows, err
}

// lockedMost bounds the rows that are read: a join repeats some.
func lockedMost(r *sqlplan.LockedTable) int { return 8*r.MaxRows + 64 }

// width checks the number of columns of rows that the server, or a mock of it,
// returned.
func width(rows [][]any, want int) error {
	if len(rows) > 0 && len(rows[0]) != want {
		return fmt.Errorf("%w: the server answered with %d columns where %d were asked for; nothing was written", ErrTableChanged, len(rows[0]), want)
	}
	return nil
}

// distinct drops rows whose key came before: a join may repeat a row, and an
// outer join may lack one.
func distinct(rows [][]any, keys int) [][]any {
	seen := make(map[string]bool, len(rows))
	out := rows[:0]
	for _, row := range rows {
		var k strings.Builder
		for _, v := range row[:keys] {
			s := fmt.Sprintf("%v", v)
			fmt.Fprintf(&k, "%d:%s", len(s), s)
		}
		missing := !slices.ContainsFunc(row[:keys], func(v any) bool { return v != nil })
		if !seen[k.String()] && !missing {
			seen[k.String()] = true
			out = append(out, row)
		}
	}
	return out
}

// sealRows seals r.Seals for every row that was read.
func (b *binding) sealRows(ctx context.Context, r *sqlplan.LockedTable, rows [][]any, keys int) ([][]any, error) {
	sources, n := len(r.Table.Sources), len(r.Seals)
	todo := make([]unsealed, len(rows)*n)
	defer func() {
		for _, u := range todo {
			clear(u.plaintext)
		}
	}()
	for i, row := range rows {
		stored := row[keys : keys+sources]
		for j := range r.Seals {
			u, err := b.unsealRow(ctx, r, &r.Seals[j], stored, row[keys+sources:])
			if err != nil {
				return nil, err
			}
			todo[i*n+j] = u
		}
	}
	flat, err := b.sealEach(ctx, todo)
	if err != nil {
		return nil, err
	}
	out := make([][]any, len(rows))
	for i := range out {
		out[i] = flat[i*n : (i+1)*n]
	}
	return out, nil
}

// unsealRow is unseal for a row that was read: the value may be the one that
// the row holds, opened.
func (b *binding) unsealRow(ctx context.Context, r *sqlplan.LockedTable, s *sqlplan.Seal, stored, old []any) (unsealed, error) {
	if s.Value.Kind != sqlplan.OperandStored {
		return b.unseal(ctx, s, stored)
	}
	u := unsealed{column: b.engine.columns[s.Column]}
	for i, c := range r.Old {
		if c != s.Column {
			continue
		}
		if old[i] == nil {
			u.null = true
			return u, nil
		}
		from, known, err := b.storedSources(ctx, s, stored)
		if err != nil {
			return u, err
		}
		if u.plaintext, err = b.engine.openBytes(ctx, u.column, old[i], from, known, b.text); err != nil {
			return u, err
		}
		u.sources, err = b.sources(ctx, s, stored)
		return u, err
	}
	return u, fmt.Errorf("%w: the stored value of %s was not read", ErrTableChanged, s.Column.Name)
}

// storedSources returns the canonical context sources that the row holds, and
// which it holds: messages open without those of legacy values alone.
func (b *binding) storedSources(ctx context.Context, s *sqlplan.Seal, stored []any) (out []string, known []bool, err error) {
	now := *s
	now.Sources = make([]sqlplan.Operand, len(s.Sources))
	for i := range now.Sources {
		now.Sources[i] = sqlplan.Operand{Kind: sqlplan.OperandStored, Param: i}
	}
	out, err = b.sources(ctx, &now, stored)
	if err != nil || len(s.Column.Legacy) == 0 {
		return out, nil, err
	}
	keys, err := b.engine.keyColumns(ctx, s.Table)
	if err != nil {
		return nil, nil, err
	}
	known = make([]bool, len(out))
	for _, i := range s.Column.Context {
		known[i] = true
	}
	for _, i := range s.Column.Legacy {
		out[i], err = b.values.Shown(&keys.columns[i], stored[i])
		known[i] = err == nil
	}
	return out, known, nil
}

// evaluateThenInsert asks the server for the row keys that it would make, and
// inserts them as given values.
func (c *conn) evaluateThenInsert(ctx context.Context, b *binding, plan *sqlplan.Plan, k *sqlplan.ServerKey, a server.Arguments, end finish) error {
	text, args := b.bind(&k.Evaluate, a.Options, nil)
	var err error
	if b.server, _, err = c.baseQuery(ctx, text, args, k.Rows); err != nil {
		return err
	}
	if len(b.server) != k.Rows {
		return fmt.Errorf("%w: the server evaluated %d row keys for %d rows; nothing was written", ErrTableChanged, len(b.server), k.Rows)
	}
	if err := width(b.server, len(k.Columns)); err != nil {
		return err
	}
	sealed, err := b.sealAll(ctx, plan.Seals, nil)
	if err != nil {
		return err
	}
	text, args = b.bind(&plan.Main, a.Options, sealed)
	return end(ctx, text, args, plan.Results)
}

// sealInserted seals the values of rows whose keys the server just made.
func (c *conn) sealInserted(ctx context.Context, b *binding, plan *sqlplan.Plan, k *sqlplan.ServerKey, res sqldriver.Result) error {
	first, err := res.LastInsertId()
	if err == nil && first == 0 && k.MayInsertNone {
		return nil
	}
	if err != nil || first == 0 {
		return fmt.Errorf("%w: the server did not report the row key it made; the insert was undone", ErrCatalog)
	}
	step := max(1, b.engine.session.AutoIncrementIncrement)
	keys := make([][]any, k.Rows)
	for i := range keys {
		keys[i] = []any{first + int64(i)*step}
	}
	_, err = c.sealKeys(ctx, b, plan, k, keys)
	return err
}

// sealKeys seals the values of inserted rows, given the keys of the rows, and
// writes them.
func (c *conn) sealKeys(ctx context.Context, b *binding, plan *sqlplan.Plan, k *sqlplan.ServerKey, keys [][]any) ([]any, error) {
	b.server = keys
	sealed, err := b.sealAll(ctx, plan.Seals, nil)
	if err != nil {
		return nil, err
	}
	b.groups = []group{{sealed: [][]any{sealed}}}
	for i := range k.Update {
		text, args := b.bind(&k.Update[i], nil, sealed)
		res, err := c.baseExec(ctx, text, args)
		if err != nil {
			return nil, err
		}
		if n, err := res.RowsAffected(); err != nil || n != 1 && !(n == 0 && k.MayInsertNone) {
			return nil, fmt.Errorf("%w: a row just inserted was not found by its key; the insert was undone", ErrTableChanged)
		}
	}
	return sealed, nil
}

// checkKeys reads the rows that the statement's row keys compare equal to, and
// binds the values to what those rows hold.
func (c *conn) checkKeys(ctx context.Context, b *binding, plan *sqlplan.Plan, checks *sqlplan.KeyChecks, a server.Arguments, end finish) error {
	seals := append([]sqlplan.Seal(nil), plan.Seals...)
	stored := make([][]any, len(seals))
	for i := range checks.Rows {
		k := &checks.Rows[i]
		text, args := b.bind(&k.Text, a.Options, nil)
		rows, _, err := c.baseQuery(ctx, text, args, 1)
		if err == errTooManyRows {
			return &fault.RefusedError{Object: k.Table.Name, What: "the row key that the statement gives means several rows",
				Hint: "make the row key's columns a unique key, or compare them under a case-sensitive collation"}
		}
		if err != nil {
			return err
		}
		if err := width(rows, len(k.Table.Sources)); err != nil {
			return err
		}
		if len(rows) == 0 {
			continue
		}
		for _, s := range k.Seals {
			seals[s].Sources = held(seals[s].Sources)
			stored[s] = rows[0]
		}
	}
	sealed, err := b.sealAll(ctx, seals, stored)
	if err != nil {
		return err
	}
	text, args := b.bind(&plan.Main, a.Options, sealed)
	return end(ctx, text, args, plan.Results)
}

func held(sources []sqlplan.Operand) []sqlplan.Operand {
	out := make([]sqlplan.Operand, len(sources))
	for i := range out {
		out[i] = sqlplan.Operand{Kind: sqlplan.OperandStored, Param: i}
	}
	return out
}
