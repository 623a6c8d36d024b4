package sqlplan

// ForSession returns the plan of a text that changes its session. A text of
// several statements may not, if it names a protected table: the later ones
// were planned as the session was.
func (p *Plan) ForSession(text string, statements int) (*Plan, error) {
	if statements != 1 && p.Named {
		return nil, Refuse(text, -1, "", "a text that changes what names mean, or how texts are read, and names a protected table", "send its statements one by one")
	}
	own := *p
	own.Session, own.Doubt = true, true
	return &own, nil
}

// Effect is what a text may do to its session beside what the session's settings are.
type Effect struct{ Doubt, Locks, Unlocks, Once bool }

// With returns the plan of a text that has an effect.
func (p *Plan) With(e Effect) *Plan {
	if e == (Effect{}) {
		return p
	}
	own := *p
	own.Doubt, own.Locks, own.Unlocks, own.Once = own.Doubt || e.Doubt, e.Locks, e.Unlocks, e.Once
	return &own
}
