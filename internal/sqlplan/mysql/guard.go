package mysql

import (
	"strings"

	"github.com/sealsql/sealsql/internal/sqlplan"
)

// safeCharsets are those under which a byte of ASCII in a text is never part
// of another character.
var safeCharsets = wordSet("utf8 utf8mb3 utf8mb4 ascii binary latin1 latin2 latin5 latin7 cp1250 cp1251 cp1256 cp1257 " +
	"koi8r koi8u greek hebrew default cp850 cp852 cp866 dec8 hp8 macce macroman keybcs2 armscii8 geostd8 tis620")

// ReadableCharset reports whether this package reads texts of a session with that
// character_set_client as the server does.
func ReadableCharset(name string) bool { return safeCharsets[name] && name != "default" }

// safeModes are the names in sql_mode that do not change how a text is read.
var safeModes = wordSet("allow_invalid_dates error_for_division_by_zero ignore_space no_auto_create_user " +
	"no_auto_value_on_zero no_dir_in_create no_engine_substitution no_unsigned_subtraction no_zero_date " +
	"no_zero_in_date only_full_group_by pad_char_to_full_length real_as_float strict_all_tables strict_trans_tables " +
	"time_truncate_fractional traditional simultaneous_assignment")

func wordSet(list string) map[string]bool {
	set := map[string]bool{}
	for w := range strings.FieldsSeq(list) {
		set[w] = true
	}
	return set
}

// guard refuses what would blind the analysis of later texts, whatever this
// text names: other ways to read text, and SQL that is not shown.
type guard struct {
	modes modes
	// modeFree lets sql_mode be changed.
	modeFree bool
}

// mayConcern is a quick look for the words that the guard acts on.
func (g *guard) mayConcern(text string) bool {
	for _, w := range [...]string{"sql_mode", "prepare", "immediate", "names", "character", "charset"} {
		if containsFold(text, w) {
			return true
		}
	}
	return false
}

// check returns a refusal, or nil.
func (g *guard) check(src string) *sqlplan.Refusal {
	if !g.mayConcern(src) {
		return nil
	}
	t, err := read(src, g.modes, sqlplan.DefaultMaxDepth)
	if err != nil {
		return sqlplan.Refuse(src, -1, "", "a text that cannot be read may change how texts are read", "put it more plainly")
	}
	for _, c := range t.comments {
		if c.executable && g.check(c.body(src)) != nil {
			return sqlplan.Refuse(src, c.start, "", "an executable comment changes how texts are read", "put it outside the comment")
		}
	}
	for _, s := range t.segments() {
		if r := g.segment(t, s[0], s[1]); r != nil {
			return r
		}
	}
	return nil
}

// segment checks the statement of the tokens [i, end).
func (g *guard) segment(t *text, i, end int) *sqlplan.Refusal {
	at := -1
	switch {
	case t.word(i, "PREPARE"):
		at = t.seekWord(i, end, "FROM") + 1
	case t.word(i, "EXECUTE") && t.word(i+1, "IMMEDIATE"):
		at = i + 2
	}
	if at >= 0 {
		return g.program(t, i, at, end)
	}
	for k := i; k < end; k++ {
		if r := g.setting(t, i, k, end); r != nil {
			return r
		}
		if r := g.inProgram(t, i, k, end); r != nil {
			return r
		}
	}
	return nil
}

// inProgram checks PREPARE and EXECUTE IMMEDIATE at token k of a compound
// statement, which begins at token i.
func (g *guard) inProgram(t *text, i, k, end int) *sqlplan.Refusal {
	if !runsAtOnce(t, t.labelled(i)) {
		return nil
	}
	stop := t.seek(k, end, func(n int) bool { return t.op(n, ";") })
	switch {
	case t.word(k, "EXECUTE") && t.word(k+1, "IMMEDIATE"):
		return g.program(t, k, k+2, stop)
	case t.word(k, "PREPARE") && t.word(k+2, "FROM"):
		return g.program(t, k, k+3, stop)
	}
	return nil
}

// runsAtOnce reports whether the statement at token i is a program that is run
// when it is sent. A segment of one begins like any statement.
func runsAtOnce(t *text, i int) bool {
	return t.anyWord(i, "BEGIN", "IF", "LOOP", "REPEAT", "WHILE", "CASE", "FOR", "DECLARE", "THEN", "ELSE", "ELSEIF", "DO", "END") != ""
}

// program checks the SQL text that PREPARE and EXECUTE IMMEDIATE take. Only one
// plain string shows what will be run.
func (g *guard) program(t *text, i, at, end int) *sqlplan.Refusal {
	plain := at < end && t.tokens[at].kind == kindString && (at+1 == end || t.word(at+1, "USING"))
	if !plain {
		return sqlplan.Refuse(t.src, t.tokens[i].start, "", "SQL text that is computed when it runs cannot be analysed", "write it as one string, or send the statement itself")
	}
	inner := unquote(t.src[t.tokens[at].start:t.tokens[at].end], t.modes.noBackslashEscapes)
	if g.check(inner) != nil {
		return sqlplan.Refuse(t.src, t.tokens[at].start, "", "a prepared text changes how texts are read", "set it in the DSN")
	}
	return nil
}

// setting checks the token k of a statement that begins at token i, in case it
// is a setting that changes how texts are read.
func (g *guard) setting(t *text, i, k, end int) *sqlplan.Refusal {
	if !g.sets(t, i) {
		return nil
	}
	name := strings.ToLower(t.tokens[k].text)
	if t.tokens[k].kind == kindVar {
		name = name[strings.LastIndexAny(name, "@.`")+1:]
	}
	assigned := t.op(k+1, "=") || t.op(k+1, ":=")
	switch {
	case assigned && strings.TrimSuffix(name, "`") == "sql_mode":
		if !g.modeFree && !g.sameMode(t, k+2, end) {
			return sqlplan.Refuse(t.src, t.tokens[k].start, "", "sql_mode would change how texts are read", "set it in the DSN")
		}
	case assigned && (name == "character_set_client" || name == "character_set_connection"),
		t.word(k, "NAMES"), t.word(k, "CHARSET"), t.word(k, "CHARACTER") && t.word(k+1, "SET"):
		at := k + 1
		if assigned || t.word(k, "CHARACTER") {
			at++
		}
		if !safeCharsets[strings.ToLower(t.plainValue(at))] {
			return sqlplan.Refuse(t.src, t.tokens[k].start, "", "a character set in which ASCII bytes may be part of other characters", "use utf8mb4")
		}
	}
	return nil
}

// sets reports whether the statement at token i sets variables of the session.
func (g *guard) sets(t *text, i int) bool {
	return t.anyWord(i, "SET", "BEGIN", "IF", "LOOP", "REPEAT", "WHILE", "CASE", "FOR") != ""
}

// plainValue returns what a setting's value token spells, or "".
func (t *text) plainValue(i int) string {
	if i >= len(t.tokens) {
		return ""
	}
	switch tok := t.tokens[i]; tok.kind {
	case kindString:
		return unquote(t.src[tok.start:tok.end], t.modes.noBackslashEscapes)
	case kindWord, kindQuoted:
		return tok.text
	}
	return ""
}

// sameMode reports whether the value at token i leaves the way texts are read
// as it is: a list that reads the same, or the present value with harmless
// names put in or taken out.
func (g *guard) sameMode(t *text, i, end int) bool {
	stop := t.seek(i, end, func(k int) bool { return t.op(k, ",") || t.op(k, ")") || t.op(k, ";") || t.word(k, "FOR") })
	if stop == i+1 && t.tokens[i].kind != kindVar && t.tokens[i].kind != kindParam && t.tokens[i].kind != kindNumber && !t.word(i, "DEFAULT") {
		return parseModes(t.plainValue(i)) == g.modes
	}
	for k := i; k < stop; k++ {
		switch tok := t.tokens[k]; {
		case t.op(k, "("), t.op(k, ")"), t.op(k, ","), t.anyWord(k, "SELECT", "REPLACE", "CONCAT") != "":
		case tok.kind == kindVar && currentMode[strings.ToLower(tok.text)]:
		case tok.kind == kindString && safeModeList(t.plainValue(k)):
		default:
			return false
		}
	}
	return true
}

var currentMode = map[string]bool{"@@sql_mode": true, "@@session.sql_mode": true, "@@local.sql_mode": true}

// safeModeList is true for a list of modes, also one with commas at its ends,
// that do not change how texts are read.
func safeModeList(s string) bool {
	for name := range strings.SplitSeq(s, ",") {
		if name = strings.ToLower(strings.TrimSpace(name)); name != "" && !safeModes[name] {
			return false
		}
	}
	return true
}
