package browser

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"

	"github.com/sealsql/sealsql/examples/webapp/internal/local"
)

// tab is a browser window with cookies of its own.
type tab struct {
	t   *testing.T
	e   *env
	ctx context.Context
	// dialogs counts windows that a page's script opened.
	dialogs atomic.Int64
}

func (e *env) tab(t *testing.T) *tab {
	t.Helper()
	at := cdp.WithExecutor(e.browser, chromedp.FromContext(e.browser).Browser)
	room, err := target.CreateBrowserContext().WithDisposeOnDetach(true).Do(at)
	if err != nil {
		t.Fatal(err)
	}
	// Chromium opens no tab in a context that has no window.
	id, err := target.CreateTarget("about:blank").WithBrowserContextID(room).WithNewWindow(true).Do(at)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := chromedp.NewContext(e.browser, chromedp.WithTargetID(id))
	t.Cleanup(cancel)
	if err := chromedp.Run(ctx); err != nil { // the tab lives as long as the first run's context
		t.Fatal(err)
	}
	p := &tab{t: t, e: e, ctx: ctx}
	p.run(chromedp.EmulateViewport(1200, 900))
	chromedp.ListenTarget(ctx, func(ev any) {
		if _, ok := ev.(*page.EventJavascriptDialogOpening); ok {
			p.dialogs.Add(1)
			go func() { _ = chromedp.Run(ctx, page.HandleJavaScriptDialog(false)) }() // the count is what matters
		}
	})
	return p
}

const patience = 25 * time.Second

func (p *tab) run(actions ...chromedp.Action) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		p.t.Fatalf("%v\nat %s", err, p.where())
	}
}

// where tells the page's address, for messages.
func (p *tab) where() string {
	ctx, cancel := context.WithTimeout(p.ctx, 2*time.Second)
	defer cancel()
	var at, text string
	_ = chromedp.Run(ctx, chromedp.Location(&at), chromedp.Text("main", &text, chromedp.ByQuery)) // it is only told
	return at + "\n" + text
}

// respond runs actions that load another page and returns its answer.
func (p *tab) respond(actions ...chromedp.Action) *network.Response {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	r, err := chromedp.RunResponse(ctx, actions...)
	if err != nil {
		p.t.Fatalf("%v\nat %s", err, p.where())
	}
	return r
}

func (p *tab) open(region, path string) *network.Response {
	p.t.Helper()
	return p.respond(chromedp.Navigate(p.e.URL(region) + path))
}

// opensTo opens a page again and again until its outcome is the one wanted.
func (p *tab) opensTo(outcome, region, path string) {
	p.t.Helper()
	deadline := time.Now().Add(patience)
	for got := ""; got != outcome; {
		if time.Now().After(deadline) {
			p.t.Fatalf("the page's outcome is still %q, want %q", got, outcome)
		}
		p.open(region, path)
		p.run(chromedp.AttributeValue("main", "data-outcome", &got, nil, chromedp.ByQuery))
	}
}

// submit fills fields in and sends the form they are in.
func (p *tab) submit(fields map[string]string) *network.Response {
	p.t.Helper()
	for id, value := range fields {
		p.run(chromedp.Evaluate(`document.getElementById("`+id+`").value = ""`, nil), chromedp.SendKeys("#"+id, value, chromedp.ByQuery))
	}
	return p.respond(chromedp.Click("main form .button", chromedp.ByQuery))
}

func (p *tab) create(region string, c local.Customer) {
	p.t.Helper()
	p.open(region, "/create")
	p.submit(map[string]string{"account": c.Number, "user": c.User, "pin": c.PIN})
}

func (p *tab) signIn(region, account, pin string) {
	p.t.Helper()
	p.open(region, "/authenticate")
	p.submit(map[string]string{"account": account, "pin": pin})
}

func (p *tab) login(region string) {
	p.t.Helper()
	p.open(region, "/login")
	p.submit(map[string]string{"password": local.OperatorPassword})
	p.sees("operations")
}

// sees checks the page's outcome.
func (p *tab) sees(outcome string) {
	p.t.Helper()
	var got string
	p.run(chromedp.AttributeValue("main", "data-outcome", &got, nil, chromedp.ByQuery))
	if got != outcome {
		p.t.Fatalf("the page's outcome is %q, want %q\nat %s", got, outcome, p.where())
	}
}

// text is what an element shows.
func (p *tab) text(selector string) string {
	p.t.Helper()
	var text string
	p.run(chromedp.Text(selector, &text, chromedp.ByQuery))
	return strings.TrimSpace(text)
}

// eval runs a script in the page.
func (p *tab) eval(script string, to any) {
	p.t.Helper()
	p.run(chromedp.Evaluate(script, to))
}

// until waits for a script to be true.
func (p *tab) until(within time.Duration, script string) time.Duration {
	p.t.Helper()
	began := time.Now()
	var ok bool
	ctx, cancel := context.WithTimeout(p.ctx, within)
	defer cancel()
	if err := chromedp.Run(ctx, chromedp.Poll(script, &ok, chromedp.WithPollingInterval(20*time.Millisecond), chromedp.WithPollingTimeout(0))); err != nil {
		p.t.Fatalf("not within %s: %s\nat %s", within, script, p.where())
	}
	return time.Since(began)
}

// drill clicks a drill's button on the operations page.
func (p *tab) drill(region, id string) {
	p.t.Helper()
	scope := ""
	if region != "" {
		scope = "[data-kms='" + region + "'] "
	}
	p.respond(chromedp.Click("#drills "+scope+"button[value='"+id+"']", chromedp.ByQuery))
	p.sees("operations")
}

// size sets the window's, and dark the colour scheme.
func (p *tab) size(width, height int64) {
	p.t.Helper()
	p.run(chromedp.EmulateViewport(width, height))
}

func (p *tab) scheme(name string) {
	p.t.Helper()
	p.run(emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}}))
}

// shoot writes a picture of the window.
func (p *tab) shoot(name string) {
	p.t.Helper()
	var png []byte
	p.run(chromedp.CaptureScreenshot(&png))
	p.save(name, png)
}

// shootTop writes a picture of the page's first so many pixels, whatever the
// window shows.
func (p *tab) shootTop(name string, height float64) {
	p.t.Helper()
	var png []byte
	p.run(chromedp.ActionFunc(func(ctx context.Context) (err error) {
		png, err = page.CaptureScreenshot().WithCaptureBeyondViewport(true).WithClip(&page.Viewport{Width: 1200, Height: height, Scale: 1}).Do(ctx)
		return err
	}))
	p.save(name, png)
}

func (p *tab) save(name string, png []byte) {
	p.t.Helper()
	if err := os.WriteFile(filepath.Join(p.e.shots, name+".png"), png, 0o600); err != nil {
		p.t.Fatal(err)
	}
}
