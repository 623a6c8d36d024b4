package web

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/examples/webapp/internal/kmstrace"
	"github.com/sealsql/sealsql/inspect"
)

func (s *Server) loginForm(w http.ResponseWriter, r *http.Request) {
	p := page{Title: "Security team", Outcome: "form", Token: s.token(s.visit(w, r))}
	if r.URL.Query().Has("expired") {
		p.Outcome, p.Text = "expired", "Your session has expired. Please log in again."
	}
	s.renderLogin(w, r, http.StatusOK, p)
}

func (s *Server) renderLogin(w http.ResponseWriter, r *http.Request, status int, p page) {
	if s.c.Drills != nil {
		p.Reference = s.c.OperatorPassword // the local mode hides nothing
	}
	s.render(w, r, status, "login", p)
}

func (s *Server) login(w http.ResponseWriter, r *http.Request, v *session) {
	if wait, ok := s.logins.attempt(s.address(r)); !ok {
		s.limited(w, r, wait)
		return
	}
	if !same(r.PostForm.Get("password"), s.c.OperatorPassword) {
		s.renderLogin(w, r, http.StatusUnauthorized, page{Title: "Security team", Outcome: "no", Token: s.token(v), Problem: map[string]string{"form": "The password is wrong."}})
		return
	}
	s.logins.forgive(s.address(r))
	s.setSession(w, operator, &session{ID: random(), Expires: s.c.Now().Add(operatorSession)})
	http.Redirect(w, r, "/operations", http.StatusSeeOther)
}

func (s *Server) logout(w http.ResponseWriter, r *http.Request, _ *session) {
	s.endSession(w, operator)
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

// accountView is an account beside what sealsql made of its PIN.
type accountView struct {
	Number, User, Created string
	Form, Suite, Head     string
	Bytes                 int
	Context               []string
	Wrappings             []inspect.Wrapping
	// Opened is false if the application gets nothing, and Problem says why.
	Opened  bool
	Problem string
	Digits  int
	PIN     string // in the local mode only
	By      string
	Took    string
	Calls   []kmstrace.Call
}

const listed = 12 // accounts on the page

func (s *Server) accountsPage(w http.ResponseWriter, r *http.Request, _ *session) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*patience)
	defer cancel()
	stored, err := s.c.Store.Stored(ctx, listed)
	if err != nil {
		s.failed(w, r, err)
		return
	}
	views := make([]accountView, len(stored))
	for i, a := range stored {
		in := driver.Examine(a.PIN, false)
		v := accountView{Number: a.Number, User: a.User, Created: a.Created.UTC().Format("2 Jan 15:04:05"), Form: in.Form.String(), Bytes: in.Bytes,
			Wrappings: in.Wrappings, Head: hex.EncodeToString(a.PIN[:min(48, len(a.PIN))])}
		if in.Form == inspect.Message {
			v.Suite = fmt.Sprint(in.Suite)
		}
		for key, value := range in.Context {
			v.Context = append(v.Context, key+" = "+value)
		}
		slices.Sort(v.Context)
		s.open(ctx, &v)
		views[i] = v
	}
	s.render(w, r, http.StatusOK, "accounts", page{Title: "Accounts", Outcome: "accounts", Body: views})
}

// open reads an account's PIN as the application does and notes who unwrapped
// its key.
func (s *Server) open(ctx context.Context, v *accountView) {
	ctx, trace := kmstrace.Record(ctx)
	began := time.Now()
	pin, err := s.c.Store.PIN(ctx, v.Number)
	v.Took, v.Calls = Milliseconds(time.Since(began)), trace.Calls()
	for _, c := range v.Calls {
		if !c.Failed {
			v.By = c.Region
		}
	}
	if err != nil {
		v.Problem = err.Error()
		return
	}
	v.Opened, v.Digits = true, len(pin)
	if s.c.Drills != nil {
		v.PIN = pin
	}
}

// operationsView is the operations page's own part.
type operationsView struct {
	Panel  panel
	Alerts []Alert
	Alarms []Alarm
	Drills *DrillBoard
	Report *Report
	Token  string
}

func (s *Server) operations(w http.ResponseWriter, r *http.Request, v *session) {
	alerts := s.c.Feed.Since(0)
	slices.Reverse(alerts)
	view := operationsView{Panel: s.sampler.panel(s.c.Region, s.c.Feed.Counts()), Alerts: alerts, Token: s.token(v)}
	if s.c.Drills != nil {
		board := s.c.Drills.Board(r.Context())
		view.Drills, view.Alarms = &board, s.c.Drills.Alarms(s.c.Region)
		s.mu.Lock()
		view.Report = s.report
		s.mu.Unlock()
	}
	s.render(w, r, http.StatusOK, "operations", page{Title: "Operations", Outcome: "operations", Body: view})
}

// events streams alerts as they come, and the counters each second.
func (s *Server) events(w http.ResponseWriter, r *http.Request, v *session) {
	last, _ := strconv.ParseUint(r.Header.Get("Last-Event-ID"), 10, 64) // 0 if there is none
	if last == 0 {
		last, _ = strconv.ParseUint(r.URL.Query().Get("after"), 10, 64)
	}
	missed, page := s.c.Feed.subscribe(last)
	defer s.c.Feed.unsubscribe(page)
	w.Header().Set("Content-Type", "text/event-stream")
	control := http.NewResponseController(w)
	send := func(event, id, name string, data any) bool {
		html, err := s.part(name, data)
		if err != nil {
			s.c.Log.ErrorContext(r.Context(), "events", "error", err)
			return false
		}
		if id != "" {
			id = "id: " + id + "\n"
		}
		_ = control.SetWriteDeadline(time.Now().Add(10 * time.Second)) // a page that is stuck is given up
		_, err = fmt.Fprintf(w, "event: %s\n%sdata: %s\n\n", event, id, strings.ReplaceAll(html, "\n", ""))
		return err == nil && control.Flush() == nil
	}
	alert := func(a Alert) bool { return send("alert", strconv.FormatUint(a.ID, 10), "alert", a) }
	for _, a := range missed {
		if !alert(a) {
			return
		}
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for s.c.Now().Before(v.Expires) {
		ok := true
		select {
		case <-r.Context().Done():
			return
		case a, open := <-page:
			if !open {
				return
			}
			ok = alert(a)
		case <-tick.C:
			ok = send("panel", "", "panel", s.sampler.panel(s.c.Region, s.c.Feed.Counts()))
			if s.c.Drills != nil {
				ok = ok && send("alarms", "", "alarms", s.c.Drills.Alarms(s.c.Region))
			}
		}
		if !ok {
			return
		}
	}
}

// Drills are what the operations page can do in the local mode.
type Drills interface {
	// Board tells what can be done now.
	Board(ctx context.Context) DrillBoard
	// Run does it, asks both Regions as a visitor would, and reports.
	Run(ctx context.Context, id string, with url.Values) (*Report, error)
	// Alarms tells of the Region's CloudWatch alarms.
	Alarms(region string) []Alarm
}

// DrillBoard is the state of the two Regions.
type DrillBoard struct {
	Regions  []DrillRegion
	Accounts []string // that a swap may be of
	Swapped  string   // the pair that is swapped, if one is
	// Writer is the Region whose database takes writes; Replica the one that
	// could be promoted, empty if there is none.
	Writer, Replica string
}

// DrillRegion is the state of KMS in a Region.
type DrillRegion struct {
	Name, State string
	KeyDisabled bool
}

// Troubled reports whether anything is wrong.
func (r DrillRegion) Troubled() bool { return r.State != "healthy" || r.KeyDisabled }

// Report tells what a drill did and what came of it.
type Report struct {
	Did    string
	Visits []Visit
	Alerts []Seen
}

// Seen is what the security team of a Region saw of a drill.
type Seen struct {
	Region, Kind string
	Count        uint64
	Urgent       bool
}

// Visit is what a visitor got from a site after the drill.
type Visit struct{ Region, Did, Outcome, Took string }

// Alarm is a CloudWatch alarm of deploy/cloudformation/alarms.yaml.
type Alarm struct {
	Name, Region, State, Since string
	Ringing                    bool
}

func (s *Server) drill(w http.ResponseWriter, r *http.Request, _ *session) {
	ctx, cancel := context.WithTimeout(r.Context(), time.Minute)
	defer cancel()
	report, err := s.c.Drills.Run(ctx, r.PostForm.Get("drill"), r.PostForm)
	if err != nil {
		report = &Report{Did: "The drill was not carried out: " + err.Error()}
	}
	s.mu.Lock()
	s.report = report
	s.mu.Unlock()
	http.Redirect(w, r, "/operations#drills", http.StatusSeeOther)
}
