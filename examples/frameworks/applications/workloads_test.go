package applications

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/jinzhu/gorm"
	_ "github.com/jinzhu/gorm/dialects/mysql"
	_ "github.com/jinzhu/gorm/dialects/postgres"
)

func init() { gorm.NowFunc = func() time.Time { return oidcNow } }

// TestWorkloadIdentityServer is a workload-identity server on the first version of gorm and
// its AutoMigrate: registered entries with selectors, join tokens, and a journal of keys.
func TestWorkloadIdentityServer(t *testing.T) {
	application{
		name: "workloads", open: openWorkloads, operations: 48,
		secrets: []string{"uid-of-selector", "pod-of-selector", "db.internal.example", "join-token", "serial-of-node", "journal-of-keys", "hint-for-ada"},
	}.run(t)
}

// workloads is the server's store.
type workloads struct {
	w  *world
	db *gorm.DB
}

func openWorkloads(w *world) (store, error) {
	db, err := gorm.Open(w.dialect(), w.db)
	if err != nil {
		return nil, err
	}
	db.LogMode(false)
	return &workloads{w, db}, nil
}

func (s *workloads) close() error { return nil }

func workloadModels() []any {
	return []any{&Bundle{}, &RegisteredEntry{}, &Selector{}, &DNSName{}, &JoinToken{}, &AttestedNode{}, &CAJournal{}, &EntryEvent{}}
}

func (s *workloads) up(context.Context) error { return s.db.AutoMigrate(workloadModels()...).Error }

func (s *workloads) down(context.Context) error {
	return s.db.DropTableIfExists(workloadModels()...).Error
}

// Stamps are the columns that each table has.
type Stamps struct {
	ID        uint `gorm:"primary_key"`
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Bundle holds public keys.
type Bundle struct {
	Stamps
	TrustDomain string `gorm:"not null;unique_index"`
	Data        []byte `gorm:"size:16777215"`
}

// RegisteredEntry names a workload.
type RegisteredEntry struct {
	Stamps
	EntryID        string `gorm:"unique_index"`
	SpiffeID       string `gorm:"index"`
	ParentID       string `gorm:"index"`
	TTL            int32
	Selectors      []Selector
	DNSList        []DNSName
	Admin          bool
	Downstream     bool
	Expiry         int64 `gorm:"index"`
	RevisionNumber int64
	Hint           string
}

// Selector is a property by which a workload is known.
type Selector struct {
	Stamps
	RegisteredEntryID uint   `gorm:"unique_index:idx_selector_entry"`
	Type              string `gorm:"unique_index:idx_selector_entry;index:idx_selectors_type_value"`
	Value             string `gorm:"unique_index:idx_selector_entry;index:idx_selectors_type_value"`
}

// DNSName is a name of a workload.
type DNSName struct {
	Stamps
	RegisteredEntryID uint   `gorm:"unique_index:idx_dns_entry"`
	Value             string `gorm:"unique_index:idx_dns_entry"`
}

// TableName names the table.
func (DNSName) TableName() string { return "dns_names" }

// JoinToken admits a node once.
type JoinToken struct {
	Stamps
	Token  string `gorm:"unique_index"`
	Expiry int64
}

// AttestedNode is a node that has been admitted.
type AttestedNode struct {
	Stamps
	SpiffeID        string `gorm:"unique_index"`
	DataType        string
	SerialNumber    string
	NewSerialNumber string
	ExpiresAt       time.Time `gorm:"index"`
	CanReattest     bool
}

// CAJournal holds prepared keys.
type CAJournal struct {
	Stamps
	Data                  []byte `gorm:"size:16777215"`
	ActiveX509AuthorityID string `gorm:"column:active_x509_authority_id;index:idx_ca_journals_active"`
}

// TableName names the table.
func (CAJournal) TableName() string { return "ca_journals" }

// EntryEvent tells other servers of a change.
type EntryEvent struct {
	Stamps
	EntryID string
}

// TableName names the table.
func (EntryEvent) TableName() string { return "registered_entries_events" }

func workload(id string, selectors ...string) *RegisteredEntry {
	e := &RegisteredEntry{EntryID: "entry-" + id, SpiffeID: "spiffe://example/" + id, ParentID: "spiffe://example/node", TTL: 300, Hint: "hint-for-ada-" + id}
	for _, v := range selectors {
		e.Selectors = append(e.Selectors, Selector{Type: "unix", Value: v})
	}
	return e
}

// query reads rows of a text of the application's own.
func (s *workloads) query(_ context.Context, on *gorm.DB, text string, args ...any) (any, error) {
	r, err := on.Raw(text, args...).Rows()
	if err != nil {
		return nil, err
	}
	return cells(r)
}

// wrote is what gorm says of a write.
func wrote(r *gorm.DB) (any, error) { return r.RowsAffected, r.Error }

// inTx runs a piece of work in a transaction.
func (s *workloads) inTx(ctx context.Context, do func(tx *gorm.DB) (any, error)) (any, error) {
	tx := s.db.BeginTx(ctx, &sql.TxOptions{})
	if tx.Error != nil {
		return nil, tx.Error
	}
	v, err := do(tx)
	if err != nil {
		tx.Rollback()
		return v, err
	}
	return v, tx.Commit().Error
}

func (s *workloads) operations() []operation {
	return append(append(s.entries(), s.listing()...), s.nodes()...)
}

func (s *workloads) entries() []operation {
	return []operation{
		{"stores a bundle", func(context.Context) (any, error) {
			return wrote(s.db.Create(&Bundle{TrustDomain: "spiffe://example", Data: []byte("public keys")}))
		}},
		{"registers an entry with its selectors", func(ctx context.Context) (any, error) {
			return s.inTx(ctx, func(tx *gorm.DB) (any, error) {
				return wrote(tx.Create(workload("web", "uid-of-selector:1000", "pod-of-selector:web")))
			})
		}},
		{"registers further entries", func(ctx context.Context) (any, error) {
			return s.inTx(ctx, func(tx *gorm.DB) (any, error) {
				for _, e := range []*RegisteredEntry{workload("db", "uid-of-selector:1000"), workload("job", "uid-of-selector:1001", "pod-of-selector:job"), workload("plain")} {
					e.DNSList = []DNSName{{Value: e.EntryID + ".db.internal.example"}}
					if err := tx.Create(e).Error; err != nil {
						return nil, err
					}
				}
				return nil, nil
			})
		}},
		{"registers an entry twice, and rolls back", func(ctx context.Context) (any, error) {
			return s.inTx(ctx, func(tx *gorm.DB) (any, error) {
				if v, err := wrote(tx.Create(&EntryEvent{EntryID: "rolled back"})); err != nil {
					return v, err
				}
				return wrote(tx.Create(workload("web")))
			})
		}},
		{"gives an entry a selector twice", func(context.Context) (any, error) {
			return wrote(s.db.Create(&Selector{RegisteredEntryID: 1, Type: "unix", Value: "uid-of-selector:1000"}))
		}},
		{"gives an entry a DNS name twice", func(context.Context) (any, error) {
			return wrote(s.db.Create(&DNSName{RegisteredEntryID: 2, Value: "entry-db.db.internal.example"}))
		}},
		{"fetches an entry", func(context.Context) (any, error) {
			var e RegisteredEntry
			err := s.db.Find(&e, "entry_id = ?", "entry-web").Error
			return e, err
		}},
		{"fetches an entry with what belongs to it", func(context.Context) (any, error) {
			var e RegisteredEntry
			err := s.db.Preload("Selectors", func(q *gorm.DB) *gorm.DB { return q.Order("selectors.id") }).Preload("DNSList").First(&e, "entry_id = ?", "entry-job").Error
			return e, err
		}},
		{"fetches no entry", func(context.Context) (any, error) {
			var e RegisteredEntry
			r := s.db.Find(&e, "entry_id = ?", "nobody")
			return r.RecordNotFound(), r.Error
		}},
		{"updates an entry", func(ctx context.Context) (any, error) {
			return s.inTx(ctx, func(tx *gorm.DB) (any, error) {
				var e RegisteredEntry
				if err := tx.Find(&e, "entry_id = ?", "entry-web").Error; err != nil {
					return nil, err
				}
				if err := tx.Exec("DELETE FROM selectors WHERE registered_entry_id = ?", e.ID).Error; err != nil {
					return nil, err
				}
				e.Selectors = []Selector{{Type: "unix", Value: "uid-of-selector:2000"}, {Type: "k8s", Value: "pod-of-selector:web"}}
				e.Hint, e.RevisionNumber = "hint-for-ada renewed", e.RevisionNumber+1
				return wrote(tx.Save(&e))
			})
		}},
		{"updates some columns of an entry", func(context.Context) (any, error) {
			return wrote(s.db.Model(&RegisteredEntry{}).Where("entry_id = ?", "entry-plain").Updates(map[string]any{"hint": "", "ttl": 60}))
		}},
		{"updates the hint of entries of a parent", func(context.Context) (any, error) {
			return wrote(s.db.Model(&RegisteredEntry{}).Where("parent_id = ? AND ttl = ?", "spiffe://example/node", 300).Update("hint", "hint-for-ada, all"))
		}},
		{"counts entries", func(context.Context) (n any, err error) {
			var count int
			err = s.db.Model(&RegisteredEntry{}).Count(&count).Error
			return count, err
		}},
		{"counts entries with a hint", func(context.Context) (any, error) {
			var count int
			err := s.db.Model(&RegisteredEntry{}).Where("hint <> ''").Count(&count).Error
			return count, err
		}},
		{"creates or finds an entry", func(context.Context) (any, error) {
			e := DNSName{}
			err := s.db.Where(DNSName{RegisteredEntryID: 4, Value: "again.db.internal.example"}).FirstOrCreate(&e).Error
			if err != nil {
				return nil, err
			}
			again := DNSName{}
			err = s.db.Where(DNSName{RegisteredEntryID: 4, Value: "again.db.internal.example"}).FirstOrCreate(&again).Error
			return e.ID == again.ID, err
		}},
		{"prunes entries", func(context.Context) (any, error) {
			return wrote(s.db.Where("expiry != 0 AND expiry < ?", 1000).Delete(&RegisteredEntry{}))
		}},
		{"prunes events", func(context.Context) (any, error) {
			return wrote(s.db.Where("created_at < ?", oidcNow).Delete(&EntryEvent{}))
		}},
	}
}

// everything lists entries with their selectors and names as one set of rows.
const everything = `
SELECT id AS e_id, entry_id, spiffe_id, hint, NULL AS selector_id, NULL AS selector_type, NULL AS selector_value, NULL AS dns_name_id, NULL AS dns_name
FROM registered_entries WHERE id IN (SELECT id FROM listing)
UNION
SELECT registered_entry_id, NULL, NULL, NULL, NULL, NULL, NULL, id, value FROM dns_names WHERE registered_entry_id IN (SELECT id FROM listing)
UNION
SELECT registered_entry_id, NULL, NULL, NULL, id, type, value, NULL, NULL FROM selectors WHERE registered_entry_id IN (SELECT id FROM listing)
ORDER BY e_id, selector_id, dns_name_id`

// typedEverything is the same for Postgres, which wants types of NULLs.
const typedEverything = `
SELECT id AS e_id, entry_id, spiffe_id, hint, NULL::integer AS selector_id, NULL AS selector_type, NULL AS selector_value, NULL::integer AS dns_name_id, NULL AS dns_name
FROM registered_entries WHERE id IN (SELECT id FROM listing)
UNION
SELECT registered_entry_id, NULL, NULL, NULL, NULL::integer, NULL, NULL, id, value FROM dns_names WHERE registered_entry_id IN (SELECT id FROM listing)
UNION
SELECT registered_entry_id, NULL, NULL, NULL, id, type, value, NULL::integer, NULL FROM selectors WHERE registered_entry_id IN (SELECT id FROM listing)
ORDER BY e_id, selector_id NULLS FIRST, dns_name_id NULLS FIRST`

func (s *workloads) listing() []operation {
	list := func(listing string, args ...any) func(ctx context.Context) (any, error) {
		return func(ctx context.Context) (any, error) {
			text := everything
			if s.w.postgres() {
				text = typedEverything
			}
			return s.query(ctx, s.db, "WITH listing AS ("+listing+")"+text, args...)
		}
	}
	ask := func(text string, args ...any) func(ctx context.Context) (any, error) {
		return func(ctx context.Context) (any, error) { return s.query(ctx, s.db, text, args...) }
	}
	return []operation{
		{"lists an entry", list("SELECT id FROM registered_entries WHERE entry_id = ?", "entry-job")},
		{"lists all entries", list("SELECT id FROM registered_entries")},
		{"lists a page of entries", list("SELECT id FROM (SELECT id FROM registered_entries WHERE id > ? ORDER BY id ASC LIMIT 2) AS page", 1)},
		{"lists entries of a parent", list("SELECT id FROM registered_entries WHERE parent_id = ?", "spiffe://example/node")},
		{"lists entries by one of several selectors", list("SELECT DISTINCT registered_entry_id AS id FROM (SELECT registered_entry_id FROM selectors WHERE type = ? AND value = ? UNION SELECT registered_entry_id FROM selectors WHERE type = ? AND value = ?) AS s_any", "unix", "uid-of-selector:1000", "k8s", "pod-of-selector:web")},
		{"lists entries by all of several selectors", list("SELECT c_0.registered_entry_id AS id FROM (SELECT registered_entry_id FROM selectors WHERE type = ? AND value = ?) c_0 INNER JOIN (SELECT registered_entry_id FROM selectors WHERE type = ? AND value = ?) c_1 USING (registered_entry_id)", "unix", "uid-of-selector:1001", "unix", "pod-of-selector:job")},
		{"lists entries by exactly these selectors", list("SELECT registered_entry_id AS id FROM selectors GROUP BY registered_entry_id HAVING COUNT(*) = 1 AND SUM(CASE WHEN type = ? AND value = ? THEN 1 ELSE 0 END) = 1", "unix", "uid-of-selector:1000")},
		{"lists entries by a DNS name", list("SELECT registered_entry_id AS id FROM dns_names WHERE value = ?", "entry-db.db.internal.example")},
		{"lists entries without selectors", list("SELECT e.id FROM registered_entries e LEFT JOIN selectors s ON s.registered_entry_id = e.id WHERE s.id IS NULL")},
		{"lists selectors that several entries share", ask("SELECT a.registered_entry_id AS one, b.registered_entry_id AS other, a.value FROM selectors a JOIN selectors b ON a.type = b.type AND a.value = b.value AND a.id < b.id ORDER BY 1, 2")},
		{"counts selectors by type", ask("SELECT type, COUNT(*) AS n, COUNT(DISTINCT value) AS different FROM selectors GROUP BY type ORDER BY type")},
		{"joins entries and selectors", ask("SELECT e.entry_id, e.hint, s.type, s.value FROM registered_entries e INNER JOIN selectors s ON s.registered_entry_id = e.id WHERE s.value IN (?) ORDER BY s.id", []string{"uid-of-selector:2000", "pod-of-selector:job"})},
		{"finds the last entry of each parent", ask("SELECT e.entry_id, e.hint FROM registered_entries e WHERE e.id = (SELECT MAX(o.id) FROM registered_entries o WHERE o.parent_id = e.parent_id)")},
	}
}

func (s *workloads) nodes() []operation {
	node := func(id string) *AttestedNode {
		return &AttestedNode{SpiffeID: "spiffe://example/agent/" + id, DataType: "join_token", SerialNumber: "serial-of-node-" + id, ExpiresAt: oidcNow.Add(time.Hour)}
	}
	return []operation{
		{"creates join tokens", func(context.Context) (any, error) {
			for _, t := range []string{"join-token-1", "join-token-2", "join-token-3"} {
				if err := s.db.Create(&JoinToken{Token: t, Expiry: 1000 + int64(len(t))}).Error; err != nil {
					return nil, err
				}
			}
			return nil, nil
		}},
		{"creates a join token twice", func(context.Context) (any, error) {
			return wrote(s.db.Create(&JoinToken{Token: "join-token-1"}))
		}},
		{"fetches a join token", func(context.Context) (any, error) {
			var t JoinToken
			err := s.db.Find(&t, "token = ?", "join-token-2").Error
			return t, err
		}},
		{"fetches a join token that was used", func(context.Context) (any, error) {
			var t JoinToken
			r := s.db.Find(&t, "token = ?", "join-token-9")
			return r.RecordNotFound(), r.Error
		}},
		{"uses a join token once", func(ctx context.Context) (any, error) {
			return s.inTx(ctx, func(tx *gorm.DB) (any, error) {
				var t JoinToken
				if err := tx.Set("gorm:query_option", "FOR UPDATE SKIP LOCKED").Find(&t, "token = ?", "join-token-2").Error; err != nil {
					return nil, err
				}
				return wrote(tx.Delete(&t))
			})
		}},
		{"deletes a join token by its value", func(context.Context) (any, error) {
			return wrote(s.db.Where("token = ?", "join-token-3").Delete(&JoinToken{}))
		}},
		{"prunes join tokens", func(context.Context) (any, error) {
			return wrote(s.db.Where("expiry < ?", 1000).Delete(&JoinToken{}))
		}},
		{"admits nodes", func(context.Context) (any, error) {
			for _, id := range []string{"a", "b", "c"} {
				if err := s.db.Create(node(id)).Error; err != nil {
					return nil, err
				}
			}
			return nil, nil
		}},
		{"admits a node twice", func(context.Context) (any, error) { return wrote(s.db.Create(node("a"))) }},
		{"renews a node's serial number", func(context.Context) (any, error) {
			return wrote(s.db.Model(&AttestedNode{}).Where("spiffe_id = ?", "spiffe://example/agent/a").Updates(map[string]any{"new_serial_number": "serial-of-node-a2", "can_reattest": true}))
		}},
		{"promotes a node's serial number", func(ctx context.Context) (any, error) {
			return s.inTx(ctx, func(tx *gorm.DB) (any, error) {
				var n AttestedNode
				if err := tx.Set("gorm:query_option", "FOR UPDATE").First(&n, "new_serial_number = ?", "serial-of-node-a2").Error; err != nil {
					return nil, err
				}
				n.SerialNumber, n.NewSerialNumber = n.NewSerialNumber, ""
				return wrote(tx.Save(&n))
			})
		}},
		{"finds a node by either serial number", func(context.Context) (any, error) {
			var ns []AttestedNode
			err := s.db.Where("serial_number = ? OR new_serial_number = ?", "serial-of-node-a2", "serial-of-node-a2").Order("id").Find(&ns).Error
			return ns, err
		}},
		{"lists nodes that are banned", func(context.Context) (any, error) {
			var ns []AttestedNode
			err := s.db.Where("serial_number = ?", "").Find(&ns).Error
			return ns, err
		}},
		{"bans a node", func(context.Context) (any, error) {
			return wrote(s.db.Model(&AttestedNode{}).Where("serial_number = ?", "serial-of-node-b").Updates(map[string]any{"serial_number": "", "new_serial_number": ""}))
		}},
		{"lists nodes that are not banned, a page at a time", func(context.Context) (any, error) {
			var ns []AttestedNode
			err := s.db.Where("serial_number != '' AND id > ?", 0).Order("id asc").Limit(1).Offset(1).Find(&ns).Error
			return ns, err
		}},
		{"keeps a journal", func(context.Context) (any, error) {
			j := CAJournal{Data: []byte("journal-of-keys 1"), ActiveX509AuthorityID: "authority-1"}
			if err := s.db.Create(&j).Error; err != nil {
				return nil, err
			}
			j.Data = append([]byte("journal-of-keys 2"), 0, 1, 2, 255)
			return wrote(s.db.Save(&j))
		}},
		{"fetches a journal", func(context.Context) (any, error) {
			var j CAJournal
			err := s.db.Find(&j, "active_x509_authority_id = ?", "authority-1").Error
			return j, err
		}},
		{"takes events that no other server has locked", func(ctx context.Context) (any, error) {
			return s.inTx(ctx, func(tx *gorm.DB) (any, error) {
				if err := tx.Create(&EntryEvent{EntryID: "entry-web"}).Error; err != nil {
					return nil, err
				}
				return s.query(ctx, tx, "SELECT v.entry_id, e.hint FROM registered_entries_events v JOIN registered_entries e ON e.entry_id = v.entry_id ORDER BY v.id LIMIT 10 FOR UPDATE SKIP LOCKED")
			})
		}},
	}
}
