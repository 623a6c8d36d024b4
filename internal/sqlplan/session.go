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

// InDoubt returns the plan of a text after which the session is to be read again.
func (p *Plan) InDoubt() *Plan {
	own := *p
	own.Doubt = true
	return &own
}
