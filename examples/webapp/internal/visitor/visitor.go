// Package visitor visits a site as a browser does: with cookies, forms and
// redirects. Drills and the load use it; the browser tests do not.
package visitor

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// Result is what a visitor got.
type Result struct {
	// Outcome is the page's data-outcome: yes, no, created, taken, invalid,
	// readonly, integrity, unavailable, limited, expired.
	Outcome string
	Status  int
	Took    time.Duration
}

// Visitor is one browser. It is not safe for concurrent use.
type Visitor struct {
	site   string
	client *http.Client
	token  string
}

// New returns a visitor of the site at an address such as
// http://127.0.0.1:8080. transport may be nil.
func New(site string, transport http.RoundTripper) (*Visitor, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	return &Visitor{site: site, client: &http.Client{Jar: jar, Transport: transport, Timeout: 20 * time.Second}}, nil
}

var (
	outcome = regexp.MustCompile(`data-outcome="([a-z]+)"`)
	token   = regexp.MustCompile(`name="token" value="([A-Za-z0-9_-]+)"`)
)

// Authenticate signs in.
func (v *Visitor) Authenticate(ctx context.Context, account, pin string) (Result, error) {
	return v.submit(ctx, "/authenticate", url.Values{"account": {account}, "pin": {pin}})
}

// Create creates an account.
func (v *Visitor) Create(ctx context.Context, account, user, pin string) (Result, error) {
	id := make([]byte, 16)
	_, _ = rand.Read(id) // never fails
	return v.submit(ctx, "/create", url.Values{"account": {account}, "user": {user}, "pin": {pin}, "request": {base64.RawURLEncoding.EncodeToString(id)}})
}

// submit sends a form, of which it loads the page first if it has no token yet.
func (v *Visitor) submit(ctx context.Context, path string, form url.Values) (Result, error) {
	began := time.Now()
	if v.token == "" {
		if r, err := v.do(ctx, http.MethodGet, "/authenticate", nil); err != nil || v.token == "" {
			return r, err
		}
	}
	form.Set("token", v.token)
	r, err := v.do(ctx, http.MethodPost, path, form)
	r.Took = time.Since(began)
	return r, err
}

func (v *Visitor) do(ctx context.Context, method, path string, form url.Values) (Result, error) {
	req, err := http.NewRequestWithContext(ctx, method, v.site+path, strings.NewReader(form.Encode()))
	if err != nil {
		return Result{}, err
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := v.client.Do(req)
	if err != nil {
		return Result{}, err
	}
	defer res.Body.Close()
	page, err := io.ReadAll(res.Body)
	if err != nil {
		return Result{}, err
	}
	m := outcome.FindSubmatch(page)
	if m == nil {
		return Result{}, fmt.Errorf("%s %s: status %d and no page of the site", method, path, res.StatusCode)
	}
	if t := token.FindSubmatch(page); t != nil {
		v.token = string(t[1])
	}
	return Result{Outcome: string(m[1]), Status: res.StatusCode}, nil
}
