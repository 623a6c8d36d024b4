package local

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/sealsql/sealsql/examples/webapp/internal/visitor"
	"github.com/sealsql/sealsql/examples/webapp/internal/web"
	"github.com/sealsql/sealsql/sealtest"
)

var _ web.Drills = (*World)(nil)

// faults are what can be wrong with KMS in a Region, by drill.
var faults = map[string]struct {
	fault      sealtest.Fault
	state, did string
}{
	"down":     {sealtest.Fault{Reset: true}, "down", "KMS in %s was taken down: connections are reset."},
	"hang":     {sealtest.Fault{Hang: true}, "hanging", "KMS in %s hangs: calls are taken and not answered."},
	"throttle": {sealtest.Fault{Latency: kmsLatency, CallsPerSecond: 2}, "throttled", "KMS in %s throttles to 2 calls a second."},
	"heal":     {sealtest.Fault{Latency: kmsLatency}, "healthy", "KMS in %s is healthy."},
}

// Board implements [web.Drills].
func (w *World) Board(ctx context.Context) web.DrillBoard {
	w.mu.Lock()
	defer w.mu.Unlock()
	b := web.DrillBoard{Writer: w.writer}
	for _, r := range Regions {
		state := w.faults[r]
		if state == "" {
			state = "healthy"
		}
		b.Regions = append(b.Regions, web.DrillRegion{Name: r, State: state, KeyDisabled: w.off[r]})
	}
	if w.swapped[0] != "" {
		b.Swapped = w.swapped[0] + " and " + w.swapped[1]
	}
	if reader := other(w.writer); w.db[reader] != nil {
		b.Replica = reader
	}
	for _, c := range Customers {
		b.Accounts = append(b.Accounts, c.Number)
	}
	stored, err := w.sites[w.writer].Store.Stored(ctx, 20)
	if err != nil {
		return b // the invented ones will do
	}
	for _, a := range stored {
		if !slices.Contains(b.Accounts, a.Number) {
			b.Accounts = append(b.Accounts, a.Number)
		}
	}
	return b
}

// Alarms implements [web.Drills].
func (w *World) Alarms(region string) []web.Alarm { return w.alarms.of(region) }

// Run implements [web.Drills].
func (w *World) Run(ctx context.Context, id string, with url.Values) (*web.Report, error) {
	customer := Customers[0]
	if id == "swap" { // the PIN is asked for before it is moved
		a := with.Get("a")
		pin, err := w.sites[w.Writer()].Store.PIN(ctx, a)
		if err != nil {
			return nil, fmt.Errorf("account %s does not open", a)
		}
		customer = Customer{Number: a, PIN: pin}
	}
	before := map[string]uint64{}
	for _, region := range Regions {
		if all := w.sites[region].Feed.Since(0); len(all) > 0 {
			before[region] = all[len(all)-1].ID
		}
	}
	did, err := w.Do(ctx, id, with)
	if err != nil {
		return nil, err
	}
	report := w.visits(ctx, did, customer)
	select { // alerts go their own way, which takes some milliseconds
	case <-time.After(100 * time.Millisecond):
	case <-ctx.Done():
	}
	for _, region := range Regions {
		report.Alerts = append(report.Alerts, seen(region, w.sites[region].Feed.Since(before[region]))...)
	}
	return report, nil
}

// seen adds up a Region's alerts by kind.
func seen(region string, alerts []web.Alert) []web.Seen {
	var all []web.Seen
	for _, a := range alerts {
		i := slices.IndexFunc(all, func(s web.Seen) bool { return s.Kind == a.Kind })
		if i < 0 {
			i, all = len(all), append(all, web.Seen{Region: region, Kind: a.Kind, Urgent: a.Urgent})
		}
		all[i].Count += a.Count
	}
	return all
}

// Do carries a drill out and tells what was done.
func (w *World) Do(ctx context.Context, id string, with url.Values) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	region := with.Get("region")
	needsRegion := id == "enable" || id == "disable" || faults[id].did != ""
	if needsRegion && !slices.Contains(Regions, region) {
		return "", errors.New("there is no such Region")
	}
	switch id {
	case "down", "hang", "throttle", "heal":
		f := faults[id]
		w.KMS.SetFault(region, f.fault)
		w.faults[region] = f.state
		return fmt.Sprintf(f.did, region), nil
	case "disable":
		w.KMS.DisableKey(w.keys[region])
		w.off[region] = true
		return "The key in " + region + " was disabled.", nil
	case "enable":
		w.KMS.EnableKey(w.keys[region])
		w.off[region] = false
		return "The key in " + region + " is enabled.", nil
	case "swap":
		return w.swap(ctx, [2]string{with.Get("a"), with.Get("b")})
	case "unswap":
		return w.swap(ctx, w.swapped)
	case "promote":
		return w.promote(ctx)
	case "rebuild":
		return w.rebuild(ctx)
	case "repair":
		return w.repair(ctx)
	}
	return "", errors.New("there is no such drill")
}

// swap exchanges two accounts' ciphertexts with the bare driver, as somebody
// with the database's rights could.
func (w *World) swap(ctx context.Context, pair [2]string) (string, error) {
	if pair[0] == pair[1] || w.swapped[0] != "" && pair != w.swapped {
		return "", errors.New("a swap needs two accounts, and one swap at a time")
	}
	db, err := w.admin(w.writer, database)
	if err != nil {
		return "", err
	}
	defer db.Close()
	if err := exchange(ctx, db, w.c.Engine, pair); err != nil {
		return "", err
	}
	if reader := w.db[other(w.writer)]; reader != nil {
		if err := reader.CatchUp(ctx, w.db[w.writer]); err != nil {
			return "", err
		}
	}
	if w.swapped[0] != "" {
		w.swapped = [2]string{}
		return fmt.Sprintf("The PINs of %s and %s are in their places again.", pair[0], pair[1]), nil
	}
	w.swapped = pair
	return fmt.Sprintf("The ciphertexts of %s and %s were exchanged in the database of %s.", pair[0], pair[1], w.writer), nil
}

func exchange(ctx context.Context, db *sql.DB, engine string, pair [2]string) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after Commit this does nothing
	read, write := "SELECT pin FROM accounts WHERE account_number = ?", "UPDATE accounts SET pin = ? WHERE account_number = ?"
	if engine == "postgres" {
		read, write = "SELECT pin FROM accounts WHERE account_number = $1", "UPDATE accounts SET pin = $1 WHERE account_number = $2"
	}
	var pins [2][]byte
	for i, account := range pair {
		if err := tx.QueryRowContext(ctx, read, account).Scan(&pins[i]); err != nil {
			return fmt.Errorf("account %s cannot be read: %w", account, err)
		}
	}
	for i, account := range pair {
		if _, err := tx.ExecContext(ctx, write, pins[1-i], account); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// promote loses the writer's Region's database and promotes the replica. The
// endpoint is closed before the replica catches up, so that no write that a
// visitor was told of is lost.
func (w *World) promote(ctx context.Context) (string, error) {
	lost, next := w.writer, other(w.writer)
	replica := w.db[next]
	if replica == nil {
		return "", errors.New("there is no replica; rebuild it first")
	}
	w.endpoints[lost].lead("")
	if err := replica.CatchUp(ctx, w.db[lost]); err != nil {
		return "", err
	}
	w.db[lost].Stop()
	delete(w.db, lost)
	if err := replica.Promote(ctx); err != nil {
		return "", err
	}
	w.writer = next
	return fmt.Sprintf("The database of %s is gone. The replica in %s was promoted and takes writes.", lost, next), nil
}

// rebuild makes the lost Region's database anew, as a replica of the other's.
func (w *World) rebuild(ctx context.Context) (string, error) {
	lost := other(w.writer)
	if w.db[lost] != nil {
		return "", errors.New("no Region is lost")
	}
	replica, err := w.db[w.writer].StartReplica()
	if err != nil {
		return "", err
	}
	if err := replica.CatchUp(ctx, w.db[w.writer]); err != nil {
		replica.Stop()
		return "", err
	}
	addr, err := w.watched(replica)
	if err != nil {
		replica.Stop()
		return "", err
	}
	w.db[lost] = replica
	w.endpoints[lost].lead(addr)
	return fmt.Sprintf("The database of %s was rebuilt as a replica. Promote it to go back.", lost), nil
}

// CatchUp waits until the replica has all that was written so far. It fails if
// there is no replica.
func (w *World) CatchUp(ctx context.Context) error {
	w.mu.Lock()
	reader, writer := w.db[other(w.writer)], w.db[w.writer]
	w.mu.Unlock()
	if reader == nil {
		return errors.New("there is no replica")
	}
	return reader.CatchUp(ctx, writer)
}

// visits asks both Regions as a visitor would.
func (w *World) visits(ctx context.Context, did string, c Customer) *web.Report {
	r := &web.Report{Did: did}
	add := func(region, what string, result visitor.Result, err error) {
		got := described[result.Outcome]
		if err != nil {
			got = "no page"
		}
		r.Visits = append(r.Visits, web.Visit{Region: region, Did: what, Outcome: got, Took: web.Milliseconds(result.Took)})
	}
	for _, region := range Regions {
		v, err := visitor.New(w.URL(region), nil)
		if err != nil {
			add(region, "sign in", visitor.Result{}, err)
			continue
		}
		result, err := v.Authenticate(ctx, c.Number, c.PIN)
		add(region, "sign in to "+c.Number, result, err)
	}
	writer := w.Writer()
	v, err := visitor.New(w.URL(writer), nil)
	if err != nil {
		return r
	}
	number := fmt.Sprintf("49%08d", time.Now().UnixMilli()%1e8)
	result, err := v.Create(ctx, number, "drill-"+number, "2468")
	add(writer, "create an account", result, err)
	return r
}

// described says what a visitor saw, by the page's outcome.
var described = map[string]string{
	"yes": "signed in", "no": "a page that says the PIN is wrong", "created": "an account", "integrity": "a page that says support was told",
	"unavailable": "a page that names the other Region", "readonly": "a link to the primary", "limited": "a page that asks to wait",
}
