package browser

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/sealsql/sealsql/examples/webapp/internal/local"
)

func readOnlySecondary(t *testing.T, e *env) {
	p := e.tab(t)
	r := p.open(secondary, "/create")
	p.sees("readonly")
	if r.Status != 409 {
		t.Errorf("status %d", r.Status)
	}
	p.shoot("read-only")
	p.respond(chromedp.Click("main .button", chromedp.ByQuery))
	p.sees("form")
	var at string
	p.run(chromedp.Location(&at))
	if at != e.URL(primary)+"/create" {
		t.Errorf("the link leads to %s", at)
	}
}

func operatorsOnly(t *testing.T, e *env) {
	p := e.tab(t)
	for _, path := range []string{"/operations", "/accounts", "/operations/events"} {
		p.open(primary, path)
		p.sees("form")
		if got := p.text("h1"); got != "Security team" {
			t.Errorf("%s shows %q", path, got)
		}
	}
	p.submit(map[string]string{"password": "a wrong password"})
	p.sees("no")
	p.login(primary)
	p.respond(chromedp.Click("header form button", chromedp.ByQuery)) // log out
	p.open(primary, "/operations")
	p.sees("form")
}

func expiredOperator(t *testing.T, e *env) {
	p := e.tab(t)
	p.login(primary)
	e.advance(21 * time.Minute)
	p.respond(chromedp.Click("#drills button[value=down]", chromedp.ByQuery))
	p.sees("expired")
	if state := e.Board(context.Background()).Regions[0].State; state != "healthy" {
		t.Errorf("the drill was carried out: KMS is %s", state)
	}
}

func ownKey(t *testing.T, e *env) {
	c := e.customer()
	p := e.tab(t)
	p.create(primary, c)
	e.caughtUp(t)
	for _, r := range local.Regions {
		p.login(r)
		p.open(r, "/accounts")
		at := "[data-account='" + c.Number + "']"
		var opened, by string
		p.run(chromedp.AttributeValue(at, "data-opened", &opened, nil, chromedp.ByQuery), chromedp.AttributeValue(at, "data-by", &by, nil, chromedp.ByQuery))
		if opened != "true" || by != r {
			t.Errorf("in %s the PIN was opened: %s, by %q", r, opened, by)
		}
		shown := p.text(at)
		for _, want := range []string{primary, secondary, "message", "account_number = " + c.Number, "sealsql:column = pin"} {
			if !strings.Contains(shown, want) {
				t.Errorf("in %s the page does not show %q", r, want)
			}
		}
		p.shootTop("accounts-"+r, 780)
	}
}

// swapped is the story that the site is for.
func swapped(t *testing.T, e *env) {
	a, b := e.customer(), e.customer()
	p, team := e.tab(t), e.tab(t)
	p.create(primary, a)
	p.create(primary, b)
	team.login(secondary)
	team.until(patience, `document.getElementById("live").textContent === "Live"`)
	before := e.CloudWatch.Sum("Events", "Kind=mismatch")
	e.do(t, "swap", map[string][]string{"a": {a.Number}, "b": {b.Number}})

	p.signIn(secondary, a.Number, b.PIN) // the PIN that lies in a's row now
	p.sees("integrity")
	if !strings.Contains(p.text("main"), "our support was told") {
		t.Errorf("the page says %q", p.text("main"))
	}
	took := team.until(time.Second, `!!document.querySelector("#alerts tr[data-kind=mismatch]")`)
	reference, row := p.text("#reference"), team.text("#alerts tr[data-kind=mismatch] td:nth-child(4)")
	if reference == "" || reference != row {
		t.Errorf("the visitor's reference is %q and the alert's row %q", reference, row)
	}
	t.Logf("the alert was on the page %s after the visitor's page", took)
	p.shoot("integrity")
	team.until(15*time.Second, `!!document.querySelector("#alarms [data-alarm=twinport-mismatch][data-state=ALARM]")`)
	if n := e.CloudWatch.Sum("Events", "Kind=mismatch") - before; n < 1 {
		t.Errorf("%v mismatches went to CloudWatch", n)
	}
	team.shootTop("operations", 1360)
	team.open(secondary, "/accounts")
	if shown := team.text("[data-account='" + a.Number + "']"); !strings.Contains(shown, "nothing") {
		t.Errorf("the accounts page shows %q", shown)
	}
	team.shootTop("accounts-swapped", 1060)
	e.do(t, "unswap", nil)
	p.signIn(secondary, a.Number, a.PIN)
	p.sees("yes")
}

func swapAtAClick(t *testing.T, e *env) {
	p := e.tab(t)
	p.login(primary)
	p.drill("", "swap")
	if got := p.text(".sees"); !strings.Contains(got, "mismatch in "+primary) || !strings.Contains(got, "mismatch in "+secondary) {
		t.Errorf("the security team sees %q", got)
	}
	for _, r := range local.Regions {
		if got := p.text("[data-visit^='" + r + " sign in'] .got"); got != "a page that says support was told" {
			t.Errorf("in %s visitors got %q", r, got)
		}
	}
	p.drill("", "unswap")
	if got := p.text("[data-visit^='" + secondary + " sign in'] .got"); got != "signed in" {
		t.Errorf("afterwards visitors got %q", got)
	}
}

// settle has visitors come to both Regions until none is held back for the trouble of
// the story before.
func (e *env) settle(t *testing.T, p *tab) {
	t.Helper()
	c, q := e.customer(), e.tab(t)
	q.create(primary, c)
	q.sees("created")
	e.caughtUp(t)
	var held bool
	for began := time.Now(); ; {
		p.run(chromedp.Evaluate(`!!document.querySelector("#panel .region.held")`, &held))
		if !held {
			return
		}
		if time.Since(began) > time.Minute {
			t.Fatal("a Region stays held back")
		}
		for _, r := range local.Regions {
			q.signIn(r, c.Number, c.PIN)
		}
	}
}

// trouble is KMS's in one Region, caused at a click: both sites go on.
func trouble(drill string, at int) func(*testing.T, *env) {
	return func(t *testing.T, e *env) {
		p := e.tab(t)
		p.login(primary)
		e.settle(t, p)
		p.drill(local.Regions[at], drill)
		for _, visit := range []string{primary + " sign in", secondary + " sign in", primary + " create"} {
			want := "signed in"
			if strings.Contains(visit, "create") {
				want = "an account"
			}
			if got := p.text("[data-visit^='" + visit + "'] .got"); got != want {
				t.Errorf("%s: visitors got %q", visit, got)
			}
		}
		p.run(chromedp.ScrollIntoView("#drills", chromedp.ByQuery), chromedp.Evaluate(`document.getElementById("drills").scrollIntoView()`, nil))
		p.shoot("drill-" + drill + "-" + local.Regions[at])
		c := e.customer()
		q := e.tab(t)
		q.create(primary, c)
		q.sees("created")
		e.caughtUp(t)
		for _, r := range local.Regions {
			q.signIn(r, c.Number, c.PIN)
			q.sees("yes")
		}
		if drill == "down" {
			p.until(patience, `!!document.querySelector("#panel .region.held, #alerts tr[data-kind=wrapping_missing]")`)
		}
	}
}

func disabledKey(t *testing.T, e *env) {
	c := e.customer()
	p := e.tab(t)
	p.create(primary, c)
	p.login(primary)
	p.drill(primary, "disable")
	p.signIn(primary, c.Number, c.PIN)
	p.sees("yes")
	p.open(primary, "/accounts")
	var by string
	p.run(chromedp.AttributeValue("[data-account='"+c.Number+"']", "data-by", &by, nil, chromedp.ByQuery))
	if by != secondary {
		t.Errorf("the PIN was opened by %q", by)
	}
}

func allDown(t *testing.T, e *env) {
	for _, r := range local.Regions {
		e.do(t, "down", region(r))
	}
	p := e.tab(t)
	p.open(primary, "/authenticate")
	r := p.submit(map[string]string{"account": local.Customers[0].Number, "pin": local.Customers[0].PIN})
	p.sees("unavailable")
	if r.Status != 503 || r.Headers["Retry-After"] == nil {
		t.Errorf("status %d, Retry-After %v", r.Status, r.Headers["Retry-After"])
	}
	if !strings.Contains(p.text("main"), "other Region") {
		t.Errorf("the page says %q", p.text("main"))
	}
	for _, r := range local.Regions {
		e.do(t, "heal", region(r))
	}
	q := e.tab(t)
	q.open(primary, "/authenticate")
	deadline := time.Now().Add(patience)
	for { // the Regions are probed at most a second apart
		q.submit(map[string]string{"account": local.Customers[0].Number, "pin": local.Customers[0].PIN})
		var outcome string
		q.run(chromedp.AttributeValue("main", "data-outcome", &outcome, nil, chromedp.ByQuery))
		if outcome == "yes" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the outcome is still %s", outcome)
		}
		q.open(primary, "/authenticate")
	}
}

func liveCounts(t *testing.T, e *env) {
	team, p := e.tab(t), e.tab(t)
	team.login(primary)
	team.until(patience, `document.getElementById("live").textContent === "Live"`)
	var before int
	const opened = `Number(document.querySelectorAll("#panel .figure")[1].textContent)`
	team.eval(opened, &before)
	p.signIn(primary, local.Customers[2].Number, local.Customers[2].PIN)
	p.sees("yes")
	team.until(5*time.Second, `(() => { const n = `+opened+`; return n > `+strconv.Itoa(before)+`; })()`)
	var path string
	team.eval(`document.querySelector("#panel .chart .line").getAttribute("d")`, &path)
	if !strings.HasPrefix(path, "M") {
		t.Errorf("the chart's line is %q", path)
	}
}

func rotation(t *testing.T, e *env) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	before := e.Secrets.Asked("twinport/database")
	if err := e.Rotate(ctx); err != nil {
		t.Fatal(err)
	}
	e.Disconnect()
	p := e.tab(t)
	for _, r := range local.Regions {
		p.signIn(r, local.Customers[1].Number, local.Customers[1].PIN)
		p.sees("yes")
	}
	if n := e.Secrets.Asked("twinport/database") - before; n < 2 {
		t.Errorf("the secret was read %d times after the rotation, want once for each Region", n)
	}
}

func machines(t *testing.T, e *env) {
	for _, r := range local.Regions {
		for path, want := range map[string]string{"/healthz": "ok\n", "/metrics": "sealsql_plans_cached"} {
			res, err := http.Get(e.URL(r) + path)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(res.Body)
			_ = res.Body.Close() // it was read
			if err != nil || res.StatusCode != 200 || !strings.Contains(string(body), want) {
				t.Errorf("%s%s: status %d, %v, without %q", r, path, res.StatusCode, err, want)
			}
		}
	}
}

// promotion loses the primary Region's database, goes on in the secondary, and
// comes back.
func promotion(t *testing.T, e *env) {
	first, second := e.customer(), e.customer()
	p, team := e.tab(t), e.tab(t)
	p.create(primary, first)
	p.sees("created")
	team.login(secondary)
	team.drill("", "promote")
	if e.Writer() != secondary {
		t.Fatalf("the writer is %s", e.Writer())
	}
	p.opensTo("unavailable", primary, "/create") // the site asks its database once a second
	p.shoot("promoted")
	p.respond(chromedp.Click("main .button", chromedp.ByQuery)) // to the other Region
	p.sees("form")
	p.submit(map[string]string{"account": second.Number, "user": second.User, "pin": second.PIN})
	p.sees("created")
	for _, c := range []local.Customer{first, second} {
		p.signIn(secondary, c.Number, c.PIN)
		p.sees("yes")
	}
	team.drill("", "rebuild")
	p.signIn(primary, second.Number, second.PIN)
	p.sees("yes")
	team.drill("", "promote") // back to the first Region
	p.opensTo("form", primary, "/create")
	p.create(primary, e.customer())
	p.sees("created")
	team.login(primary)
	team.drill("", "rebuild")
	e.caughtUp(t)
	p.signIn(secondary, second.Number, second.PIN)
	p.sees("yes")
}

// multiRegionScenarios are told with one multi-Region key.
var multiRegionScenarios = []scenario{
	{"an account of the primary Region signs in from the secondary", createAndSignIn},
	{"each Region opens the one wrapping with its own replica of the key", func(t *testing.T, e *env) {
		c := e.customer()
		p := e.tab(t)
		p.create(primary, c)
		e.caughtUp(t)
		for _, r := range local.Regions {
			p.login(r)
			p.open(r, "/accounts")
			at := "[data-account='" + c.Number + "']"
			var by string
			var wrappings int
			p.run(chromedp.AttributeValue(at, "data-by", &by, nil, chromedp.ByQuery))
			p.eval(`document.querySelectorAll("`+at+` section:first-child tbody tr").length`, &wrappings)
			if by != r || wrappings != 1 {
				t.Errorf("in %s the PIN was opened by %q and has %d wrappings", r, by, wrappings)
			}
		}
	}},
	{"KMS down in a Region sends its visitors to the other", func(t *testing.T, e *env) {
		e.do(t, "down", region(primary))
		p := e.tab(t)
		p.signIn(primary, local.Customers[0].Number, local.Customers[0].PIN)
		p.sees("unavailable")
		p.respond(chromedp.Click("main .button", chromedp.ByQuery))
		p.submit(map[string]string{"account": local.Customers[0].Number, "pin": local.Customers[0].PIN})
		p.sees("yes")
	}},
}
