package applications

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// TestPaymentNode is a payment node with statements as sqlc generates them: invoices by
// optional filters, preimages that are set once, upserts and pages.
func TestPaymentNode(t *testing.T) {
	application{
		name: "payments", open: openPayments, mode: 1, operations: 47,
		secrets:    []string{"hash-of-invoice", "preimage-of", "coffee for ada", "addr-of-invoice", "lnbc-request", "amp-preimage", "intent-payload", "no route to ada"},
		parameters: map[string]string{"mysql": "multiStatements=true"},
	}.run(t)
}

// payments is the node's store.
type payments struct{ w *world }

func openPayments(w *world) (store, error)       { return &payments{w}, nil }
func (s *payments) close() error                 { return nil }
func (s *payments) up(ctx context.Context) error { return golangMigrate(s.w, "payments", true) }
func (s *payments) down(ctx context.Context) error {
	return golangMigrate(s.w, "payments", false)
}

var numbered = regexp.MustCompile(`\$[0-9]+`)

// bind writes a text with numbered parameters as the server wants it.
func (s *payments) bind(text string, args []any) (string, []any) {
	if s.w.postgres() {
		return text, args
	}
	var list []any
	text = numbered.ReplaceAllStringFunc(text, func(p string) string {
		n, _ := strconv.Atoi(p[1:]) // the expression matched digits
		list = append(list, args[n-1])
		return "?"
	})
	return text, list
}

// db is a *sql.DB or a *sql.Tx.
type db interface {
	querier
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

func (s *payments) exec(ctx context.Context, on db, text string, args ...any) (any, error) {
	text, args = s.bind(text, args)
	r, err := on.ExecContext(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	return r.RowsAffected()
}

func (s *payments) list(ctx context.Context, on db, text string, args ...any) (any, error) {
	text, args = s.bind(text, args)
	found, err := rows(ctx, on, text, args...)
	return found, err
}

// insert returns the id that the server makes.
func (s *payments) insert(ctx context.Context, on db, text string, args ...any) (any, error) {
	if s.w.postgres() {
		return s.list(ctx, on, text+" RETURNING id", args...)
	}
	text, args = s.bind(text, args)
	r, err := on.ExecContext(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	return r.LastInsertId()
}

// inTx runs a piece of work in a transaction.
func (s *payments) inTx(ctx context.Context, do func(tx *sql.Tx) (any, error)) (any, error) {
	tx, err := s.w.db.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	v, err := do(tx)
	if err != nil {
		return nil, errors.Join(err, tx.Rollback())
	}
	return v, tx.Commit()
}

// hash is 32 bytes and more, not all of them text.
func hash(kind string, n int) []byte {
	return append([]byte(kind+"-of-invoice-"+strconv.Itoa(n)), bytes.Repeat([]byte{0, 255}, 5)...)
}

const (
	insertInvoice = `INSERT INTO invoices (hash, preimage, memo, amount_msat, cltv_delta, expiry, payment_addr, payment_request, state, amount_paid_msat, is_amp, is_hodl, is_keysend, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`
	getInvoice = `-- name: GetInvoice :many
SELECT i.id, i.hash, i.preimage, i.memo, i.payment_addr, i.payment_request, i.state FROM invoices i
LEFT JOIN amp_sub_invoices a ON i.id = a.invoice_id AND (a.set_id = $1 OR $1 IS NULL)
WHERE (i.id = $2 OR $2 IS NULL) AND (i.hash = $3 OR $3 IS NULL) AND (i.payment_addr = $4 OR $4 IS NULL)
GROUP BY i.id
ORDER BY i.id
LIMIT 2`
	filterInvoices = `-- name: FilterInvoices :many
SELECT invoices.* FROM invoices
WHERE (id >= $1 OR $1 IS NULL) AND (settle_index >= $2 OR $2 IS NULL) AND (state = $3 OR $4 = false OR state = 0)
AND (created_at >= $5 OR $5 IS NULL) AND (CASE WHEN $4 = true THEN (state = 0 OR state = 3) ELSE true END)
ORDER BY CASE WHEN $6 = false THEN id ELSE NULL END ASC, CASE WHEN $6 = true THEN id ELSE NULL END DESC
LIMIT $7 OFFSET $8`
)

func (s *payments) invoice(ctx context.Context, on db, n int) (any, error) {
	var preimage, memo, request any = hash("preimage", n), "coffee for ada " + strconv.Itoa(n), "lnbc-request-" + strconv.Itoa(n)
	if n%3 == 0 {
		preimage, memo, request = nil, "", nil
	}
	return s.insert(ctx, on, insertInvoice, hash("hash", n), preimage, memo, int64(n)*1000, 40, 3600, hash("addr", n), request, 0, 0, false, n%2 == 0, false, oidcNow.Add(time.Duration(n)*time.Minute))
}

func (s *payments) operations() []operation {
	return append(append(s.invoices(), s.settling()...), s.outgoing()...)
}

func (s *payments) invoices() []operation {
	find := func(args ...any) func(ctx context.Context) (any, error) {
		return func(ctx context.Context) (any, error) { return s.list(ctx, s.w.db, getInvoice, args...) }
	}
	filter := func(args ...any) func(ctx context.Context) (any, error) {
		return func(ctx context.Context) (any, error) { return s.list(ctx, s.w.db, filterInvoices, args...) }
	}
	return []operation{
		{"adds an invoice", func(ctx context.Context) (any, error) { return s.invoice(ctx, s.w.db, 1) }},
		{"adds invoices in one transaction", func(ctx context.Context) (any, error) {
			return s.inTx(ctx, func(tx *sql.Tx) (any, error) {
				for n := 2; n <= 7; n++ {
					if _, err := s.invoice(ctx, tx, n); err != nil {
						return nil, err
					}
				}
				return nil, nil
			})
		}},
		{"adds an invoice whose address is taken", func(ctx context.Context) (any, error) { return s.invoice(ctx, s.w.db, 1) }},
		{"adds an invoice whose request is taken, with features, and rolls back", func(ctx context.Context) (any, error) {
			return s.inTx(ctx, func(tx *sql.Tx) (any, error) {
				if _, err := s.exec(ctx, tx, "INSERT INTO invoice_features (feature, invoice_id) VALUES ($1, $2)", 99, 1); err != nil {
					return nil, err
				}
				return s.insert(ctx, tx, insertInvoice, hash("hash", 1), nil, "", 1, 40, 3600, hash("addr", 77), "lnbc-request-1", 0, 0, false, false, false, oidcNow)
			})
		}},
		{"adds features in one statement", func(ctx context.Context) (any, error) {
			return s.exec(ctx, s.w.db, "INSERT INTO invoice_features (feature, invoice_id) VALUES ($1, $3), ($2, $3)", 9, 14, 1)
		}},
		{"finds an invoice by its hash", find(nil, nil, hash("hash", 2), nil)},
		{"finds an invoice by its address", find(nil, nil, nil, hash("addr", 3))},
		{"finds an invoice by hash and address", find(nil, nil, hash("hash", 2), hash("addr", 2))},
		{"finds no invoice of a hash and another's address", find(nil, nil, hash("hash", 2), hash("addr", 3))},
		{"finds an invoice by id", find(nil, 4, nil, nil)},
		{"finds invoices by nothing", find(nil, nil, nil, nil)},
		{"finds an invoice by its request", func(ctx context.Context) (any, error) {
			return s.list(ctx, s.w.db, "SELECT * FROM invoices WHERE payment_request = $1", "lnbc-request-2")
		}},
		{"finds an invoice by its hash, for an update", func(ctx context.Context) (any, error) {
			return s.inTx(ctx, func(tx *sql.Tx) (any, error) {
				return s.list(ctx, tx, "SELECT i.id, i.preimage FROM invoices i WHERE i.hash = $1 FOR UPDATE", hash("hash", 5))
			})
		}},
		{"pages forward", filter(2, nil, 0, false, nil, false, 3, 1)},
		{"pages backward", filter(nil, nil, 0, false, oidcNow, true, 3, 0)},
		{"filters what is pending", filter(nil, nil, 0, true, nil, false, 100, 0)},
		{"filters what is settled", filter(nil, 1, 1, false, nil, false, 100, 0)},
		{"counts invoices without a memo", func(ctx context.Context) (any, error) {
			return s.list(ctx, s.w.db, "SELECT COUNT(*) FROM invoices WHERE memo = '' OR memo IS NULL")
		}},
		{"counts invoices without a preimage", func(ctx context.Context) (any, error) {
			return s.list(ctx, s.w.db, "SELECT COUNT(*), COUNT(preimage), MAX(id) FROM invoices WHERE preimage IS NULL")
		}},
		{"shows how long memos are", func(ctx context.Context) (any, error) {
			return s.list(ctx, s.w.db, "SELECT id, length(memo) AS size FROM invoices ORDER BY id")
		}},
	}
}

func (s *payments) settling() []operation {
	settle := `UPDATE invoices SET state = $2, preimage = COALESCE(preimage, $3), settle_index = COALESCE(settle_index, $4), settled_at = COALESCE(settled_at, $5) WHERE id = $1`
	amp := `INSERT INTO amp_sub_invoices (set_id, state, created_at, invoice_id, preimage) VALUES ($1, $2, $3, $4, $5) `
	if s.w.postgres() {
		amp += "ON CONFLICT (set_id, invoice_id) DO UPDATE SET state = EXCLUDED.state, preimage = COALESCE(amp_sub_invoices.preimage, EXCLUDED.preimage)"
	} else {
		amp += "ON DUPLICATE KEY UPDATE state = VALUES(state), preimage = COALESCE(preimage, VALUES(preimage))"
	}
	return []operation{
		{"settles an invoice whose preimage is there", func(ctx context.Context) (any, error) {
			return s.exec(ctx, s.w.db, settle, 1, 1, hash("preimage", 99), 1, oidcNow)
		}},
		{"settles an invoice whose preimage is not", func(ctx context.Context) (any, error) {
			return s.exec(ctx, s.w.db, settle, 3, 1, hash("preimage", 3), 2, oidcNow)
		}},
		{"settles an invoice once more", func(ctx context.Context) (any, error) {
			return s.exec(ctx, s.w.db, settle, 3, 1, hash("preimage", 98), 3, oidcNow.Add(time.Hour))
		}},
		{"cancels an invoice without a preimage", func(ctx context.Context) (any, error) {
			return s.exec(ctx, s.w.db, settle, 6, 2, nil, nil, nil)
		}},
		{"takes the next settle index", func(ctx context.Context) (any, error) {
			return s.inTx(ctx, func(tx *sql.Tx) (any, error) {
				if v, err := s.exec(ctx, tx, "UPDATE invoice_sequences SET current_value = current_value + 1 WHERE name = $1", "settle_index"); err != nil {
					return v, err
				}
				return s.list(ctx, tx, "SELECT current_value FROM invoice_sequences WHERE name = $1 FOR UPDATE", "settle_index")
			})
		}},
		{"settles by the hash", func(ctx context.Context) (any, error) {
			return s.exec(ctx, s.w.db, "UPDATE invoices SET state = 1, amount_paid_msat = amount_msat, memo = $2 WHERE hash = $1 AND state <> 1", hash("hash", 4), "coffee for ada, paid")
		}},
		{"updates what an invoice has been paid", func(ctx context.Context) (any, error) {
			return s.exec(ctx, s.w.db, "UPDATE invoices SET amount_paid_msat = $2 WHERE payment_addr = $1", hash("addr", 5), 5000)
		}},
		{"adds parts of an invoice", func(ctx context.Context) (any, error) {
			return s.exec(ctx, s.w.db, "INSERT INTO invoice_htlcs (chan_id, htlc_id, amount_msat, state, invoice_id) SELECT $1, $2, $3, 0, i.id FROM invoices i WHERE i.hash = $4", "chan-1", 1, 500, hash("hash", 5))
		}},
		{"lists parts with their invoices", func(ctx context.Context) (any, error) {
			return s.list(ctx, s.w.db, "SELECT h.chan_id, h.htlc_id, i.hash, i.memo FROM invoice_htlcs h JOIN invoices i ON i.id = h.invoice_id WHERE i.hash = $1", hash("hash", 5))
		}},
		{"adds a set", func(ctx context.Context) (any, error) {
			return s.exec(ctx, s.w.db, amp, []byte("set-1"), 0, oidcNow, 2, nil)
		}},
		{"gives a set its preimage", func(ctx context.Context) (any, error) {
			return s.exec(ctx, s.w.db, amp, []byte("set-1"), 1, oidcNow, 2, []byte("amp-preimage 1"))
		}},
		{"gives a set another preimage", func(ctx context.Context) (any, error) {
			return s.exec(ctx, s.w.db, amp, []byte("set-1"), 2, oidcNow, 2, []byte("amp-preimage 2"))
		}},
		{"finds an invoice by its set", func(ctx context.Context) (any, error) {
			return s.list(ctx, s.w.db, getInvoice, []byte("set-1"), 2, nil, nil)
		}},
		{"lists sets with their invoices", func(ctx context.Context) (any, error) {
			return s.list(ctx, s.w.db, "SELECT a.set_id, a.preimage, i.preimage, i.hash FROM amp_sub_invoices a INNER JOIN invoices i ON a.invoice_id = i.id WHERE (a.settle_index >= $1 OR $1 IS NULL) ORDER BY a.set_id", nil)
		}},
	}
}

func (s *payments) outgoing() []operation {
	pay := "INSERT INTO invoice_payments (payment_hash, intent_payload, amount_msat, created_at) VALUES ($1, $2, $3, $4)"
	upsert := pay
	if s.w.postgres() {
		upsert += " ON CONFLICT (payment_hash) DO UPDATE SET intent_payload = EXCLUDED.intent_payload, amount_msat = EXCLUDED.amount_msat"
	} else {
		upsert += " ON DUPLICATE KEY UPDATE intent_payload = VALUES(intent_payload), amount_msat = VALUES(amount_msat)"
	}
	return []operation{
		{"begins payments", func(ctx context.Context) (any, error) {
			for _, n := range []int{1, 2, 50} {
				if v, err := s.insert(ctx, s.w.db, pay, hash("hash", n), []byte("intent-payload "+strconv.Itoa(n)), n, oidcNow); err != nil {
					return v, err
				}
			}
			return nil, nil
		}},
		{"begins a payment twice", func(ctx context.Context) (any, error) {
			return s.insert(ctx, s.w.db, pay, hash("hash", 1), nil, 1, oidcNow)
		}},
		{"begins a payment again", func(ctx context.Context) (any, error) {
			return s.exec(ctx, s.w.db, upsert, hash("hash", 1), []byte("intent-payload again"), 11, oidcNow)
		}},
		{"fails a payment", func(ctx context.Context) (any, error) {
			return s.exec(ctx, s.w.db, "UPDATE invoice_payments SET failure = $2, intent_payload = NULL WHERE payment_hash = $1", hash("hash", 50), "no route to ada")
		}},
		{"lists payments", func(ctx context.Context) (any, error) {
			return s.list(ctx, s.w.db, "SELECT * FROM invoice_payments WHERE id > $1 ORDER BY id LIMIT $2", 0, 10)
		}},
		{"lists payments to own invoices", func(ctx context.Context) (any, error) {
			return s.list(ctx, s.w.db, "WITH own AS (SELECT i.id, i.hash, i.memo FROM invoices i WHERE i.state = 1) SELECT p.id AS payment, p.amount_msat, own.id, own.memo FROM invoice_payments p JOIN own ON own.hash = p.payment_hash ORDER BY 1")
		}},
		{"lists payments to nobody's invoices", func(ctx context.Context) (any, error) {
			return s.list(ctx, s.w.db, "SELECT p.id, p.failure FROM invoice_payments p LEFT JOIN invoices i ON i.hash = p.payment_hash WHERE i.id IS NULL ORDER BY p.id")
		}},
		{"sums what settled invoices of a day are worth", func(ctx context.Context) (any, error) {
			return s.list(ctx, s.w.db, "SELECT state, COUNT(*) AS n, MIN(created_at) AS since FROM invoices WHERE created_at BETWEEN $1 AND $2 AND hash <> $3 GROUP BY state HAVING COUNT(*) > 0 ORDER BY state", oidcNow, oidcNow.AddDate(0, 0, 1), hash("hash", 2))
		}},
		{"numbers invoices by state", func(ctx context.Context) (any, error) {
			return s.list(ctx, s.w.db, "SELECT id, memo, ROW_NUMBER() OVER (PARTITION BY state ORDER BY id) AS n FROM invoices ORDER BY id")
		}},
		{"finds invoices by several hashes", func(ctx context.Context) (any, error) {
			return s.list(ctx, s.w.db, "SELECT id, hash FROM invoices WHERE hash IN ($1, $2, $3) ORDER BY id", hash("hash", 1), hash("hash", 7), hash("hash", 70))
		}},
		{"deletes a payment by its hash", func(ctx context.Context) (any, error) {
			return s.exec(ctx, s.w.db, "DELETE FROM invoice_payments WHERE payment_hash = $1 AND (amount_msat = $2 OR $2 IS NULL)", hash("hash", 2), nil)
		}},
		{"deletes cancelled invoices", func(ctx context.Context) (any, error) {
			return s.exec(ctx, s.w.db, "DELETE FROM invoices WHERE (id = $1 OR $1 IS NULL) AND (hash = $2 OR $2 IS NULL) AND state = 2", nil, hash("hash", 6))
		}},
		{"deletes an invoice that has parts", func(ctx context.Context) (any, error) {
			return s.exec(ctx, s.w.db, "DELETE FROM invoices WHERE hash = $1", hash("hash", 5))
		}},
	}
}
