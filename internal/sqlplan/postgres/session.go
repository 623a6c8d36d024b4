package postgres

import (
	"strings"

	"github.com/sealsql/sealsql/internal/sqlplan"
)

// changesSession reports whether a text may change which relation a name means
// in later texts: the search path, the role, temporary relations.
func changesSession(text string) bool {
	folded := lower(text)
	if !namesSession(folded) {
		return false
	}
	if strings.Contains(folded, "search_path") || strings.Contains(folded, "set_config") {
		return true
	}
	tokens, err := lex(text)
	if err != nil {
		return true
	}
	first, do := true, false
	for _, t := range tokens {
		if do && t.kind == kindString && namesSession(folded[t.start:t.end]) {
			return true
		}
		if t.kind != kindWord && t.kind != kindQuoted {
			first = t.kind == kindOp && t.text == ";"
			continue
		}
		if first && t.kind == kindWord && settingVerbs[t.text] || temporaryWords[t.text] {
			return true
		}
		do = do && !first || first && t.kind == kindWord && t.text == "do"
		first = false
	}
	return false
}

// conformingStrings is the setting under which [lex] splits texts as the server does.
const conformingStrings = "standard_conforming_strings"

// changesStrings returns where a text may turn the setting off, or -1: later texts would
// be split into other tokens than this package sees.
func changesStrings(text string) int {
	folded := lower(text)
	at := strings.Index(folded, conformingStrings)
	if at < 0 || !strings.Contains(folded, "set") {
		return -1
	}
	tokens, err := lex(text)
	if err != nil {
		return at
	}
	shown := shows(tokens)
	for i, t := range tokens {
		named := strings.Contains(folded[t.start:t.end], conformingStrings)
		if named && !turnsOn(tokens, i) && (!shown || t.kind != kindString) {
			return t.start
		}
	}
	return -1
}

// turnsOn reports whether token i is the setting's name in SET … = on, as the head of each
// dump of pg_dump has it.
func turnsOn(tokens []token, i int) bool {
	name := tokens[i]
	if name.kind != kindWord || name.text != conformingStrings || i+2 >= len(tokens) {
		return false
	}
	first := i - 1
	if first > 0 && (tokens[first].text == "session" || tokens[first].text == "local") {
		first--
	}
	starts := first == 0 || first > 0 && tokens[first-1].is(";")
	to := tokens[i+1].is("=") || tokens[i+1].kind == kindWord && tokens[i+1].text == "to"
	ends := i+3 == len(tokens) || tokens[i+3].is(";")
	return starts && to && ends && tokens[first].kind == kindWord && tokens[first].text == "set" && tokens[i+2].kind == kindWord && tokens[i+2].text == "on"
}

// shows reports whether each statement is a SELECT or SHOW that changes no setting.
func shows(tokens []token) bool {
	first := true
	for i, t := range tokens {
		switch {
		case t.is(";"):
			first = true
		case first && (t.kind != kindWord || t.text != "select" && t.text != "show"):
			return false
		case i > 0 && t.is("(") && calls(tokens[i-1]):
			return false
		default:
			first = false
		}
	}
	return true
}

// settingVerbs begin statements that change settings; temporaryWords are in those that
// make or name temporary relations.
var (
	settingVerbs   = wordSet("discard reset set")
	temporaryWords = wordSet("temp temporary pg_temp")
)

// steady are the first words of statements that leave the session's settings as they
// are, and the meaning of names.
var steady = wordSet("select insert update delete merge with values table explain begin start commit rollback end abort savepoint release " +
	"truncate alter comment grant revoke lock listen unlisten notify vacuum analyze copy prepare deallocate declare fetch move close " +
	"cluster reindex refresh checkpoint show")

// pure are functions of the server that run no SQL and set nothing. Most texts call no
// others; after another the session is read again.
var pure = wordSet("abs age any all array array_agg array_append array_length array_position array_remove array_to_string avg bit_length btrim " +
	"cardinality cast ceil ceiling char_length chr clock_timestamp coalesce concat concat_ws convert_from convert_to count crypt cume_dist current_date " +
	"current_schema current_schemas current_setting current_timestamp current_user date_part date_trunc decode dense_rank digest encode every exists " +
	"extract first_value floor format gen_random_uuid generate_series greatest grouping has_table_privilege initcap json_agg json_build_array " +
	"json_build_object json_object_agg jsonb_agg jsonb_array_elements jsonb_array_elements_text jsonb_build_array jsonb_build_object jsonb_each " +
	"jsonb_each_text jsonb_extract_path_text jsonb_object_agg jsonb_object_keys jsonb_set jsonb_typeof json_typeof justify_interval lag last_value lastval " +
	"lead least left length lower lpad ltrim make_date make_interval make_timestamp max md5 min mod mode now nth_value ntile nullif obj_description octet_length " +
	"overlay percent_rank percentile_cont percentile_disc pg_advisory_lock pg_advisory_unlock pg_advisory_xact_lock pg_backend_pid pg_get_expr pg_sleep " +
	"pg_table_is_visible pg_try_advisory_lock pg_try_advisory_xact_lock pg_typeof position power quote_ident quote_literal quote_nullable random rank " +
	"regexp_match regexp_matches regexp_replace regexp_split_to_array regexp_split_to_table repeat replace reverse right round row row_number row_to_json " +
	"rpad rtrim sha256 sign some split_part sqrt starts_with statement_timestamp stddev string_agg string_to_array strpos substr substring sum to_char " +
	"to_date to_hex to_json to_jsonb to_number to_regclass to_timestamp to_tsquery to_tsvector transaction_timestamp translate trim trunc unnest upper " +
	"uuid_generate_v4 variance version width_bucket nextval currval setval")

// grammar are words of the grammar before a parenthesis that calls nothing.
var grammar = wordSet("and or not in as on using values select from where having by when then else case between like ilike similar set into returning " +
	"limit offset fetch over filter within group order partition distinct union intersect except with recursive materialized lateral only join " +
	"inner left right full cross natural is null default key unique primary references check foreign constraint exclude generated always identity " +
	"varchar char character numeric decimal bit time timestamp timestamptz interval float varying precision conflict nothing do update rollup cube sets " +
	"index table view tablesample bernoulli system ordinality rows include explain analyze verbose")

func wordSet(list string) map[string]bool {
	set := map[string]bool{}
	for w := range strings.FieldsSeq(list) {
		set[w] = true
	}
	return set
}

// doubtful reports whether a text may leave the session with other settings than it
// had, or names with other meanings: it is not certain that it does not.
func doubtful(text string) bool {
	if strings.Contains(lower(text), "pg_settings") {
		return true
	}
	if sqlplan.OneStatement(text) && !strings.Contains(text, "(") {
		return false
	}
	tokens, err := lex(text)
	if err != nil {
		return true
	}
	first, verb := true, ""
	for i, t := range tokens {
		switch {
		case t.kind == kindOp && t.text == ";":
			first = true
		case first && t.is("("):
		case first:
			first, verb = false, t.text
			if t.kind != kindWord || !steady[t.text] {
				return true
			}
		case t.is("(") && calls(tokens[i-1]) && !lists(verb, tokens[:i]):
			return true
		}
	}
	return false
}

// calls reports whether a parenthesis after the token may call a function that does
// more than compute.
func calls(before token) bool {
	switch before.kind {
	case kindWord:
		return !pure[before.text] && !grammar[before.text]
	case kindQuoted:
		return !pure[before.text]
	}
	return false
}

// lists reports whether the last of the tokens is a name before a list of columns:
// INSERT INTO t (a), WITH t (a), FROM f() AS t (a).
func lists(verb string, tokens []token) bool {
	n := len(tokens)
	for n > 1 && (tokens[n-1].kind == kindWord || tokens[n-1].kind == kindQuoted || tokens[n-1].is(".")) {
		n--
		switch word := tokens[n].text; {
		case tokens[n].kind != kindWord:
		case word == "into", word == "as", word == "with", word == "recursive", word == "copy" && verb == "copy":
			return n < len(tokens)-1
		}
	}
	return false
}

// namesSession looks for the words by which such a change is spelt, in text in lower
// case; a name between U&" and " may be any of them.
func namesSession(folded string) bool {
	for _, w := range [...]string{"search_path", "set_config", "temp", "role", "schema", "authorization", "discard", "reset", `u&"`} {
		if strings.Contains(folded, w) {
			return true
		}
	}
	return false
}

// countStatements counts a text's statements; 0 if that is not certain.
func countStatements(text string) int {
	tokens, err := lex(text)
	if err != nil {
		return 0
	}
	n, open := 0, false
	for _, t := range tokens {
		if t.kind == kindOp && t.text == ";" {
			open = false
		} else if !open {
			open = true
			n++
		}
	}
	return n
}
