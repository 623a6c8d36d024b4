package rekey

import (
	"reflect"
	"testing"

	"github.com/sealsql/sealsql/rekey/internal/engine"
)

// TestThePublicTypesHaveEveryFieldOfTheEngines under the same name and JSON name, so
// that a new field is not forgotten between the two.
func TestThePublicTypesHaveEveryFieldOfTheEngines(t *testing.T) {
	pairs := [][2]any{
		{Config{}, engine.Config{}}, {Report{}, engine.Report{}}, {Counts{}, engine.Counts{}}, {Failure{}, engine.Failure{}},
		{Forecast{}, engine.Forecast{}}, {Survey{}, engine.Survey{}}, {Tally{}, engine.Tally{}}, {KeyTally{}, engine.KeyTally{}},
	}
	fields := 0
	for _, p := range pairs {
		public, internal := reflect.TypeOf(p[0]), reflect.TypeOf(p[1])
		for f := range internal.Fields() {
			if !f.IsExported() {
				continue
			}
			fields++
			if has, ok := public.FieldByName(f.Name); !ok || has.Tag != f.Tag {
				t.Errorf("%v lacks %s, or its tag is another", public, f.Name)
			}
		}
	}
	if fields < 60 {
		t.Errorf("compared %d fields", fields)
	}
}

// TestAConfigurationReachesTheEngineWhole: a field that the conversion forgets
// would be ignored without an error.
func TestAConfigurationReachesTheEngineWhole(t *testing.T) {
	var c Config
	v := reflect.ValueOf(&c).Elem()
	for i := range v.NumField() {
		fill(v.Field(i))
	}
	got := reflect.ValueOf(c.engine())
	for i := range got.NumField() {
		if got.Field(i).IsZero() {
			t.Errorf("%s is lost", got.Type().Field(i).Name)
		}
	}
}

// fill sets a value that is not the zero value.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		if c, ok := v.Interface().(*Checkpoint); ok {
			*c = *NewFile("a file")
		}
	case reflect.String:
		v.SetString("a text")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Float64:
		v.SetFloat(7)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
	case reflect.Chan:
		v.Set(reflect.MakeChan(reflect.ChanOf(reflect.BothDir, v.Type().Elem()), 0).Convert(v.Type()))
	case reflect.Func:
		v.Set(reflect.MakeFunc(v.Type(), func([]reflect.Value) []reflect.Value { return nil }))
	}
}
