package leak

import (
	"slices"
	"time"
)

// shrink leaves out parts of a script as long as it is a find of the same kind. What
// was planted stays whole.
func (f *fuzz) shrink(s *script, v verdict) *script {
	until := time.Now().Add(20 * time.Second)
	kind := func(text string) string { return text[:min(len(text), 12)] }
	best := *s
	same := func(made *script) bool {
		return time.Now().Before(until) && !unsafe(made) && kind(f.try(made).find) == kind(v.find)
	}
	for i := len(best.first) - 1; i >= 0; i-- {
		made := best
		made.first = slices.Delete(slices.Clone(best.first), i, i+1)
		if same(&made) {
			best = made
		}
	}
	for size := 16; size > 0; size /= 2 {
		for at := 0; ; {
			list := tokens(best.text, f.gen.mysql)
			if at >= len(list) {
				break
			}
			made := best.without(list, at, min(len(list), at+size), f.gen.mysql)
			if made != nil && same(made) {
				best = *made
				continue
			}
			at += size
		}
	}
	return &best
}

// without is the script without some tokens, and without the arguments of the
// parameters among them; nil where a plant would be cut.
func (s *script) without(list []token, from, to int, mysql bool) *script {
	made := *s
	made.text = join(slices.Concat(list[:from], list[to:]))
	for _, m := range s.planted {
		if !containsPlant(made.text, m) {
			return nil
		}
	}
	if !mysql {
		return &made
	}
	isParam := func(t token) bool { return t.kind == kindParam }
	first := len(where(list[:from], isParam))
	n := len(where(list[from:to], isParam))
	if first+n > len(s.args) {
		return nil
	}
	made.args = slices.Delete(slices.Clone(s.args), first, first+n)
	return &made
}
