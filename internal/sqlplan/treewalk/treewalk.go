// Package treewalk visits every node of a parser's syntax tree, whatever types
// the parser has.
//
// A translator that lists the types of nodes it knows forgets the others, and a
// parser's own visitor forgets fields. This walk follows the exported fields of
// the tree's Go types instead, so that a field which a new version of a parser
// adds is visited too.
package treewalk

import (
	"maps"
	"reflect"
	"sync"
	"sync/atomic"
)

// Walk calls visit with every pointer to a struct in the tree, parents first.
// It goes into what a pointer leads to if visit returns true.
func Walk(root any, visit func(node any) (into bool)) {
	if v := reflect.ValueOf(root); v.IsValid() {
		layoutOf(v.Type()).walk(v, visit)
	}
}

// layout is how to walk the values of a type.
type layout struct {
	kind   reflect.Kind
	node   bool    // a pointer to a struct
	elem   *layout // what a pointer, slice, array or map leads to
	fields []field // of a struct: those that can lead to a node
}

type field struct {
	index int
	*layout
}

func (l *layout) walk(v reflect.Value, visit func(any) bool) {
	switch l.kind {
	case reflect.Interface:
		if e := v.Elem(); e.IsValid() {
			layoutOf(e.Type()).walk(e, visit)
		}
	case reflect.Pointer:
		if l.node && !v.IsNil() && visit(v.Interface()) {
			l.elem.walk(v.Elem(), visit)
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			l.elem.walk(v.Index(i), visit)
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			l.elem.walk(it.Value(), visit)
		}
	case reflect.Struct:
		for _, f := range l.fields {
			f.walk(v.Field(f.index), visit)
		}
	}
}

// layouts keeps the layout of each type that was met. The map is replaced whole, so
// that readers need no lock.
var (
	layouts atomic.Pointer[map[reflect.Type]*layout]
	adding  sync.Mutex
)

func layoutOf(t reflect.Type) *layout {
	if known := layouts.Load(); known != nil {
		if l, ok := (*known)[t]; ok {
			return l
		}
	}
	adding.Lock()
	defer adding.Unlock()
	more := map[reflect.Type]*layout{}
	if known := layouts.Load(); known != nil {
		maps.Copy(more, *known)
	}
	l := add(more, t)
	layouts.Store(&more)
	return l
}

// add makes the layout of a type, and of the types that it leads to.
func add(known map[reflect.Type]*layout, t reflect.Type) *layout {
	if l, ok := known[t]; ok {
		return l
	}
	l := &layout{kind: t.Kind()}
	known[t] = l // before its parts: a type may hold itself
	switch l.kind {
	case reflect.Pointer:
		if l.node = t.Elem().Kind() == reflect.Struct; l.node {
			l.elem = add(known, t.Elem())
		}
	case reflect.Slice, reflect.Array, reflect.Map:
		l.elem = add(known, t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if f := t.Field(i); f.IsExported() && leads(f.Type, 0) {
				l.fields = append(l.fields, field{i, add(known, f.Type)})
			}
		}
	}
	return l
}

// leads reports whether a value of the type may hold a pointer to a struct.
func leads(t reflect.Type, depth int) bool {
	if depth > 8 {
		return true // a type within itself
	}
	switch t.Kind() {
	case reflect.Interface, reflect.Pointer:
		return true
	case reflect.Slice, reflect.Array, reflect.Map:
		return leads(t.Elem(), depth+1)
	case reflect.Struct:
		for i := range t.NumField() {
			if t.Field(i).IsExported() && leads(t.Field(i).Type, depth+1) {
				return true
			}
		}
	}
	return false
}
