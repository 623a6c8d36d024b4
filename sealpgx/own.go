package sealpgx

import (
	"bytes"
	"reflect"
	"time"
)

// own returns a value that stays what it is when the memory that v refers to changes, and
// false for one that it cannot copy.
func own(v any) (any, bool) {
	switch x := v.(type) {
	case nil, string, int64, int32, int, float64, bool, time.Time:
		return v, true
	case []byte:
		return bytes.Clone(x), true
	}
	value := reflect.ValueOf(v)
	t := value.Type()
	switch {
	case fixed(t):
		return v, true
	case t.Kind() == reflect.Pointer && (value.IsNil() || fixed(t.Elem())):
		if value.IsNil() {
			return v, true
		}
		out := reflect.New(t.Elem())
		out.Elem().Set(value.Elem())
		return out.Convert(t).Interface(), true
	case t.Kind() == reflect.Slice && fixed(t.Elem()):
		if value.IsNil() {
			return v, true
		}
		out := reflect.MakeSlice(t, value.Len(), value.Len())
		reflect.Copy(out, value)
		return out.Interface(), true
	}
	return v, false
}

// fixed reports whether a value of a type refers to no memory that may change.
func fixed(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Array:
		return fixed(t.Elem())
	case reflect.Struct:
		if t == reflect.TypeFor[time.Time]() {
			return true
		}
		for i := range t.NumField() {
			if !fixed(t.Field(i).Type) {
				return false
			}
		}
		return true
	}
	return t.Kind() >= reflect.Bool && t.Kind() <= reflect.Complex128 && t.Kind() != reflect.Uintptr || t.Kind() == reflect.String
}
