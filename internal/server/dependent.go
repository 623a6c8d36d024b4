package server

// Dependent is a thing in the database that hangs on a table's columns.
type Dependent struct {
	Kind DependentKind
	Name string
	// Text is its definition.
	Text string
	// Opaque is true if Text does not show which columns it uses.
	Opaque bool
}

// DependentKind is the kind of a [Dependent], as the servers' queries name it.
type DependentKind string

// The kinds.
const (
	Trigger         DependentKind = "trigger"
	GeneratedColumn DependentKind = "generated"
	Check           DependentKind = "check"
	Index           DependentKind = "index" // not unique
)
