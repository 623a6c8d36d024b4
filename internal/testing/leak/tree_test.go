package leak

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"

	"github.com/sqlc-dev/marino/format"
	"github.com/sqlc-dev/marino/parser"

	"github.com/sqlc-dev/marino/ast"
	"github.com/sqlc-dev/oliphant"
)

// grammar reads and writes a dialect's syntax trees.
type grammar struct {
	parse func(text string) (any, error)
	write func(tree any) (string, error)
}

var errTree = errors.New("the tree is not one of a text")

// guarded turns a panic into an error: parsers and writers meet trees here that no
// text has.
func guarded[A, B any](f func(A) (B, error)) func(A) (B, error) {
	return func(a A) (b B, err error) {
		defer func() {
			if recover() != nil {
				err = errTree
			}
		}()
		return f(a)
	}
}

var postgresGrammar = grammar{
	parse: guarded(func(text string) (any, error) { return oliphant.Parse(text) }),
	write: guarded(func(tree any) (string, error) { return oliphant.Deparse(tree.(*oliphant.ParseResult)) }),
}

// statements is the root of a tree of MySQL's.
type statements struct{ Stmts []ast.StmtNode }

func mysqlGrammar() grammar {
	p := parser.New()
	p.SetMariaDB(true)
	return grammar{
		parse: guarded(func(text string) (any, error) {
			list, _, err := p.ParseSQL(text)
			return &statements{list}, err
		}),
		write: guarded(func(tree any) (string, error) {
			var all []string
			for _, s := range tree.(*statements).Stmts {
				var b strings.Builder
				if err := s.Restore(format.NewRestoreCtx(format.DefaultRestoreFlags, &b)); err != nil {
					return "", err
				}
				all = append(all, b.String())
			}
			return strings.Join(all, "; "), nil
		}),
	}
}

// slot is a place of a tree: a field that leads to nodes or says how they are meant,
// or an element of a list.
type slot struct {
	key   string // Type.Field
	value reflect.Value
}

// slots lists a tree's places, by reflection over its exported fields.
func slots(tree any) (list []slot) {
	seen := map[uintptr]bool{}
	var walk func(v reflect.Value, key string, depth int)
	walk = func(v reflect.Value, key string, depth int) {
		if depth > 60 {
			return
		}
		switch v.Kind() {
		case reflect.Interface, reflect.Pointer:
			if v.CanSet() {
				list = append(list, slot{key, v})
			}
			if v.IsNil() || v.Kind() == reflect.Pointer && seen[v.Pointer()] {
				return
			}
			if v.Kind() == reflect.Pointer {
				seen[v.Pointer()] = true
			}
			walk(v.Elem(), key, depth+1)
		case reflect.Slice:
			if v.CanSet() && v.Type().Elem().Kind() != reflect.Uint8 {
				list = append(list, slot{key + "[]", v})
			}
			for i := range v.Len() {
				walk(v.Index(i), key, depth+1)
			}
		case reflect.Struct:
			for i := range v.NumField() {
				if f := v.Type().Field(i); f.IsExported() && f.Type.PkgPath() != "google.golang.org/protobuf/internal/impl" {
					walk(v.Field(i), v.Type().Name()+"."+f.Name, depth+1)
				}
			}
		case reflect.Bool, reflect.Int32, reflect.Int, reflect.String:
			if v.CanSet() && !strings.HasSuffix(key, "Location") && !strings.HasSuffix(key, "Offset") {
				list = append(list, slot{key, v})
			}
		}
	}
	walk(reflect.ValueOf(tree), "", 0)
	return list
}

// library knows the seeds' trees: which of them has a place filled, by its key.
type library struct {
	grammar
	texts []string
	with  map[string][]int
	keys  map[string]bool // of the whole grammar that the seeds reach
}

func newLibrary(g grammar, texts []string) *library {
	l := &library{grammar: g, with: map[string][]int{}, keys: map[string]bool{}}
	for _, text := range texts {
		tree, err := g.parse(text)
		if err != nil {
			continue
		}
		n := len(l.texts)
		l.texts = append(l.texts, text)
		for _, s := range slots(tree) {
			l.keys[s.key] = true
			if list := l.with[s.key]; !s.value.IsZero() && (len(list) == 0 || list[len(list)-1] != n) {
				l.with[s.key] = append(list, n)
			}
		}
	}
	return l
}

// donor returns a value that some seed has at a place of that key and type.
func (l *library) donor(r *rand.Rand, key string, typ reflect.Type) (v reflect.Value, ok bool) {
	list := l.with[key]
	if len(list) == 0 {
		return v, false
	}
	tree, err := l.parse(l.texts[list[r.IntN(len(list))]])
	if err != nil {
		return v, false
	}
	var found []reflect.Value
	for _, s := range slots(tree) {
		if s.key == key && !s.value.IsZero() && s.value.Type().AssignableTo(typ) {
			found = append(found, s.value)
		}
	}
	if len(found) == 0 {
		return v, false
	}
	return found[r.IntN(len(found))], true
}

// change makes one change to a tree: a part of another seed in place of its own or in
// an empty place, a part dropped, a list longer or shorter, a flag turned.
func (l *library) change(r *rand.Rand, tree any) {
	all := slots(tree)
	if len(all) < 2 {
		return
	}
	s := all[1+r.IntN(len(all)-1)]
	switch v := s.value; v.Kind() {
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Int32, reflect.Int, reflect.String:
		if d, ok := l.donor(r, s.key, v.Type()); ok {
			v.Set(d)
		}
	case reflect.Slice:
		l.changeList(r, s)
	default:
		if !v.IsNil() && r.IntN(8) == 0 {
			v.SetZero()
			return
		}
		key := s.key
		if r.IntN(3) == 0 { // another place's value of the same type
			if same := assignable(all, v.Type()); len(same) > 0 {
				key = same[r.IntN(len(same))].key
			}
		}
		if d, ok := l.donor(r, key, v.Type()); ok {
			v.Set(d)
		}
	}
}

func (l *library) changeList(r *rand.Rand, s slot) {
	v := s.value
	n := v.Len()
	switch r.IntN(5) {
	case 0:
		if n > 0 {
			i := r.IntN(n)
			v.Set(reflect.AppendSlice(reflect.AppendSlice(reflect.MakeSlice(v.Type(), 0, n), v.Slice(0, i)), v.Slice(i+1, n)))
		}
	case 1:
		if n > 1 {
			i, j := r.IntN(n), r.IntN(n)
			a, b := v.Index(i).Interface(), v.Index(j).Interface()
			v.Index(i).Set(reflect.ValueOf(b))
			v.Index(j).Set(reflect.ValueOf(a))
		}
	case 2: // a list of another seed
		if d, ok := l.donor(r, s.key, v.Type()); ok {
			v.Set(d)
		}
	default: // an element of another seed
		if d, ok := l.donor(r, strings.TrimSuffix(s.key, "[]"), v.Type().Elem()); ok {
			v.Set(reflect.Append(v, d))
		}
	}
}

func assignable(all []slot, typ reflect.Type) (same []slot) {
	for _, s := range all {
		if s.value.Type().AssignableTo(typ) && s.value.Kind() != reflect.Slice {
			same = append(same, s)
		}
	}
	return same
}

// recombine returns a text whose tree is that of another with some changes, or not ok.
func (l *library) recombine(r *rand.Rand, text string, changes int) (string, bool) {
	tree, err := l.parse(text)
	if err != nil {
		return "", false
	}
	for range changes {
		l.change(r, tree)
	}
	made, err := l.write(tree)
	if err != nil || made == "" || len(made) > 4000 {
		return "", false
	}
	if _, err := l.parse(made); err != nil {
		return "", false
	}
	return made, true
}
