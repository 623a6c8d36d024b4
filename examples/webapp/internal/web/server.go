// Package web is the site: pages for customers, and pages for the security team
// behind a login of their own.
//
// It promises that a PIN is in no log, error page or cookie and never leaves the
// request that needs it, except on the accounts page of the local mode. Forms
// need a token of the visitor's session. Attempts to authenticate are limited by
// account and by address, compared in constant time, and answered no sooner for
// an unknown account than for a wrong PIN.
package web

import (
	"context"
	"embed"
	"html/template"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/sealsql/sealsql/examples/webapp/internal/store"
)

//go:embed templates static
var files embed.FS

// Config describes a site.
type Config struct {
	// Region is the AWS Region.
	Region string
	// Other is the address of the other Region's site, for links.
	Other string
	Store *store.Store
	Feed  *Feed
	// SessionKey signs cookies; OperatorPassword opens the operations pages.
	SessionKey       []byte
	OperatorPassword string
	// Secure says that visitors come over TLS.
	Secure bool
	// Proxied says that a load balancer adds the visitor's address as the last
	// of X-Forwarded-For.
	Proxied bool
	// Metrics answers /metrics.
	Metrics http.Handler
	// Drills are those of the operations page; nil outside the local mode.
	Drills Drills
	Log    *slog.Logger
	// Attempts is how many wrong PINs in a row an account may get in a quarter
	// of an hour, and Visits how many attempts an address has a minute; 0 means 5 and 60.
	Attempts, Visits int
	// Floor is the least time that a refused authentication takes; 0 means 50 ms.
	Floor time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Server is the site of one Region. It is safe for concurrent use.
type Server struct {
	c        Config
	pages    map[string]*template.Template
	accounts *limiter
	visits   *limiter
	logins   *limiter
	sampler  *sampler
	handler  http.Handler

	mu     sync.Mutex
	report *Report // of the last drill
}

// New returns a site. Sample must run beside it for the charts.
func New(c Config) (*Server, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Attempts == 0 {
		c.Attempts = 5
	}
	if c.Visits == 0 {
		c.Visits = 60
	}
	if c.Floor == 0 {
		c.Floor = 50 * time.Millisecond
	}
	s := &Server{
		c:        c,
		accounts: &limiter{max: c.Attempts, window: 15 * time.Minute, now: c.Now},
		visits:   &limiter{max: c.Visits, window: time.Minute, now: c.Now},
		logins:   &limiter{max: 10, window: 15 * time.Minute, now: c.Now},
		sampler:  &sampler{stats: c.Store.Stats},
	}
	var err error
	if s.pages, err = parse(); err != nil {
		return nil, err
	}
	s.handler, err = s.routes()
	return s, err
}

// Sample keeps the charts up to date until ctx ends.
func (s *Server) Sample(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		s.sampler.sample()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

func (s *Server) routes() (http.Handler, error) {
	static, err := fs.Sub(files, "static")
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.home)
	mux.HandleFunc("GET /create", s.createForm)
	mux.HandleFunc("POST /create", s.form(visitor, s.create))
	mux.HandleFunc("GET /created", s.created)
	mux.HandleFunc("GET /authenticate", s.authenticateForm)
	mux.HandleFunc("POST /authenticate", s.form(visitor, s.authenticate))
	mux.HandleFunc("GET /welcome", s.welcome)
	mux.HandleFunc("POST /leave", s.form(visitor, s.leave))
	mux.HandleFunc("GET /login", s.loginForm)
	mux.HandleFunc("POST /login", s.form(visitor, s.login))
	mux.HandleFunc("POST /logout", s.form(operator, s.logout))
	mux.HandleFunc("GET /accounts", s.operators(s.accountsPage))
	mux.HandleFunc("GET /operations", s.operators(s.operations))
	mux.HandleFunc("GET /operations/events", s.operators(s.events))
	if s.c.Drills != nil {
		mux.HandleFunc("POST /operations/drill", s.form(operator, s.drill))
	}
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.Handle("GET /metrics", s.c.Metrics)
	mux.Handle("GET /static/", http.StripPrefix("/static/", cached(http.FileServerFS(static))))
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/static/icon.svg", http.StatusMovedPermanently)
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.render(w, r, http.StatusNotFound, "message", page{Title: "Page not found", Outcome: "missing", Text: "There is no page at this address."})
	})
	return s.log(s.headers(http.NewCrossOriginProtection().Handler(mux))), nil
}

func cached(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=300")
		h.ServeHTTP(w, r)
	})
}

// headers sets what browsers hold pages to.
func (s *Server) headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		h.Set("Cache-Control", "no-store")
		if s.c.Secure {
			h.Set("Strict-Transport-Security", "max-age=63072000; includeSubDomains")
		}
		r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
		next.ServeHTTP(w, r)
	})
}

// log writes a line for each request: never a form's field or a query.
func (s *Server) log(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		status := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(status, r)
		s.c.Log.LogAttrs(r.Context(), slog.LevelInfo, "request", slog.String("region", s.c.Region), slog.String("method", r.Method),
			slog.String("path", r.URL.Path), slog.Int("status", status.status), slog.Duration("took", time.Since(began)))
	})
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements [http.ResponseWriter].
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the writer beneath.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// address is the visitor's.
func (s *Server) address(r *http.Request) string {
	if forwarded := r.Header.Get("X-Forwarded-For"); s.c.Proxied && forwarded != "" {
		return strings.TrimSpace(forwarded[strings.LastIndex(forwarded, ",")+1:])
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// form lets a form through that was sent from a page of the session.
func (s *Server) form(kind string, next func(http.ResponseWriter, *http.Request, *session)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v := s.session(r, kind)
		if err := r.ParseForm(); err != nil {
			s.render(w, r, http.StatusRequestEntityTooLarge, "message", page{Title: "That was too much", Outcome: "invalid", Text: "The form was larger than any of ours."})
			return
		}
		if v != nil && equal(r.PostForm.Get("token"), s.token(v)) {
			next(w, r, v)
			return
		}
		if kind == operator {
			http.Redirect(w, r, "/login?expired=1", http.StatusSeeOther)
			return
		}
		s.render(w, r, http.StatusForbidden, "message", page{Title: "Your session has expired", Outcome: "expired",
			Text: "Nothing was stored or checked. Please fill in the form again.", Link: r.URL.Path, LinkText: "Back to the form"})
	}
}

// operators lets the security team through.
func (s *Server) operators(next func(http.ResponseWriter, *http.Request, *session)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v := s.session(r, operator)
		if v == nil {
			http.Redirect(w, r, "/login", http.StatusSeeOther)
			return
		}
		next(w, r, v)
	}
}

func (s *Server) healthz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if err := s.c.Store.Ping(ctx); err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte("the database does not answer\n")) // the client may have left
		return
	}
	_, _ = w.Write([]byte("ok\n"))
}
