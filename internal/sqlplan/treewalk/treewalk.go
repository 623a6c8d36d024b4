// Package treewalk visits every node of a parser's syntax tree, whatever types
// the parser has.
//
// A translator that lists the types of nodes it knows forgets the others, and a
// parser's own visitor forgets fields. This walk follows the exported fields of
// the tree's Go types instead, so that a field which a new version of a parser
// adds is visited too.
package treewalk

import (
	"reflect"
	"sync"
)

// Walk calls visit with every pointer to a struct in the tree, parents first.
// It goes into what a pointer leads to if visit returns true.
func Walk(root any, visit func(node any) (into bool)) {
	walk(reflect.ValueOf(root), visit)
}

func walk(v reflect.Value, visit func(any) bool) {
	switch v.Kind() {
	case reflect.Interface:
		if !v.IsNil() {
			walk(v.Elem(), visit)
		}
	case reflect.Pointer:
		if !v.IsNil() && v.Type().Elem().Kind() == reflect.Struct && visit(v.Interface()) {
			walkFields(v.Elem(), visit)
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			walk(v.Index(i), visit)
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			walk(it.Value(), visit)
		}
	case reflect.Struct:
		walkFields(v, visit)
	}
}

func walkFields(v reflect.Value, visit func(any) bool) {
	for _, i := range fieldsOf(v.Type()) {
		walk(v.Field(i), visit)
	}
}

// fields keeps, for each struct type, the indexes of the fields that can lead to
// a node.
var fields sync.Map // reflect.Type -> []int

func fieldsOf(t reflect.Type) []int {
	if list, ok := fields.Load(t); ok {
		return list.([]int)
	}
	var list []int
	for i := range t.NumField() {
		if f := t.Field(i); f.IsExported() && leads(f.Type, 0) {
			list = append(list, i)
		}
	}
	fields.Store(t, list)
	return list
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
