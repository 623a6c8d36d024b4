package policy_test

import (
	"os"
	"reflect"
	"testing"

	"github.com/sealsql/sealsql/policy"
)

// TestAPolicyDoesNotChangeThroughWhatItReturns: every slice, and what a pointer shows,
// is the caller's own.
func TestAPolicyDoesNotChangeThroughWhatItReturns(t *testing.T) {
	data, err := os.ReadFile("../policy.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	read := func() *policy.Policy {
		p, err := policy.Parse("policy.example.yaml", data)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	p := read()
	changed := 0
	for _, got := range []any{p.Tables(), p.Views(), p.Alerts(), p.Warnings()} {
		changed += zero(reflect.ValueOf(got))
	}
	for _, name := range p.Keyrings() {
		k, _ := p.Keyring(name)
		changed += zero(reflect.ValueOf(&k))
	}
	if !reflect.DeepEqual(p, read()) {
		t.Error("the policy changed")
	}
	if changed < 100 {
		t.Errorf("only %d values were changed", changed)
	}
}

// zero overwrites all that v shows, as far as it can be reached, and counts it.
func zero(v reflect.Value) (n int) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			n += zero(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			n += zero(v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			n += zero(v.Field(i))
		}
	default:
		if v.CanSet() {
			v.SetZero()
			n++
		}
	}
	return n
}
