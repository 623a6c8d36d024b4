package migrations

import (
	"context"
	"testing"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	"entgo.io/ent/dialect/sql/schema"
	"entgo.io/ent/schema/field"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/mysqldialect"
	"github.com/uptrace/bun/dialect/pgdialect"
	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	"xorm.io/xorm"
	"xorm.io/xorm/dialects"
)

func (a *app) gorm() (*gorm.DB, error) {
	var dialector gorm.Dialector = mysql.New(mysql.Config{Conn: a.db})
	if a.Postgres() {
		dialector = postgres.New(postgres.Config{Conn: a.db})
	}
	return gorm.Open(dialector, &gorm.Config{Logger: logger.Discard})
}

func TestGormAutoMigrate(t *testing.T) {
	tool{name: "gorm",
		up: func(ctx context.Context, a *app) error {
			db, err := a.gorm()
			if err != nil {
				return err
			}
			return db.WithContext(ctx).AutoMigrate(models()...)
		},
		down: func(ctx context.Context, a *app) error {
			db, err := a.gorm()
			if err != nil {
				return err
			}
			return db.WithContext(ctx).Migrator().DropTable(models()...)
		},
	}.run(t)
}

func init() {
	dialects.RegisterDriver("sealsql-pgx", dialects.QueryDriver("pgx"))
	dialects.RegisterDriver("sealsql-mysql", dialects.QueryDriver("mysql"))
}

// xorm works with an engine of the application's database.
func (a *app) xorm(do func(*xorm.Engine) error) error {
	engine, err := xorm.NewEngine(a.Driver, a.DSN)
	if err != nil {
		return err
	}
	defer func() { _ = engine.Close() }() // its statements are over
	engine.ShowSQL(false)
	return do(engine)
}

func TestXormSync(t *testing.T) {
	tool{name: "xorm",
		up: func(_ context.Context, a *app) error {
			return a.xorm(func(e *xorm.Engine) error { return e.Sync(models()...) })
		},
		down: func(_ context.Context, a *app) error {
			return a.xorm(func(e *xorm.Engine) error { return e.DropTables(models()...) })
		},
	}.run(t)
}

func (a *app) bun() *bun.DB {
	if a.Postgres() {
		return bun.NewDB(a.db, pgdialect.New())
	}
	return bun.NewDB(a.db, mysqldialect.New())
}

func TestBunCreateTable(t *testing.T) {
	tool{name: "bun",
		up: func(ctx context.Context, a *app) error {
			for _, m := range models() {
				if _, err := a.bun().NewCreateTable().Model(m).IfNotExists().Exec(ctx); err != nil {
					return err
				}
			}
			return nil
		},
		down: func(ctx context.Context, a *app) error {
			for _, m := range models() {
				if _, err := a.bun().NewDropTable().Model(m).IfExists().Exec(ctx); err != nil {
					return err
				}
			}
			return nil
		},
	}.run(t)
}

// entTables are the tables as ent generates them from a schema.
func entTables() []*schema.Table {
	id := func() *schema.Column { return &schema.Column{Name: "id", Type: field.TypeInt64, Increment: true} }
	text := func(name string, size int64) *schema.Column {
		return &schema.Column{Name: name, Type: field.TypeString, Size: size}
	}
	optional := func(c *schema.Column) *schema.Column { c.Nullable = true; return c }
	unique := func(c *schema.Column) *schema.Column { c.Unique = true; return c }
	empty := func(c *schema.Column) *schema.Column { c.Default = ""; return c }
	number := func(name string) *schema.Column { return &schema.Column{Name: name, Type: field.TypeInt64} }
	table := func(name string, columns ...*schema.Column) *schema.Table {
		t := schema.NewTable(name).AddPrimary(columns[0])
		for _, c := range columns[1:] {
			t.AddColumn(c)
		}
		return t
	}
	users := table("users", id(), number("tenant_id"), text("name", 255), text("email", 320), empty(text("phone", 384)),
		optional(&schema.Column{Name: "born", Type: field.TypeTime, SchemaType: map[string]string{dialect.Postgres: "date", dialect.MySQL: "date"}}))
	users.AddIndex("user_tenant_id_email", true, []string{"tenant_id", "email"})
	users.AddIndex("user_phone", false, []string{"phone"})
	invitations := table("invitations", id(), number("tenant_id"), text("email", 320))
	invitations.AddIndex("invitation_tenant_id_email", true, []string{"tenant_id", "email"})
	payments := table("payments", id(), number("user_id"), text("iban", 34), &schema.Column{Name: "amount", Type: field.TypeFloat64,
		SchemaType: map[string]string{dialect.Postgres: "numeric(12,2)", dialect.MySQL: "decimal(12,2)"}})
	payments.AddIndex("payment_user_id_iban", true, []string{"user_id", "iban"})
	return []*schema.Table{
		table("tenants", id(), unique(text("name", 100))), users, invitations, payments,
		table("credentials", text("id", 36), number("user_id"), text("kind", 20), &schema.Column{Name: "secret", Type: field.TypeBytes}),
		table("sessions", id(), number("user_id"), unique(text("token", 64))),
		table("clients", text("id", 100), text("name", 255), text("secret", 256), text("redirect_uris", 500)),
		table("grants", id(), text("client_id", 100), number("user_id"), unique(text("code", 190)), optional(&schema.Column{Name: "payload", Type: field.TypeJSON})),
		table("devices", id(), optional(number("user_id")), optional(text("label", 100)), optional(unique(text("push_token", 190)))),
		table("notes", id(), number("user_id"), text("title", 200), text("body", 1<<20)),
		table("audit_log", id(), number("actor"), &schema.Column{Name: "detail", Type: field.TypeJSON}),
		table("contacts", id(), number("user_id"), text("channel", 30), empty(text("value", 200))),
	}
}

func TestEntMigrate(t *testing.T) {
	tool{name: "ent",
		up: func(ctx context.Context, a *app) error {
			name := dialect.MySQL
			if a.Postgres() {
				name = dialect.Postgres
			}
			m, err := schema.NewMigrate(entsql.OpenDB(name, a.db))
			if err != nil {
				return err
			}
			return m.Create(ctx, entTables()...)
		},
		down: func(ctx context.Context, a *app) error {
			for _, x := range entTables() {
				if _, err := a.db.ExecContext(ctx, "DROP TABLE "+x.Name); err != nil {
					return err
				}
			}
			return nil
		},
	}.run(t)
}
