package web

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"log/slog"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/examples/webapp/internal/store"
)

const patience = 5 * time.Second // for database and KMS together

var (
	accountNumber = regexp.MustCompile(`^[0-9]{10}$`)
	pinDigits     = regexp.MustCompile(`^[0-9]{4,12}$`)
	requestID     = regexp.MustCompile(`^[A-Za-z0-9_-]{22}$`)
)

func (s *Server) home(w http.ResponseWriter, r *http.Request) {
	s.render(w, r, http.StatusOK, "home", page{Title: "Accounts in two Regions", Outcome: "home"})
}

func (s *Server) createForm(w http.ResponseWriter, r *http.Request) {
	v := s.visit(w, r)
	switch ok, err := s.c.Store.Writable(r.Context()); {
	case err != nil:
		s.failed(w, r, err)
		return
	case !ok:
		s.readOnly(w, r)
		return
	}
	s.render(w, r, http.StatusOK, "create", page{Title: "Create an account", Outcome: "form", Token: s.token(v), Reference: random()})
}

// readOnly sends writers to the Region whose database takes them.
func (s *Server) readOnly(w http.ResponseWriter, r *http.Request) {
	s.render(w, r, http.StatusConflict, "message", page{Title: "Accounts are created in the primary Region", Outcome: "readonly",
		Text: "This Region reads from a replica and takes no writes.", Link: s.c.Other + "/create", LinkText: "Create your account there"})
}

func (s *Server) create(w http.ResponseWriter, r *http.Request, v *session) {
	a := store.Account{Number: strings.TrimSpace(r.PostForm.Get("account")), User: strings.TrimSpace(r.PostForm.Get("user")), PIN: r.PostForm.Get("pin")}
	request := r.PostForm.Get("request")
	problems := problemsOf(a)
	again := func(status int, outcome string) {
		s.render(w, r, status, "create", page{Title: "Create an account", Outcome: outcome, Token: s.token(v), Reference: random(),
			Field: map[string]string{"account": a.Number, "user": a.User}, Problem: problems})
	}
	if len(problems) > 0 || !requestID.MatchString(request) {
		again(http.StatusUnprocessableEntity, "invalid")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	switch err := s.c.Store.Create(ctx, a, request); {
	case err == nil:
		v.Created = a.Number
		s.setSession(w, visitor, v)
		http.Redirect(w, r, "/created", http.StatusSeeOther)
	case errors.Is(err, store.ErrTaken):
		problems["account"] = "This account number or user id is taken."
		again(http.StatusConflict, "taken")
	case errors.Is(err, store.ErrReadOnly):
		s.readOnly(w, r)
	default:
		s.failed(w, r, err)
	}
}

// problemsOf tells what is wrong with a new account, by field.
func problemsOf(a store.Account) map[string]string {
	p := map[string]string{}
	if !accountNumber.MatchString(a.Number) {
		p["account"] = "An account number has ten digits."
	}
	control := strings.ContainsFunc(a.User, func(r rune) bool { return unicode.IsControl(r) })
	if n := utf8.RuneCountInString(a.User); n == 0 || n > 64 || !utf8.ValidString(a.User) || control {
		p["user"] = "A user id has 1 to 64 characters."
	}
	if !pinDigits.MatchString(a.PIN) {
		p["pin"] = "A PIN has 4 to 12 digits."
	}
	return p
}

func (s *Server) created(w http.ResponseWriter, r *http.Request) {
	v := s.session(r, visitor)
	if v == nil || v.Created == "" {
		http.Redirect(w, r, "/create", http.StatusSeeOther)
		return
	}
	s.render(w, r, http.StatusOK, "message", page{Title: "Account " + v.Created + " is ready", Outcome: "created",
		Text: "Its PIN was encrypted before it left this server, for this account number and no other.", Link: "/authenticate", LinkText: "Sign in"})
}

func (s *Server) authenticateForm(w http.ResponseWriter, r *http.Request) {
	v := s.visit(w, r)
	s.render(w, r, http.StatusOK, "authenticate", page{Title: "Sign in", Outcome: "form", Token: s.token(v), Field: map[string]string{"account": v.Created}})
}

func (s *Server) authenticate(w http.ResponseWriter, r *http.Request, v *session) {
	account, pin := strings.TrimSpace(r.PostForm.Get("account")), r.PostForm.Get("pin")
	address := s.address(r)
	if wait, ok := s.visits.attempt(address); !ok {
		s.limited(w, r, wait)
		return
	}
	if !accountNumber.MatchString(account) || !pinDigits.MatchString(pin) {
		s.refuse(w, r, v, account)
		return
	}
	if wait, ok := s.accounts.attempt(account); !ok {
		s.limited(w, r, wait)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	floor := time.After(s.c.Floor)
	stored, err := s.c.Store.PIN(ctx, account)
	switch {
	case err == nil && same(stored, pin):
		s.accounts.forgive(account)
		s.setSession(w, visitor, &session{ID: random(), Expires: s.c.Now().Add(visitorSession), Account: account})
		http.Redirect(w, r, "/welcome", http.StatusSeeOther)
	case err == nil || errors.Is(err, store.ErrUnknown):
		select { // so that the time does not tell whether the account exists
		case <-floor:
		case <-ctx.Done():
		}
		s.refuse(w, r, v, account)
	default:
		s.accounts.uncount(account)
		s.failed(w, r, err)
	}
}

// same compares in a time that depends on neither text.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

func (s *Server) refuse(w http.ResponseWriter, r *http.Request, v *session, account string) {
	s.render(w, r, http.StatusUnauthorized, "authenticate", page{Title: "Sign in", Outcome: "no", Token: s.token(v),
		Field: map[string]string{"account": account}, Problem: map[string]string{"form": "Account number and PIN do not match."}})
}

func (s *Server) limited(w http.ResponseWriter, r *http.Request, wait time.Duration) {
	w.Header().Set("Retry-After", strconv.Itoa(int(wait.Seconds())+1))
	s.render(w, r, http.StatusTooManyRequests, "message", page{Title: "Too many attempts", Outcome: "limited",
		Text: "Please wait " + minutes(wait) + " before the next attempt.", Link: "/authenticate", LinkText: "Back"})
}

func minutes(d time.Duration) string {
	if n := int(d.Minutes()) + 1; n > 1 {
		return strconv.Itoa(n) + " minutes"
	}
	return "a minute"
}

func (s *Server) welcome(w http.ResponseWriter, r *http.Request) {
	v := s.session(r, visitor)
	if v == nil || v.Account == "" {
		http.Redirect(w, r, "/authenticate", http.StatusSeeOther)
		return
	}
	s.render(w, r, http.StatusOK, "welcome", page{Title: "Welcome back", Outcome: "yes", Text: v.Account, Token: s.token(v)})
}

func (s *Server) leave(w http.ResponseWriter, r *http.Request, _ *session) {
	s.endSession(w, visitor)
	http.Redirect(w, r, "/authenticate", http.StatusSeeOther)
}

// failed answers when an account could not be read or written. Visitors learn
// what to do, and nothing about the cause but a reference.
func (s *Server) failed(w http.ResponseWriter, r *http.Request, err error) {
	s.c.Log.LogAttrs(r.Context(), slog.LevelError, "request failed", slog.String("region", s.c.Region), slog.String("path", r.URL.Path), slog.Any("error", err))
	value, _ := errors.AsType[*driver.ValueError](err)
	switch {
	case errors.Is(err, driver.ErrMismatch), errors.Is(err, driver.ErrTampered), errors.Is(err, driver.ErrNotCiphertext), errors.Is(err, driver.ErrUnknownKey):
		s.render(w, r, http.StatusInternalServerError, "message", page{Title: "We could not check your PIN", Outcome: "integrity",
			Text: "Something is wrong with this account's data. Nobody was signed in, and our support was told.", Reference: value.RowKeyDigest[:min(12, len(value.RowKeyDigest))],
			Link: "/authenticate", LinkText: "Back"})
	default:
		w.Header().Set("Retry-After", "5")
		s.render(w, r, http.StatusServiceUnavailable, "message", page{Title: "This Region is having trouble", Outcome: "unavailable",
			Text: "Your account is safe. Please try again in a moment, or use our other Region.", Link: s.c.Other + r.URL.Path, LinkText: "Go to the other Region"})
	}
}
