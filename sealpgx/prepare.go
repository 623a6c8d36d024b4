package sealpgx

import (
	"cmp"
	"context"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/multitracer"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sealsql/sealsql/internal/exec"
	serverpostgres "github.com/sealsql/sealsql/internal/server/postgres"
	"github.com/sealsql/sealsql/internal/sqlplan"
	"github.com/sealsql/sealsql/policy"
)

// prepared is a statement that the user prepared. pgx keeps one that is protected under
// the text that the plan sends, and any other under the user's name.
type prepared struct {
	text string
	// kept is what pgx keeps it under.
	kept string
	// name is the server's; empty if the user's is.
	name string
}

// names are the statements that are prepared on a connection, by the names under which
// users send them.
type names map[string]prepared

// namesKey is where the names of a connection lie in its custom data.
const namesKey = "sealsql_prepared"

func namesOf(base *pgx.Conn) names {
	list, ok := base.PgConn().CustomData()[namesKey].(names)
	if !ok {
		list = names{}
		base.PgConn().CustomData()[namesKey] = list
	}
	return list
}

// listener hears of the statements that code past this package prepares, as hooks of a
// pool do: their names are texts to this package, which says what they stand for.
type listener struct{ heard *heard }

var (
	_ pgx.QueryTracer   = listener{}
	_ pgx.PrepareTracer = listener{}
)

// heard are the names of statements that were prepared on some connection of a pool. Such
// a text never goes to the pool beneath, whose connections may hold a statement of that
// name. It is safe for concurrent use.
type heard struct {
	mu    sync.RWMutex
	names map[string]bool
}

func (h *heard) add(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.names == nil {
		h.names = map[string]bool{}
	}
	h.names[name] = true
}

func (h *heard) has(name string) bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.names[name]
}

// listen has a connection's configuration tell of the statements that are prepared.
func listen(config *pgx.ConnConfig, h *heard) {
	if config.Tracer == nil {
		config.Tracer = listener{h}
		return
	}
	config.Tracer = multitracer.New(config.Tracer, listener{h})
}

// TraceQueryStart implements pgx.QueryTracer.
func (listener) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return ctx
}

// TraceQueryEnd implements pgx.QueryTracer.
func (listener) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// preparing is the key of the context of a statement that is being prepared.
type preparing struct{}

// TracePrepareStart implements pgx.PrepareTracer.
func (l listener) TracePrepareStart(ctx context.Context, _ *pgx.Conn, d pgx.TracePrepareStartData) context.Context {
	if d.Name == "" || d.Name == d.SQL || strings.HasPrefix(d.Name, "stmtcache_") {
		return ctx
	}
	l.heard.add(d.Name)
	return context.WithValue(ctx, preparing{}, d)
}

// TracePrepareEnd implements pgx.PrepareTracer. A statement that failed leaves an older one
// of its name in place.
func (listener) TracePrepareEnd(ctx context.Context, c *pgx.Conn, end pgx.TracePrepareEndData) {
	if d, named := ctx.Value(preparing{}).(pgx.TracePrepareStartData); named && end.Err == nil {
		namesOf(c)[d.Name] = prepared{text: d.SQL, kept: d.Name}
	}
}

// statement returns what the text of a call stands for, if it is a prepared statement's
// name, and the text that is sent in its place.
func (c *conn) statement(text string) (p prepared, known bool, sent string) {
	p, known = c.prepared[text]
	if !c.unheard || text == "" || known && p.kept != text {
		return p, known, text
	}
	held, found, sure := serverpostgres.Held(c.base, text)
	switch {
	case known && (!found || held == p.text):
		return p, true, text
	case !sure:
		return p, false, text + " " // pgx finds no statement of this name
	case found && held != text:
		return prepared{text: held, kept: text}, true, text
	}
	return p, false, text
}

// prepare plans a text and prepares what the plan sends.
func (c *conn) prepare(ctx context.Context, name, text string) (*pgconn.StatementDescription, error) {
	e, plan, err := c.plan(ctx, text)
	if err != nil {
		return nil, err
	}
	kept, sent := name, text
	if plan.Protected {
		sent = preparedText(plan)
		kept = sent
	}
	if had, taken := c.prepared[name]; taken && had.text != text {
		// The server says that it has a statement of that name.
		_, err := c.base.PgConn().Prepare(ctx, cmp.Or(had.name, name), sent, nil)
		return nil, e.Named(ctx, text, err)
	}
	sd, err := c.base.Prepare(ctx, kept, sent)
	if err != nil {
		return nil, e.Named(ctx, text, err)
	}
	if name != "" { // the unnamed statement cannot be sent
		c.prepared[name] = prepared{text, kept, sd.Name}
		c.heard.add(name)
	}
	if !plan.Protected {
		return sd, nil
	}
	return c.described(e, plan, sd, name, text), nil
}

// preparedTemplate is what is prepared for a plan. Of a statement that is carried out row
// by row it is the text that writes nothing, so that the server says now what is wrong.
func preparedTemplate(plan *sqlplan.Plan) *sqlplan.Template {
	if r, ok := plan.Route.(*sqlplan.RowByRow); ok {
		t := r.Empty()
		return &t
	}
	return &plan.Main
}

func preparedText(plan *sqlplan.Plan) string { return preparedTemplate(plan).Text }

// described describes a protected statement as the user sees it.
func (c *conn) described(e *exec.Engine, plan *sqlplan.Plan, sd *pgconn.StatementDescription, name, text string) *pgconn.StatementDescription {
	out := &pgconn.StatementDescription{Name: name, SQL: text, ParamOIDs: make([]uint32, max(0, plan.UserParams))}
	for at, a := range preparedTemplate(plan).Args {
		if a.Kind == sqlplan.ArgUser && int(a.Index) < len(out.ParamOIDs) && at < len(sd.ParamOIDs) {
			out.ParamOIDs[a.Index] = sd.ParamOIDs[at]
		}
	}
	for s := range plan.AllSeals() {
		if n, ok := s.Value.Argument(); ok && n < len(out.ParamOIDs) {
			out.ParamOIDs[n] = c.looksAs(e.Column(s.Column).Type, s.Value.Kind == sqlplan.OperandEach)
		}
	}
	set := firstSet(plan.Results)
	for i, f := range sd.Fields {
		if set != nil && i < len(set.Columns) {
			if set.Columns[i].Hidden {
				continue
			}
			if p := set.Columns[i].Protected; p != nil {
				f = lookOf(e.Column(p.Column), f.DataTypeOID).field(f, f.Format)
			}
		}
		out.Fields = append(out.Fields, f)
	}
	return out
}

// looksAs is the type that an argument of protected values has to the user.
func (c *conn) looksAs(t policy.ValueType, array bool) uint32 {
	oid := looks[t].oid
	if !array {
		return oid
	}
	m := c.base.TypeMap()
	element, _ := m.TypeForOID(oid)
	of, ok := m.TypeForName("_" + element.Name)
	if !ok {
		return oid
	}
	return of.OID
}

// deallocate gives up a prepared statement.
func (c *conn) deallocate(ctx context.Context, name string) error {
	p, ok := c.prepared[name]
	if !ok {
		return c.base.Deallocate(ctx, name)
	}
	for other, q := range c.prepared {
		if other != name && q.kept == p.kept {
			delete(c.prepared, name)
			return nil
		}
	}
	err := c.base.Deallocate(ctx, p.kept)
	if err == nil {
		delete(c.prepared, name)
	}
	return err
}
