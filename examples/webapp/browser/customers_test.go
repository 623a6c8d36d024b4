package browser

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/sealsql/sealsql/examples/webapp/internal/local"
)

var primary, secondary = local.Regions[0], local.Regions[1]

// scenarios are told on each database, in this order.
var scenarios = []scenario{
	{"an account of the primary Region signs in from the secondary", createAndSignIn},
	{"a wrong PIN is refused in both Regions", wrongPIN},
	{"an unknown account gets the page of a wrong PIN", unknownAccount},
	{"a taken account number is told", takenNumber},
	{"a form with mistakes comes back with all but the PIN", mistakes},
	{"a form sent twice creates one account", doubleSubmit},
	{"the back button after creating brings a fresh form", backButton},
	{"an expired session loses nothing but the form", expiredVisitor},
	{"after signing out the back button shows nothing of the account", signOut},
	{"five wrong PINs lock the account for a quarter of an hour", lockout},
	{"script in every field stays text", scriptInFields},
	{"a form without its token is refused", forgedToken},
	{"a form from another origin is refused", otherOrigin},
	{"pages work without JavaScript", withoutScript},
	{"the keyboard alone is enough", keyboard},
	{"every control has a name", names},
	{"text has contrast in the light scheme", contrastLight},
	{"text has contrast in the dark scheme", contrastDark},
	{"pages fit a screen of 320 pixels", smallScreen},
	{"every page has its security headers", securityHeaders},
	{"the secondary Region sends writers to the primary", readOnlySecondary},
	{"the operations pages need the security team's password", operatorsOnly},
	{"an operator's session ends after twenty minutes", expiredOperator},
	{"each Region opens PINs with its own key", ownKey},
	{"a swapped ciphertext is not handed out, and everyone is told", swapped},
	{"a swap at a click shows what visitors get", swapAtAClick},
	{"KMS down in the primary Region goes unnoticed", trouble("down", 0)},
	{"KMS down in the secondary Region goes unnoticed", trouble("down", 1)},
	{"KMS that hangs goes unnoticed", trouble("hang", 0)},
	{"KMS that throttles goes unnoticed", trouble("throttle", 1)},
	{"a disabled key goes unnoticed", disabledKey},
	{"KMS down in both Regions gives a clear page", allDown},
	{"the operations page counts without being reloaded", liveCounts},
	{"a rotated database password goes unnoticed", rotation},
	{"metrics and health are there for machines", machines},
	{"the replica is promoted, takes writes, and the way back is the same", promotion},
}

func createAndSignIn(t *testing.T, e *env) {
	c := e.customer()
	p := e.tab(t)
	p.open(primary, "/")
	p.shoot("home")
	p.open(primary, "/create")
	p.shoot("create")
	p.create(primary, c)
	p.sees("created")
	if !strings.Contains(p.text("h1"), c.Number) {
		t.Errorf("the page does not name the account: %s", p.text("h1"))
	}
	e.caughtUp(t)
	p.signIn(secondary, c.Number, c.PIN)
	p.sees("yes")
	if got := p.text("#signed-in"); got != c.Number {
		t.Errorf("signed in to %q", got)
	}
	p.shoot("welcome")
}

func wrongPIN(t *testing.T, e *env) {
	for _, r := range local.Regions {
		p := e.tab(t)
		p.signIn(r, local.Customers[0].Number, "000000")
		p.sees("no")
		if got := p.text(".problem"); got != "Account number and PIN do not match." {
			t.Errorf("the page says %q", got)
		}
		p.open(r, "/welcome")
		p.sees("form")
	}
	p := e.tab(t) // the right PIN takes the failure back
	p.signIn(primary, local.Customers[0].Number, local.Customers[0].PIN)
	p.sees("yes")
}

func unknownAccount(t *testing.T, e *env) {
	p := e.tab(t)
	p.signIn(secondary, "9999999999", "123456")
	p.sees("no")
	if got := p.text(".problem"); got != "Account number and PIN do not match." {
		t.Errorf("the page says %q", got)
	}
}

func takenNumber(t *testing.T, e *env) {
	c := e.customer()
	c.Number = local.Customers[1].Number
	p := e.tab(t)
	p.create(primary, c)
	p.sees("taken")
	p = e.tab(t) // the account is as it was
	p.signIn(primary, local.Customers[1].Number, local.Customers[1].PIN)
	p.sees("yes")
}

func mistakes(t *testing.T, e *env) {
	p := e.tab(t)
	p.open(primary, "/create")
	p.eval(`document.querySelector("main form").noValidate = true`, nil)
	p.submit(map[string]string{"account": "12345", "user": "dora", "pin": "12ab"})
	p.sees("invalid")
	var account, user, pin string
	p.run(chromedp.Value("#account", &account, chromedp.ByQuery), chromedp.Value("#user", &user, chromedp.ByQuery), chromedp.Value("#pin", &pin, chromedp.ByQuery))
	if account != "12345" || user != "dora" || pin != "" {
		t.Errorf("the form has %q, %q and a PIN of %d characters", account, user, len(pin))
	}
	var problems int
	p.eval(`document.querySelectorAll(".problem").length`, &problems)
	if problems != 2 {
		t.Errorf("%d problems are told, want 2", problems)
	}
}

func doubleSubmit(t *testing.T, e *env) {
	c := e.customer()
	p := e.tab(t)
	p.open(primary, "/create")
	var outcomes []string
	// Two requests of one form at the same time, as an impatient double click sends.
	script := fmt.Sprintf(`(async () => {
		const f = document.querySelector("main form");
		f.account.value = %q; f.user.value = %q; f.pin.value = %q;
		const send = () => fetch("/create", {method: "POST", body: new URLSearchParams(new FormData(f))}).then(r => r.text()).then(t => t.match(/data-outcome="([a-z]+)"/)[1]);
		return Promise.all([send(), send()]);
	})()`, c.Number, c.User, c.PIN)
	p.run(chromedp.Evaluate(script, &outcomes, chromedp.EvalAsValue, awaitPromise))
	if strings.Join(outcomes, " ") != "created created" {
		t.Errorf("the two requests got %v", outcomes)
	}
	stored, err := e.Site(primary).Store.Stored(context.Background(), 100)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, a := range stored {
		if a.Number == c.Number {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d accounts were created", n)
	}
	q := e.tab(t)
	q.open(primary, "/create")
	q.run(chromedp.SendKeys("#account", e.customer().Number, chromedp.ByQuery), chromedp.SendKeys("#user", "double click", chromedp.ByQuery), chromedp.SendKeys("#pin", "86420135", chromedp.ByQuery))
	q.respond(chromedp.DoubleClick("main form .button", chromedp.ByQuery))
	q.until(patience, `!!document.querySelector("main[data-outcome=created]")`)
}

func backButton(t *testing.T, e *env) {
	c := e.customer()
	p := e.tab(t)
	p.create(primary, c)
	p.sees("created")
	p.respond(chromedp.NavigateBack())
	p.sees("form")
	var account, pin string
	p.run(chromedp.Value("#account", &account, chromedp.ByQuery), chromedp.Value("#pin", &pin, chromedp.ByQuery))
	if account != "" || pin != "" {
		t.Error("the form is filled in")
	}
	p.submit(map[string]string{"account": c.Number, "user": c.User, "pin": c.PIN})
	p.sees("taken")
}

func expiredVisitor(t *testing.T, e *env) {
	c := e.customer()
	p := e.tab(t)
	p.open(primary, "/create")
	e.advance(2 * time.Hour)
	if r := p.submit(map[string]string{"account": c.Number, "user": c.User, "pin": c.PIN}); r.Status != 403 {
		t.Errorf("status %d", r.Status)
	}
	p.sees("expired")
	p.respond(chromedp.Click("main .button", chromedp.ByQuery))
	p.submit(map[string]string{"account": c.Number, "user": c.User, "pin": c.PIN})
	p.sees("created")
}

func signOut(t *testing.T, e *env) {
	p := e.tab(t)
	p.signIn(primary, local.Customers[0].Number, local.Customers[0].PIN)
	p.sees("yes")
	p.respond(chromedp.Click("main form .button", chromedp.ByQuery))
	p.sees("form")
	p.respond(chromedp.NavigateBack())
	p.sees("form")
}

func lockout(t *testing.T, e *env) {
	c := e.customer()
	p := e.tab(t)
	p.create(primary, c)
	for range 5 {
		p.signIn(primary, c.Number, "00000000")
		p.sees("no")
	}
	p.open(primary, "/authenticate")
	r := p.submit(map[string]string{"account": c.Number, "pin": c.PIN})
	p.sees("limited")
	if r.Status != 429 || r.Headers["Retry-After"] == nil {
		t.Errorf("status %d, Retry-After %v", r.Status, r.Headers["Retry-After"])
	}
	p.signIn(primary, local.Customers[0].Number, local.Customers[0].PIN)
	p.sees("yes") // other accounts are not concerned
	e.advance(16 * time.Minute)
	p.signIn(primary, c.Number, c.PIN)
	p.sees("yes")
}

func scriptInFields(t *testing.T, e *env) {
	const hostile = `"><script>alert(1)</script><img src=x onerror=alert(2)>`
	c := e.customer()
	c.User = hostile
	p := e.tab(t)
	p.create(primary, c)
	p.sees("created")
	p.login(primary)
	p.open(primary, "/accounts")
	if got := p.text("[data-account='" + c.Number + "'] .user"); got != hostile {
		t.Errorf("the accounts page shows %q", got)
	}
	for path, fields := range map[string][]string{"/create": {"account", "user", "pin"}, "/authenticate": {"account", "pin"}, "/login": {"password"}} {
		for _, field := range fields {
			p.open(primary, path)
			p.eval(`document.querySelector("main form").noValidate = true; document.querySelectorAll("main input").forEach(i => i.removeAttribute("maxlength"))`, nil)
			p.submit(map[string]string{field: hostile})
		}
	}
	var images int
	p.eval(`document.querySelectorAll("main img, main script:not([src])").length`, &images)
	if p.dialogs.Load() != 0 || images != 0 {
		t.Errorf("%d dialogs, %d elements of the field's text", p.dialogs.Load(), images)
	}
}

func forgedToken(t *testing.T, e *env) {
	c := e.customer()
	p := e.tab(t)
	for _, forge := range []string{`f.token.value = "x"`, `f.token.remove()`, `f.token.value = f.token.value.slice(0, -2) + "AA"`} {
		p.open(primary, "/create")
		p.eval(`{const f = document.querySelector("main form"); `+forge+`}`, nil)
		p.submit(map[string]string{"account": c.Number, "user": c.User, "pin": c.PIN})
		p.sees("expired")
	}
}

func otherOrigin(t *testing.T, e *env) {
	c := e.customer()
	p := e.tab(t)
	p.open(primary, "/create")
	var token, request string
	p.run(chromedp.Value("main [name=token]", &token, chromedp.ByQuery), chromedp.Value("main [name=request]", &request, chromedp.ByQuery))
	p.run(chromedp.Navigate("about:blank")) // an origin of its own, with the visitor's cookies and even the token
	form := fmt.Sprintf(`document.body.innerHTML = '<form method="post" action="%s/create"><input name="token" value="%s"><input name="request" value="%s"><input name="account" value="%s"><input name="user" value="x"><input name="pin" value="%s"></form>'`,
		e.URL(primary), token, request, c.Number, c.PIN)
	p.eval(form, nil)
	if r := p.respond(chromedp.Evaluate(`document.forms[0].submit()`, nil)); r.Status != 403 {
		t.Errorf("status %d", r.Status)
	}
	if pin, err := e.Site(primary).Store.PIN(context.Background(), c.Number); err == nil {
		t.Errorf("the account was created with a PIN of %d digits", len(pin))
	}
}

func withoutScript(t *testing.T, e *env) {
	c := e.customer()
	p := e.tab(t)
	p.run(emulation.SetScriptExecutionDisabled(true))
	p.create(primary, c)
	p.sees("created")
	p.signIn(primary, c.Number, c.PIN)
	p.sees("yes")
	p.login(primary)
	if got := p.text("#panel"); !strings.Contains(got, "Values sealed") {
		t.Errorf("the panel shows %q", got)
	}
}

func keyboard(t *testing.T, e *env) {
	c := e.customer()
	p := e.tab(t)
	p.open(primary, "/create")
	var first string
	p.run(chromedp.KeyEvent(kb.Tab))
	p.eval(`document.activeElement.textContent`, &first)
	if first != "Skip to the content" {
		t.Errorf("the first stop is %q", first)
	}
	p.run(chromedp.KeyEvent(kb.Enter), chromedp.KeyEvent(kb.Tab)) // to the content, and into the form
	for _, value := range []string{c.Number, c.User, c.PIN} {
		var outline string
		p.eval(`getComputedStyle(document.activeElement).outlineStyle`, &outline)
		if outline != "solid" {
			t.Errorf("the field that has the focus has outline %q", outline)
		}
		p.run(chromedp.KeyEvent(value), chromedp.KeyEvent(kb.Tab))
	}
	p.respond(chromedp.KeyEvent(kb.Enter))
	p.sees("created")
}
