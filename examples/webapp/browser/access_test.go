package browser

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/sealsql/sealsql/examples/webapp/internal/local"
)

func awaitPromise(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }

// pages are all pages of the site, by how a visitor comes to them.
var pages = []struct {
	name string
	load func(*tab)
}{
	{"home", func(p *tab) { p.open(primary, "/") }},
	{"create", func(p *tab) { p.open(primary, "/create") }},
	{"create with mistakes", func(p *tab) {
		p.open(primary, "/create")
		p.eval(`document.querySelector("main form").noValidate = true`, nil)
		p.submit(map[string]string{"account": "1", "pin": "1"})
	}},
	{"read-only", func(p *tab) { p.open(secondary, "/create") }},
	{"sign in", func(p *tab) { p.open(primary, "/authenticate") }},
	{"refused", func(p *tab) { p.signIn(primary, "9999999998", "123456") }},
	{"welcome", func(p *tab) { p.signIn(primary, local.Customers[0].Number, local.Customers[0].PIN) }},
	{"login", func(p *tab) { p.open(primary, "/login") }},
	{"missing", func(p *tab) { p.open(primary, "/nothing-here") }},
	{"accounts", func(p *tab) { p.login(primary); p.open(primary, "/accounts") }},
	{"operations", func(p *tab) {
		p.login(primary)
		p.drill(secondary, "down")
		p.until(patience, `document.querySelectorAll("#alerts tr").length > 0`)
		p.drill(secondary, "heal")
	}},
}

func eachPage(t *testing.T, e *env, check func(t *testing.T, p *tab, name string)) {
	t.Helper()
	p := e.tab(t)
	for _, pg := range pages {
		pg.load(p)
		check(t, p, pg.name)
	}
	if len(pages) != 11 {
		t.Errorf("%d pages were looked at", len(pages))
	}
}

// names asks Chromium's accessibility tree, which screen readers read.
func names(t *testing.T, e *env) {
	roles := []string{"button", "link", "textbox", "combobox", "image", "region", "navigation", "DisclosureTriangle"}
	controls := 0
	eachPage(t, e, func(t *testing.T, p *tab, page string) {
		var nodes []*accessibility.Node
		p.run(chromedp.ActionFunc(func(ctx context.Context) (err error) {
			nodes, err = accessibility.GetFullAXTree().Do(ctx)
			return err
		}))
		for _, n := range nodes {
			role, name := axText(n.Role), axText(n.Name)
			if n.Ignored || !slices.Contains(roles, role) {
				continue
			}
			controls++
			if strings.TrimSpace(name) == "" {
				t.Errorf("%s: a %s has no name", page, role)
			}
		}
		var other struct{ H1, Main, Lang int }
		p.eval(`({H1: document.querySelectorAll("h1").length, Main: document.querySelectorAll("main").length, Lang: document.documentElement.lang.length})`, &other)
		if other.H1 != 1 || other.Main != 1 || other.Lang == 0 {
			t.Errorf("%s: %+v; a page has one h1, one main and a language", page, other)
		}
	})
	if controls < 100 {
		t.Errorf("only %d controls were looked at", controls)
	}
}

func axText(v *accessibility.Value) string {
	if v == nil {
		return ""
	}
	return strings.Trim(string(v.Value), `"`)
}

func contrastLight(t *testing.T, e *env) { contrast(t, e, "light") }
func contrastDark(t *testing.T, e *env)  { contrast(t, e, "dark") }

// measure returns each text's contrast with what is behind it, as WCAG 2.2
// (1.4.3) computes it, from the styles that the browser has computed.
const measure = `(() => {
	const channel = c => { c /= 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
	const parse = s => { const m = s.match(/[\d.]+/g).map(Number); return {rgb: m.slice(0, 3), a: m.length > 3 ? m[3] : 1}; };
	const light = rgb => 0.2126 * channel(rgb[0]) + 0.7152 * channel(rgb[1]) + 0.0722 * channel(rgb[2]);
	const over = (top, a, under) => top.map((c, i) => c * a + under[i] * (1 - a));
	const behind = e => {
		if (!e) return [255, 255, 255];
		const b = parse(getComputedStyle(e).backgroundColor);
		return b.a === 1 ? b.rgb : over(b.rgb, b.a, behind(e.parentElement));
	};
	const out = [];
	const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	for (let n; n = walker.nextNode();) {
		const e = n.parentElement, s = getComputedStyle(e);
		if (!n.data.trim() || !e.getClientRects().length || s.visibility !== "visible" || ["SCRIPT", "STYLE"].includes(e.tagName)) continue;
		const bg = behind(e), fg = parse(s.color), a = light(over(fg.rgb, fg.a, bg)), b = light(bg);
		const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		const size = parseFloat(s.fontSize), large = size >= 24 || size >= 18.66 && s.fontWeight >= 700;
		out.push({Text: n.data.trim().slice(0, 40), Ratio: ratio, Large: large});
	}
	for (const e of document.querySelectorAll("input:not([type=hidden]), select")) {
		const a = light(parse(getComputedStyle(e).borderTopColor).rgb), b = light(behind(e.parentElement));
		out.push({Text: "border of " + e.name, Ratio: (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), Large: true});
	}
	return out;
})()`

func contrast(t *testing.T, e *env, scheme string) {
	texts, least := 0, 21.0
	eachPage(t, e, func(t *testing.T, p *tab, page string) {
		p.scheme(scheme)
		p.run(chromedp.Evaluate(`document.getAnimations().forEach(a => a.finish())`, nil))
		var all []struct {
			Text  string
			Ratio float64
			Large bool
		}
		p.eval(measure, &all)
		for _, x := range all {
			texts++
			want := 4.5
			if x.Large {
				want = 3
			} else {
				least = min(least, x.Ratio)
			}
			if x.Ratio < want {
				t.Errorf("%s: %q has contrast %.2f, want %.1f", page, x.Text, x.Ratio, want)
			}
		}
		p.shoot(fmt.Sprintf("%s-%s", strings.ReplaceAll(page, " ", "-"), scheme))
	})
	if texts < 300 {
		t.Errorf("only %d texts were measured", texts)
	}
	t.Logf("%d texts; the least contrast of small text is %.2f", texts, least)
}

func smallScreen(t *testing.T, e *env) {
	eachPage(t, e, func(t *testing.T, p *tab, page string) {
		p.size(320, 640)
		var wide float64
		p.eval(`document.scrollingElement.scrollWidth`, &wide)
		if wide > 320 {
			var what string
			p.eval(`[...document.querySelectorAll("main *")].filter(e => e.getBoundingClientRect().right > 321 && !e.closest(".scroll")).map(e => e.tagName + "." + e.className).slice(0, 5).join(", ")`, &what)
			t.Errorf("%s is %.0f pixels wide: %s", page, wide, what)
		}
		var small []string
		p.eval(`[...document.querySelectorAll("main button, main .button, main input:not([type=hidden]), main select")].filter(e => e.getBoundingClientRect().height < 36).map(e => e.tagName + " " + (e.name || e.textContent))`, &small)
		if len(small) > 0 {
			t.Errorf("%s: too small for a finger: %v", page, small)
		}
		p.shoot(strings.ReplaceAll(page, " ", "-") + "-320")
		p.size(1200, 900)
	})
}

func securityHeaders(t *testing.T, e *env) {
	p := e.tab(t)
	for _, path := range []string{"/", "/create", "/created", "/authenticate", "/login", "/welcome", "/operations", "/nothing-here"} {
		r := p.open(primary, path)
		policy, _ := r.Headers["Content-Security-Policy"].(string)
		for _, want := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"} {
			if !strings.Contains(policy, want) {
				t.Errorf("%s: the content security policy lacks %s", path, want)
			}
		}
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Cache-Control": "no-store", "Referrer-Policy": "same-origin"} {
			if r.Headers[name] != want {
				t.Errorf("%s: %s is %v, want %s", path, name, r.Headers[name], want)
			}
		}
	}
}
