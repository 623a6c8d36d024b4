package migrations

import (
	"time"

	"github.com/uptrace/bun"
)

// The application's types, as they are written for columns in clear, with the tags of
// three frameworks.

type Tenant struct {
	bun.BaseModel `bun:"table:tenants" gorm:"-" xorm:"-"`
	ID            int64  `bun:",pk,autoincrement" gorm:"primaryKey" xorm:"pk autoincr 'id'"`
	Name          string `bun:"type:varchar(100),notnull,unique" gorm:"size:100;not null;unique" xorm:"varchar(100) notnull unique"`
}

type User struct {
	bun.BaseModel `bun:"table:users" gorm:"-" xorm:"-"`
	ID            int64      `bun:",pk,autoincrement" gorm:"primaryKey" xorm:"pk autoincr 'id'"`
	TenantID      int64      `bun:",notnull,unique:users_tenant_email" gorm:"not null;uniqueIndex:users_tenant_email" xorm:"notnull unique(users_tenant_email) 'tenant_id'"`
	Name          string     `bun:"type:varchar(255),notnull" gorm:"size:255;not null;index" xorm:"varchar(255) notnull index"`
	Email         string     `bun:"type:varchar(320),notnull,unique:users_tenant_email" gorm:"size:320;not null;uniqueIndex:users_tenant_email" xorm:"varchar(320) notnull unique(users_tenant_email)"`
	Phone         string     `bun:"type:varchar(384),notnull,default:''" gorm:"size:384;not null;default:'';index" xorm:"varchar(384) notnull default ''"`
	Born          *time.Time `bun:"type:date" gorm:"type:date" xorm:"date"`
}

type Credential struct {
	bun.BaseModel `bun:"table:credentials" gorm:"-" xorm:"-"`
	ID            string `bun:"type:varchar(36),pk" gorm:"size:36;primaryKey" xorm:"varchar(36) pk 'id'"`
	UserID        int64  `bun:",notnull" gorm:"not null;index" xorm:"notnull index 'user_id'"`
	Kind          string `bun:"type:varchar(20),notnull" gorm:"size:20;not null" xorm:"varchar(20) notnull"`
	Secret        []byte `bun:",notnull" gorm:"not null" xorm:"notnull"`
}

type Session struct {
	bun.BaseModel `bun:"table:sessions" gorm:"-" xorm:"-"`
	ID            int64      `bun:",pk,autoincrement" gorm:"primaryKey" xorm:"pk autoincr 'id'"`
	UserID        int64      `bun:",notnull" gorm:"not null" xorm:"notnull 'user_id'"`
	Token         string     `bun:"type:varchar(64),notnull,unique" gorm:"size:64;not null;unique" xorm:"varchar(64) notnull unique"`
	ExpiresAt     *time.Time `gorm:"index"`
}

type Client struct {
	bun.BaseModel `bun:"table:clients" gorm:"-" xorm:"-"`
	ID            string `bun:"type:varchar(100),pk" gorm:"size:100;primaryKey" xorm:"varchar(100) pk 'id'"`
	Name          string `bun:"type:varchar(255),notnull" gorm:"size:255;not null" xorm:"varchar(255) notnull"`
	Secret        string `bun:"type:varchar(256),notnull" gorm:"size:256;not null" xorm:"varchar(256) notnull"`
	RedirectUris  string `bun:"type:text,notnull" gorm:"type:text;not null" xorm:"text notnull"`
}

type Grant struct {
	bun.BaseModel `bun:"table:grants" gorm:"-" xorm:"-"`
	ID            int64   `bun:",pk,autoincrement" gorm:"primaryKey" xorm:"pk autoincr 'id'"`
	ClientID      string  `bun:"type:varchar(100),notnull" gorm:"size:100;not null" xorm:"varchar(100) notnull 'client_id'"`
	UserID        int64   `bun:",notnull" gorm:"not null" xorm:"notnull 'user_id'"`
	Code          string  `bun:"type:varchar(190),notnull,unique" gorm:"size:190;not null;uniqueIndex" xorm:"varchar(190) notnull unique"`
	Payload       *string `bun:"type:text" gorm:"type:text" xorm:"text"`
}

type Device struct {
	bun.BaseModel `bun:"table:devices" gorm:"-" xorm:"-"`
	ID            int64   `bun:",pk,autoincrement" gorm:"primaryKey" xorm:"pk autoincr 'id'"`
	UserID        *int64  `xorm:"'user_id'"`
	Label         *string `bun:"type:varchar(100)" gorm:"size:100" xorm:"varchar(100)"`
	PushToken     *string `bun:"type:varchar(200),unique" gorm:"size:200;uniqueIndex:devices_push" xorm:"varchar(200) unique(devices_push)"`
}

type Invitation struct {
	bun.BaseModel `bun:"table:invitations" gorm:"-" xorm:"-"`
	ID            int64      `bun:",pk,autoincrement" gorm:"primaryKey" xorm:"pk autoincr 'id'"`
	TenantID      int64      `bun:",notnull,unique:invitations_once" gorm:"not null;uniqueIndex:invitations_once" xorm:"notnull unique(invitations_once) 'tenant_id'"`
	Email         string     `bun:"type:varchar(320),notnull,unique:invitations_once" gorm:"size:320;not null;uniqueIndex:invitations_once;index:invitations_by_email" xorm:"varchar(320) notnull unique(invitations_once) index"`
	AcceptedAt    *time.Time ``
}

type Payment struct {
	bun.BaseModel `bun:"table:payments" gorm:"-" xorm:"-"`
	ID            int64      `bun:",pk,autoincrement" gorm:"primaryKey" xorm:"pk autoincr 'id'"`
	UserID        int64      `bun:",notnull,unique:payments_iban" gorm:"not null;uniqueIndex:payments_iban" xorm:"notnull unique(payments_iban) 'user_id'"`
	Iban          string     `bun:"type:varchar(34),notnull,unique:payments_iban" gorm:"size:34;not null;uniqueIndex:payments_iban" xorm:"varchar(34) notnull unique(payments_iban)"`
	Amount        string     `bun:"type:decimal(12,2),notnull" gorm:"type:decimal(12,2);not null" xorm:"decimal(12,2) notnull"`
	PaidAt        *time.Time ``
}

type Note struct {
	bun.BaseModel `bun:"table:notes" gorm:"-" xorm:"-"`
	ID            int64  `bun:",pk,autoincrement" gorm:"primaryKey" xorm:"pk autoincr 'id'"`
	UserID        int64  `bun:",notnull" gorm:"not null" xorm:"notnull 'user_id'"`
	Title         string `bun:"type:varchar(200),notnull" gorm:"size:200;not null" xorm:"varchar(200) notnull"`
	Body          string `bun:"type:text,notnull" gorm:"type:text;not null" xorm:"text notnull"`
}

type AuditLog struct {
	bun.BaseModel `bun:"table:audit_log" gorm:"-" xorm:"-"`
	ID            int64  `bun:",pk,autoincrement" gorm:"primaryKey" xorm:"pk autoincr 'id'"`
	Actor         int64  ``
	Detail        string `bun:"type:text,notnull" gorm:"type:text;not null" xorm:"text notnull"`
}

type Contact struct {
	bun.BaseModel `bun:"table:contacts" gorm:"-" xorm:"-"`
	ID            int64  `bun:",pk,autoincrement" gorm:"primaryKey" xorm:"pk autoincr 'id'"`
	UserID        int64  `bun:",notnull" gorm:"not null" xorm:"notnull 'user_id'"`
	Channel       string `bun:"type:varchar(30),notnull" gorm:"size:30;not null" xorm:"varchar(30) notnull"`
	Value         string `bun:"type:varchar(200),notnull,default:''" gorm:"size:200;not null;default:''" xorm:"varchar(200) notnull default ''"`
}

func (Tenant) TableName() string     { return "tenants" }
func (User) TableName() string       { return "users" }
func (Credential) TableName() string { return "credentials" }
func (Session) TableName() string    { return "sessions" }
func (Client) TableName() string     { return "clients" }
func (Grant) TableName() string      { return "grants" }
func (Device) TableName() string     { return "devices" }
func (Invitation) TableName() string { return "invitations" }
func (Payment) TableName() string    { return "payments" }
func (Note) TableName() string       { return "notes" }
func (AuditLog) TableName() string   { return "audit_log" }
func (Contact) TableName() string    { return "contacts" }

// models returns a value of each type.
func models() []any {
	return []any{&Tenant{}, &User{}, &Credential{}, &Session{}, &Client{}, &Grant{}, &Device{}, &Invitation{}, &Payment{}, &Note{}, &AuditLog{}, &Contact{}}
}
