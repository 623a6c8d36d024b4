package exec

import "context"

// Host is a driver.Connector to the packages of this module that carry out statements
// without database/sql: the engine in force, and what all connections share. It is safe
// for concurrent use.
type Host interface {
	// Engine returns the engine in force.
	Engine() *Engine
	// Start has the engine in force read from the database, over connections of its own,
	// what planning depends on, unless it has.
	Start(ctx context.Context) error
}

// HostOf returns the Host of a driver.Connector. Package driver sets it.
var HostOf func(connector any) Host

// Passes reports whether a text may be sent on any connection as it is, without its
// Session: it names nothing that may be protected, and it changes neither session nor tables.
func (e *Engine) Passes(ctx context.Context, text string) bool {
	if !e.Started() {
		return false
	}
	plan, err := e.Plan(ctx, text)
	return err == nil && !plan.Protected && !plan.Named && !plan.Session && !plan.Doubt && !plan.Locks && !plan.Unlocks && !plan.Once && !plan.Defines && !e.spelt(text)
}
