package web

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// session is what a cookie holds, signed. The site keeps no session on the
// server, so that any task of the service can answer any request.
type session struct {
	ID      string    `json:"i"`
	Expires time.Time `json:"e"`
	// Created is the account number that this visitor has just created, and
	// Account the one that the visitor has proved the PIN of.
	Created string `json:"c,omitempty"`
	Account string `json:"a,omitempty"`
}

// The two cookies: a visitor's, which every form needs, and an operator's.
const (
	visitor         = "visitor"
	operator        = "operator"
	visitorSession  = time.Hour
	operatorSession = 20 * time.Minute
)

func random() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

// mac binds a text to the site's key and to its purpose.
func (s *Server) mac(purpose, text string) string {
	h := hmac.New(sha256.New, s.c.SessionKey)
	_, _ = h.Write([]byte(purpose + "\x00" + text)) // a hash takes all
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// cookieName has the prefix that keeps other hosts and paths from setting the
// cookie; browsers take the prefix over TLS only.
func (s *Server) cookieName(kind string) string {
	if s.c.Secure {
		return "__Host-" + kind
	}
	return kind + "-" + s.c.Region // two Regions share a host in the local mode
}

// session returns the request's session, or nil if it has none or if the
// session has expired.
func (s *Server) session(r *http.Request, kind string) *session {
	c, err := r.Cookie(s.cookieName(kind))
	if err != nil {
		return nil
	}
	text, mac, ok := strings.Cut(c.Value, ".")
	if !ok || !equal(mac, s.mac(kind, text)) {
		return nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil
	}
	var v session
	if err := json.Unmarshal(raw, &v); err != nil || !s.c.Now().Before(v.Expires) {
		return nil
	}
	return &v
}

func (s *Server) setSession(w http.ResponseWriter, kind string, v *session) {
	raw, _ := json.Marshal(v) // strings and a time
	text := base64.RawURLEncoding.EncodeToString(raw)
	http.SetCookie(w, s.cookie(kind, text+"."+s.mac(kind, text), 0))
}

func (s *Server) endSession(w http.ResponseWriter, kind string) {
	http.SetCookie(w, s.cookie(kind, "", -1))
}

func (s *Server) cookie(kind, value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: s.cookieName(kind), Value: value, Path: "/", MaxAge: maxAge,
		HttpOnly: true, Secure: s.c.Secure, SameSite: http.SameSiteStrictMode,
	}
}

// visit returns the visitor's session and gives the visitor one if there is
// none.
func (s *Server) visit(w http.ResponseWriter, r *http.Request) *session {
	v := s.session(r, visitor)
	if v == nil {
		v = &session{ID: random(), Expires: s.c.Now().Add(visitorSession)}
		s.setSession(w, visitor, v)
	}
	return v
}

// token is the CSRF token of a session's forms.
func (s *Server) token(v *session) string { return s.mac("form", v.ID) }
