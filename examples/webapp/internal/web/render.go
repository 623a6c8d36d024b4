package web

import (
	"bytes"
	"html/template"
	"net/http"
)

// page is what the layout and the simple pages show.
type page struct {
	Title, Text string
	// Outcome is what came of the request, for programs: the page's
	// data-outcome.
	Outcome        string
	Link, LinkText string
	Token          string
	Field          map[string]string // what the visitor typed, never a PIN
	Problem        map[string]string // by field
	Reference      string
	Body           any

	Region, Role, Other, Path string
	Operator, Local           bool
	LogoutToken               string
}

func parse() (map[string]*template.Template, error) {
	pages := map[string]*template.Template{}
	for _, name := range []string{"home", "create", "authenticate", "welcome", "message", "login", "accounts", "operations"} {
		t, err := template.New("layout.html").ParseFS(files, "templates/layout.html", "templates/parts.html", "templates/"+name+".html")
		if err != nil {
			return nil, err
		}
		pages[name] = t
	}
	return pages, nil
}

// render writes a page. It is complete before anything is sent.
func (s *Server) render(w http.ResponseWriter, r *http.Request, status int, name string, p page) {
	p.Region, p.Role, p.Other, p.Path, p.Local = s.c.Region, s.role(r), s.c.Other, r.URL.Path, s.c.Drills != nil
	if v := s.session(r, operator); v != nil {
		p.Operator, p.LogoutToken = true, s.token(v)
	}
	var out bytes.Buffer
	if err := s.pages[name].Execute(&out, p); err != nil {
		s.c.Log.ErrorContext(r.Context(), "page", "name", name, "error", err)
		http.Error(w, "the page could not be made", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = out.WriteTo(w) // the client may have left
}

// part renders one part of a page.
func (s *Server) part(name string, v any) (string, error) {
	var out bytes.Buffer
	err := s.pages["operations"].ExecuteTemplate(&out, name, v)
	return out.String(), err
}

// role is what the Region's database does now.
func (s *Server) role(r *http.Request) string {
	switch ok, err := s.c.Store.Writable(r.Context()); {
	case err != nil:
		return "database away"
	case ok:
		return "primary"
	}
	return "secondary"
}
