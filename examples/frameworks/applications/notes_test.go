package applications

import (
	"context"
	"testing"

	"xorm.io/builder"
	"xorm.io/xorm"
	"xorm.io/xorm/dialects"
	"xorm.io/xorm/log"
)

func init() {
	dialects.RegisterDriver("sealsql-pgx", dialects.QueryDriver("pgx"))
	dialects.RegisterDriver("sealsql-mysql", dialects.QueryDriver("mysql"))
}

// TestNotesServer is a notes server on xorm and its Sync: shortcuts, memos by dynamic
// filters, and JSON documents whose other fields are queried.
func TestNotesServer(t *testing.T) {
	application{
		name: "notes", open: openNotes, mode: 1, operations: 51,
		secrets: []string{"ada@notes.example", "grace@notes.example", "bcrypt-of", "Countess", "intranet.example/salaries", "what the link is for", "dear diary", "at the hospital", "Charles Babbage",
			"snippet of a memo", "x-ray.png", "bytes-of-the-scan", "access-token-of-ada"},
	}.run(t)
}

// notes is the notes server's store.
type notes struct {
	w  *world
	db *xorm.Engine
}

func openNotes(w *world) (store, error) {
	db, err := xorm.NewEngine(w.driver, w.dsn)
	if err != nil {
		return nil, err
	}
	db.ShowSQL(false)
	db.SetLogLevel(log.LOG_OFF) // Sync warns of the types that ciphertexts need
	return &notes{w, db}, nil
}

func (s *notes) close() error { return s.db.Close() }

func (s *notes) models() []any {
	return []any{new(NoteUser), new(UserSetting), new(Shortcut), new(Memo), new(MemoRelation), new(Inbox), new(Resource)}
}

func (s *notes) up(context.Context) error   { return s.db.Sync(s.models()...) }
func (s *notes) down(context.Context) error { return s.db.DropTables(s.models()...) }

// NoteUser writes notes.
type NoteUser struct {
	ID           int64  `xorm:"pk autoincr 'id'"`
	Username     string `xorm:"varchar(100) notnull unique"`
	Email        string `xorm:"varchar(255) notnull default '' index"`
	PasswordHash string `xorm:"varchar(255) notnull"`
	Nickname     string `xorm:"varchar(255) notnull default ''"`
	Role         string `xorm:"varchar(20) notnull default 'USER'"`
	RowStatus    string `xorm:"varchar(20) notnull default 'NORMAL'"`
	CreatedTs    int64
	Version      int `xorm:"version"`
}

// UserSetting is a value by user and name.
type UserSetting struct {
	UserID int64  `xorm:"pk 'user_id'"`
	Name   string `xorm:"pk varchar(60)"`
	Value  string `xorm:"text notnull"`
}

// Shortcut is a name for a link.
type Shortcut struct {
	ID          int64  `xorm:"pk autoincr 'id'"`
	CreatorID   int64  `xorm:"'creator_id' notnull unique(one_link)"`
	Name        string `xorm:"varchar(100) notnull unique"`
	Link        string `xorm:"varchar(500) notnull unique(one_link)"`
	Description string `xorm:"varchar(1000) notnull default ''"`
	Visibility  string `xorm:"varchar(20) notnull"`
	Tag         string `xorm:"varchar(200) notnull default ''"`
	Clicks      int64
}

// Memo is a note.
type Memo struct {
	ID         int64    `xorm:"pk autoincr 'id'"`
	UID        string   `xorm:"'uid' varchar(40) notnull unique"`
	CreatorID  int64    `xorm:"'creator_id' notnull index"`
	CreatedTs  int64    `xorm:"index"`
	Content    string   `xorm:"text notnull"`
	Visibility string   `xorm:"varchar(20) notnull"`
	Pinned     bool     `xorm:"notnull"`
	Payload    document `xorm:"json"`
	DeletedTs  int64
}

// MemoRelation joins memos.
type MemoRelation struct {
	MemoID    int64  `xorm:"'memo_id' unique(relation)"`
	RelatedID int64  `xorm:"'related_id' unique(relation)"`
	Kind      string `xorm:"varchar(20) unique(relation)"`
}

// Inbox is what a user is told.
type Inbox struct {
	ID         int64 `xorm:"pk autoincr 'id'"`
	SenderID   int64 `xorm:"'sender_id'"`
	ReceiverID int64 `xorm:"'receiver_id'"`
	Status     string
	Message    document `xorm:"json notnull"`
}

// Resource is a file.
type Resource struct {
	ID       int64  `xorm:"pk autoincr 'id'"`
	MemoID   *int64 `xorm:"'memo_id'"`
	Filename string `xorm:"varchar(200) notnull default ''"`
	Data     []byte `xorm:"blob"`
	Size     int64
}

// find reads rows into structs.
func find[T any](q *xorm.Session) (any, error) {
	found := []T{}
	err := q.Find(&found)
	return found, err
}

// one reads a row, and says whether there is one.
func one[T any](q *xorm.Session) (any, error) {
	var found T
	ok, err := q.Get(&found)
	return []any{ok, found}, err
}

// inTx runs a piece of work in a transaction.
func (s *notes) inTx(ctx context.Context, do func(tx *xorm.Session) (any, error)) (any, error) {
	return s.db.Transaction(func(tx *xorm.Session) (any, error) { return do(tx.Context(ctx)) })
}

// exec runs a statement of the application's own.
func (s *notes) exec(ctx context.Context, text string, args ...any) (any, error) {
	r, err := s.db.Context(ctx).Exec(append([]any{text}, args...)...)
	if err != nil {
		return nil, err
	}
	return r.RowsAffected()
}

// path spells the text at a path of a document.
func (s *notes) path(column, name string) string {
	if s.w.postgres() {
		return column + "->>'" + name + "'"
	}
	return "JSON_UNQUOTE(JSON_EXTRACT(" + column + ", '$." + name + "'))"
}

func (s *notes) operations() []operation {
	return append(append(append(s.people(), s.shortcuts()...), s.memos()...), s.documents()...)
}

func (s *notes) people() []operation {
	upsert := "INSERT INTO user_setting (user_id, name, value) VALUES (?, ?, ?) "
	if s.w.postgres() {
		upsert += "ON CONFLICT (user_id, name) DO UPDATE SET value = EXCLUDED.value"
	} else {
		upsert += "ON DUPLICATE KEY UPDATE value = ?"
	}
	set := func(ctx context.Context, name, value string) (any, error) {
		if s.w.postgres() {
			return s.exec(ctx, upsert, 1, name, value)
		}
		return s.exec(ctx, upsert, 1, name, value, value)
	}
	return []operation{
		{"creates a user", func(ctx context.Context) (any, error) {
			u := &NoteUser{Username: "ada", Email: "ada@notes.example", PasswordHash: "bcrypt-of-ada", Nickname: "Countess", Role: "HOST", RowStatus: "NORMAL", CreatedTs: 1700000000}
			n, err := s.db.Context(ctx).Insert(u)
			return []any{n, u.ID}, err
		}},
		{"creates users in one statement", func(ctx context.Context) (any, error) {
			return s.db.Context(ctx).Insert([]*NoteUser{{Username: "grace", Email: "grace@notes.example", PasswordHash: "bcrypt-of-grace", Role: "USER", RowStatus: "NORMAL"}, {Username: "kay", PasswordHash: "bcrypt-of-kay", Role: "USER", RowStatus: "NORMAL"}})
		}},
		{"creates a user of some columns", func(ctx context.Context) (any, error) {
			return s.db.Context(ctx).Cols("username", "password_hash").Insert(&NoteUser{Username: "defaults", PasswordHash: "bcrypt-of-nobody"})
		}},
		{"creates a user twice", func(ctx context.Context) (any, error) {
			return s.db.Context(ctx).Insert(&NoteUser{Username: "ada", PasswordHash: "bcrypt-of-eve", Role: "USER", RowStatus: "NORMAL"})
		}},
		{"finds a user by name", func(ctx context.Context) (any, error) {
			return one[NoteUser](s.db.Context(ctx).Where("username = ?", "ada"))
		}},
		{"finds a user by e-mail", func(ctx context.Context) (any, error) {
			return one[NoteUser](s.db.Context(ctx).Where("LOWER(email) = ?", "grace@notes.example"))
		}},
		{"finds a user by a template", func(ctx context.Context) (any, error) {
			u := NoteUser{Email: "ada@notes.example"}
			ok, err := s.db.Context(ctx).Get(&u)
			return []any{ok, u}, err
		}},
		{"finds nobody", func(ctx context.Context) (any, error) {
			return one[NoteUser](s.db.Context(ctx).Where("email = ?", "nobody@notes.example"))
		}},
		{"says whether an address is taken", func(ctx context.Context) (any, error) {
			return s.db.Context(ctx).Where("email = ? AND id <> ?", "ada@notes.example", 2).Exist(&NoteUser{})
		}},
		{"updates some columns of a user", func(ctx context.Context) (any, error) {
			return s.db.Context(ctx).ID(2).Cols("nickname", "password_hash").Update(&NoteUser{Nickname: "Countess of code", PasswordHash: "bcrypt-of-grace 2", Version: 1})
		}},
		{"loses an optimistic lock", func(ctx context.Context) (any, error) {
			return s.db.Context(ctx).ID(2).Cols("nickname").Update(&NoteUser{Nickname: "late", Version: 1})
		}},
		{"archives users by a condition", func(ctx context.Context) (any, error) {
			return s.db.Context(ctx).Table(new(NoteUser)).Where("nickname = '' AND email = ''").Update(map[string]any{"row_status": "ARCHIVED", "nickname": "archived"})
		}},
		{"writes a setting, and again", func(ctx context.Context) (any, error) {
			if v, err := set(ctx, "ACCESS_TOKENS", `{"tokens": ["access-token-of-ada"]}`); err != nil {
				return v, err
			}
			return set(ctx, "ACCESS_TOKENS", "access-token-of-ada 2")
		}},
		{"writes an empty setting", func(ctx context.Context) (any, error) { return set(ctx, "LOCALE", "") }},
		{"reads settings", func(ctx context.Context) (any, error) {
			return find[UserSetting](s.db.Context(ctx).Where("user_id = ?", 1).In("name", "ACCESS_TOKENS", "LOCALE", "THEME").Asc("name"))
		}},
		{"deletes settings without a value", func(ctx context.Context) (any, error) {
			return s.db.Context(ctx).Where("value = ''").Delete(&UserSetting{})
		}},
	}
}

func (s *notes) shortcuts() []operation {
	link := func(name, link, visibility string) *Shortcut {
		return &Shortcut{CreatorID: 1, Name: name, Link: link, Description: "what the link is for", Visibility: visibility, Tag: "work"}
	}
	return []operation{
		{"creates shortcuts", func(ctx context.Context) (any, error) {
			return s.db.Context(ctx).Insert(link("pay", "https://intranet.example/salaries", "PRIVATE"), link("wiki", "https://intranet.example/salaries?wiki", "PUBLIC"))
		}},
		{"creates a shortcut to a link that has one", func(ctx context.Context) (any, error) {
			return s.db.Context(ctx).Insert(link("pay2", "https://intranet.example/salaries", "PUBLIC"))
		}},
		{"creates a shortcut of another creator", func(ctx context.Context) (any, error) {
			x := link("pay3", "https://intranet.example/salaries", "PUBLIC")
			x.CreatorID, x.Description = 2, ""
			return s.db.Context(ctx).Insert(x)
		}},
		{"finds a shortcut by its link", func(ctx context.Context) (any, error) {
			return find[Shortcut](s.db.Context(ctx).Where("link = ?", "https://intranet.example/salaries").Asc("id"))
		}},
		{"counts a click", func(ctx context.Context) (any, error) {
			return s.db.Context(ctx).Where("name = ?", "pay").Incr("clicks").Update(&Shortcut{})
		}},
		{"lists shortcuts by a dynamic filter", func(ctx context.Context) (any, error) {
			cond := builder.NewCond().And(builder.Eq{"creator_id": 1}).And(builder.Or(builder.Eq{"visibility": []string{"PUBLIC", "WORKSPACE"}}, builder.Eq{"link": "https://intranet.example/salaries"})).And(builder.Like{"tag", "work"})
			return find[Shortcut](s.db.Context(ctx).Where(cond).Desc("clicks").Asc("id").Limit(10, 0))
		}},
		{"lists shortcuts with their creators", func(ctx context.Context) (any, error) {
			type joined struct {
				Shortcut `xorm:"extends"`
				Email    string
			}
			return find[joined](s.db.Context(ctx).Table("shortcut").Select("shortcut.*, note_user.email").Join("INNER", "note_user", "note_user.id = shortcut.creator_id").Where("note_user.email = ?", "ada@notes.example").Asc("shortcut.id"))
		}},
		{"counts shortcuts with a description", func(ctx context.Context) (any, error) {
			return s.db.Context(ctx).Where("description <> ''").And("visibility = ?", "PRIVATE").Count(&Shortcut{})
		}},
		{"changes a link", func(ctx context.Context) (any, error) {
			return s.db.Context(ctx).Where("link = ? AND creator_id = ?", "https://intranet.example/salaries", 2).Cols("link", "description").Update(&Shortcut{Link: "https://intranet.example/salaries/2", Description: "what the link is for now"})
		}},
		{"deletes a shortcut by its link", func(ctx context.Context) (any, error) {
			return s.db.Context(ctx).Where("link = ?", "https://intranet.example/salaries?wiki").Delete(&Shortcut{})
		}},
	}
}
