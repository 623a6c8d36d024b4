package leak

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// Names of the seeds' schema.
var (
	protectedTables  = []string{"accounts", "people", "order_lines", "docs", "users", "few", "tags", "v_accounts", "events", "items", "Чеки", "idents", "crm.accounts", "members", "v_members", "invites", "tokens", "cards"}
	protectedColumns = []string{"ssn", "note", "secret", "body", "balance", "цена", "payload", "accounts.ssn", "a.ssn", "people.ssn", "tax_id", "email", "phone", "code", "pin", "token", "mail", "m.email", "number"}
	otherNames       = []string{"account_number", "name", "id", "tenant_id", "other", "plain", "text_column", "v", "label", "title", "grp", "data", "x", "a", "o", "p", "t", "n", "old", "new", "excluded", "email_eq", "phone_eq", "m", "i", "mail"}
	misspelt         = []string{"ssm", "sssn", "notte", "secrett", "balanc"}
)

// mutator changes texts of a dialect.
type mutator struct {
	*rand.Rand
	mysql bool
	seeds []seed
}

func (m *mutator) one(list ...string) string { return list[m.IntN(len(list))] }

// another is the tokens of some seed.
func (m *mutator) another() []token { return tokens(m.seeds[m.IntN(len(m.seeds))].text, m.mysql) }

// words are the tokens that are names or keywords.
func words(list []token) []int { return where(list, func(t token) bool { return t.kind == kindWord }) }

// values are the tokens that are values.
func values(list []token) []int {
	return where(list, func(t token) bool { return t.kind == kindString || t.kind == kindNumber || t.kind == kindParam })
}

// replace puts a text in the place of tokens.
func replace(list []token, from, to int, text string) []token {
	return slices.Concat(list[:from], []token{{kindGarbage, text}}, list[to:])
}

// mutations change a list of tokens, or return nil where they do not apply.
var mutations = []func(m *mutator, list []token) []token{
	(*mutator).swapName, (*mutator).swapName, (*mutator).respell, (*mutator).swapGroup, (*mutator).swapGroup, (*mutator).wrapValue, (*mutator).wrapName,
	(*mutator).wrapStatement, (*mutator).comment, (*mutator).clause, (*mutator).clause, (*mutator).element, (*mutator).cross, (*mutator).cross, (*mutator).alias,
	(*mutator).compare, (*mutator).drop,
}

// mutate changes a text in a random way.
func (m *mutator) mutate(text string) string {
	list := tokens(text, m.mysql)
	for range 8 {
		if made := mutations[m.IntN(len(mutations))](m, list); made != nil && len(made) < 1500 {
			return join(made)
		}
	}
	return text
}

func (m *mutator) name() string {
	switch m.IntN(5) {
	case 0:
		return m.one(protectedTables...)
	case 1, 2:
		return m.one(protectedColumns...)
	}
	return m.one(otherNames...)
}

// swapName puts another name in the place of one.
func (m *mutator) swapName(list []token) []token {
	at := words(list)
	if len(at) == 0 {
		return nil
	}
	name := m.name()
	if m.IntN(3) == 0 {
		name = list[at[m.IntN(len(at))]].text
	}
	i := at[m.IntN(len(at))]
	return replace(list, i, i+1, name)
}

// respell spells a name otherwise: in another case, quoted, with letters that servers
// fold, or wrongly.
func (m *mutator) respell(list []token) []token {
	at := words(list)
	if len(at) == 0 {
		return nil
	}
	i := at[m.IntN(len(at))]
	name := strings.Trim(list[i].text, "`\"")
	quote := `"`
	if m.mysql {
		quote = "`"
	}
	spelled := m.one(strings.ToUpper(name), strings.ToTitle(name[:1])+name[1:], quote+name+quote, quote+strings.ToUpper(name)+quote,
		quote+strings.Replace(name, "s", "ſ", 1)+quote, quote+strings.Replace(name, "i", "İ", 1)+quote, strings.Replace(name, "k", "K", 1), m.one(misspelt...))
	if !m.mysql && name != "" && name[0] < 0x80 && m.IntN(4) == 0 {
		spelled = fmt.Sprintf(`U&"\%04x%s"`, name[0], name[1:])
	}
	return replace(list, i, i+1, spelled)
}

// swapGroup puts a group in parentheses of another seed in the place of a group or of a
// token.
func (m *mutator) swapGroup(list []token) []token {
	donor := m.another()
	theirs, ours := groups(donor), groups(list)
	if len(theirs) == 0 {
		return nil
	}
	g := theirs[m.IntN(len(theirs))]
	text := join(donor[g[0]:g[1]])
	if len(ours) > 0 && m.IntN(3) > 0 {
		o := ours[m.IntN(len(ours))]
		return replace(list, o[0], o[1], text)
	}
	at := append(values(list), words(list)...)
	if len(at) == 0 {
		return nil
	}
	i := at[m.IntN(len(at))]
	return replace(list, i, i+1, text)
}

// wrapValue puts a value into an expression.
func (m *mutator) wrapValue(list []token) []token {
	at := values(list)
	if len(at) == 0 {
		return nil
	}
	i := at[m.IntN(len(at))]
	v := list[i].text
	forms := []string{"(" + v + ")", "CAST(" + v + " AS CHAR)", "COALESCE(" + v + ", NULL)", "COALESCE(NULL, " + v + ")", "(SELECT " + v + ")", "CASE WHEN 1 = 1 THEN " + v + " END",
		"CONCAT(" + v + ", '')", "UPPER(" + v + ")", "NULLIF(" + v + ", '')", "(" + v + ", " + v + ")", "TRIM(" + v + ")"}
	if m.mysql {
		forms = append(forms, "IF(1, "+v+", NULL)", "IFNULL("+v+", 1)", "_utf8mb4 "+v, "("+v+" COLLATE utf8mb4_bin)", "@v := "+v, "CONVERT("+v+" USING utf8mb4)", "VALUES("+v+")")
	} else {
		forms = append(forms, v+"::text", v+"::bytea", v+"::varchar", "(ARRAY["+v+"])[1]", "ROW("+v+")", v+` COLLATE "C"`, "ANY (ARRAY["+v+"])", "to_jsonb("+v+"::text)", "convert_to("+v+", 'UTF8')")
	}
	return replace(list, i, i+1, m.one(forms...))
}

// wrapName puts a name into an expression.
func (m *mutator) wrapName(list []token) []token {
	at := words(list)
	if len(at) == 0 {
		return nil
	}
	i := at[m.IntN(len(at))]
	v := list[i].text
	forms := []string{"(" + v + ")", "lower(" + v + ")", "COALESCE(" + v + ", '')", "CASE " + v + " WHEN 'm' THEN 1 END", "(SELECT " + v + ")", "max(" + v + ")", v + ".*", v + ".ssn",
		m.one(protectedTables...) + "." + v, v + " AS " + m.name(), "CONCAT(" + v + ", 'm')", v + " IS NULL OR " + v, "t." + v, "DEFAULT", "row_number() OVER (ORDER BY " + v + ")"}
	if m.mysql {
		forms = append(forms, "BINARY "+v, "VALUES("+v+")", "IF("+v+" = 'm', 1, 2)", "new."+v)
	} else {
		forms = append(forms, v+"::text", "("+v+").ssn", "(new)."+v, "(old)."+v, "old."+v, "new."+v, "ssn("+v+")", "to_jsonb("+v+")", "array_agg("+v+")", v+"[1]", "EXCLUDED."+v)
	}
	return replace(list, i, i+1, m.one(forms...))
}

// wrapStatement puts the whole into another statement, or another beside it.
func (m *mutator) wrapStatement(list []token) []token {
	s := join(list)
	c := m.one(protectedColumns...)
	forms := []string{"WITH c AS (" + s + ") SELECT * FROM c", "WITH c AS (" + s + ") SELECT 1 FROM c WHERE " + c + " = 'm'", "EXPLAIN " + s, "EXPLAIN ANALYZE " + s, s + "; " + join(m.another()),
		"CREATE VIEW made AS " + s, "CREATE TABLE made AS " + s, "INSERT INTO plain (id, ssn) " + s, "INSERT INTO accounts (account_number, ssn) " + s, "SELECT * FROM (" + s + ") x",
		"SELECT * FROM (" + s + ") x WHERE x." + c + " = 'm'", "(" + s + ")", s + " UNION ALL " + join(m.another()), s + " INTERSECT " + join(m.another()), "PREPARE p AS " + s, s + ";",
		"SELECT EXISTS (" + s + ")", "SELECT 1 FROM accounts WHERE ssn IN (" + s + ")"}
	if m.mysql {
		forms = append(forms, "PREPARE p FROM '"+strings.ReplaceAll(s, "'", "''")+"'", "EXECUTE IMMEDIATE '"+strings.ReplaceAll(s, "'", "''")+"'", "BEGIN NOT ATOMIC "+s+"; END",
			"SET STATEMENT max_statement_time = 1 FOR "+s, "/*!50000 "+s+" */", "ANALYZE "+s, "CREATE PROCEDURE made() "+s, "DO ("+s+")", "SET @x = ("+s+")")
	} else {
		forms = append(forms, "COPY ("+s+") TO STDOUT", "DECLARE cur CURSOR FOR "+s, "DO $q$ BEGIN "+s+"; END $q$", "CREATE SCHEMA made CREATE VIEW w AS "+s,
			"CREATE MATERIALIZED VIEW made AS "+s, "CREATE FUNCTION made() RETURNS void LANGUAGE sql BEGIN ATOMIC "+s+"; END", "SELECT ARRAY("+s+")", "CREATE RULE made AS ON INSERT TO other DO ALSO "+s,
			"WITH c AS MATERIALIZED ("+s+") DELETE FROM other USING c WHERE c."+c+" = 'm'")
	}
	return []token{{kindGarbage, m.one(forms...)}}
}

// comment puts a comment somewhere, or makes one of some tokens.
func (m *mutator) comment(list []token) []token {
	i := m.IntN(len(list) + 1)
	if m.mysql && m.IntN(2) == 0 {
		j := min(len(list), i+1+m.IntN(6))
		return replace(list, i, j, m.one("/*! ", "/*!50000 ", "/*M! ", "/*!99999 ", "/*!40101, ")+join(list[i:j])+" */")
	}
	return replace(list, i, i, m.one(" /* x */ ", " -- x\n", " /* ' */ ", " /* \" */ ", " /**/ ", " /* /* x */ */ "))
}

// clause adds a clause at the end or before some keyword.
func (m *mutator) clause(list []token) []token {
	c := m.one(protectedColumns...)
	forms := []string{" WHERE " + c + " = 'm'", " WHERE 'm' IN (" + c + ", name)", " AND " + c + " LIKE 'm%'", " OR " + c + " BETWEEN 'm' AND 'n'", " ORDER BY " + c + " = 'm'", " GROUP BY " + c + " HAVING " + c + " > 'm'",
		" LIMIT 1", " RETURNING *", " RETURNING " + c + " = 'm'", " RETURNING " + c, " FOR UPDATE", " UNION SELECT 'm' FROM accounts", ", " + c + " = 'm'", " SET " + c + " = 'm'", ", 'm'", " (" + c + ") VALUES ('m')",
		" JOIN accounts USING (account_number)", " RIGHT JOIN accounts USING (account_number)", " JOIN accounts ON accounts.ssn = 'm'", ", accounts", " AS n(i, ssn)", " AS n(x, y, z)", " AS new", " WHERE NOT EXISTS (SELECT 1 FROM accounts WHERE " + c + " = 'm')"}
	if m.mysql {
		forms = append(forms, " ON DUPLICATE KEY UPDATE "+c+" = 'm'", " ON DUPLICATE KEY UPDATE "+c+" = VALUES("+c+")", " ON DUPLICATE KEY UPDATE "+c+" = VALUES(name)", " ON DUPLICATE KEY UPDATE "+c+" = n."+c,
			" AS n(i, ssn) ON DUPLICATE KEY UPDATE ssn = n.ssn", " INTO OUTFILE '/tmp/x'", " PROCEDURE ANALYSE('m')")
	} else {
		forms = append(forms, " ON CONFLICT DO NOTHING", " ON CONFLICT (account_number) DO UPDATE SET "+c+" = 'm'", " ON CONFLICT (account_number) DO UPDATE SET "+c+" = EXCLUDED."+c, " ON CONFLICT (id) DO UPDATE SET "+c+" = EXCLUDED.name WHERE "+c+" = 'm'",
			" RETURNING old."+c+", new."+c+" = 'm'", " RETURNING (old)."+c+" = 'm'", " RETURNING to_jsonb(new)", " TABLESAMPLE BERNOULLI ((SELECT 1 FROM accounts WHERE "+c+" = 'm'))", " WINDOW w AS (ORDER BY "+c+" = 'm')",
			" WHEN MATCHED THEN UPDATE SET "+c+" = 'm'", " WHEN NOT MATCHED BY SOURCE THEN UPDATE SET "+c+" = 'm'", " COLLATE \"C\"")
	}
	text := m.one(forms...)
	if m.IntN(2) == 0 {
		return replace(list, len(list), len(list), text)
	}
	i := m.IntN(len(list) + 1)
	return replace(list, i, i, text)
}

// element doubles an element of a list, leaves it out, moves it, or takes that of
// another seed.
func (m *mutator) element(list []token) []token {
	all := elements(list)
	if len(all) == 0 {
		return nil
	}
	e := all[m.IntN(len(all))]
	text := join(list[e[0]:e[1]])
	switch m.IntN(4) {
	case 0:
		return replace(list, e[1], e[1], ", "+text)
	case 1:
		if e[1] < len(list) && list[e[1]].text == "," {
			return slices.Concat(list[:e[0]], list[e[1]+1:])
		}
		return nil
	case 2:
		f := all[m.IntN(len(all))]
		if f[0] < e[1] {
			return nil
		}
		return slices.Concat(list[:e[0]], list[f[0]:f[1]], list[e[1]:f[0]], list[e[0]:e[1]], list[f[1]:])
	}
	donor := m.another()
	theirs := elements(donor)
	if len(theirs) == 0 {
		return nil
	}
	d := theirs[m.IntN(len(theirs))]
	return replace(list, e[0], e[1], join(donor[d[0]:d[1]]))
}

var keywords = []string{"WHERE", "SET", "FROM", "VALUES", "RETURNING", "ON", "USING", "SELECT", "ORDER", "GROUP", "AS", "JOIN", "WHEN", "UNION", "LIMIT", "INTO", "AND"}

// cross takes the beginning of a text, up to a keyword, and another's end from the same
// keyword on.
func (m *mutator) cross(list []token) []token {
	donor := m.another()
	for range 6 {
		k := m.one(keywords...)
		is := func(t token) bool { return strings.EqualFold(t.text, k) }
		ours, theirs := where(list, is), where(donor, is)
		if len(ours) > 0 && len(theirs) > 0 {
			return slices.Concat(list[:ours[m.IntN(len(ours))]], donor[theirs[m.IntN(len(theirs))]:])
		}
	}
	return nil
}

// alias gives a name to what goes before, or another name to a table.
func (m *mutator) alias(list []token) []token {
	at := words(list)
	if len(at) == 0 {
		return nil
	}
	i := at[m.IntN(len(at))]
	return replace(list, i+1, i+1, m.one(" AS ", " ")+m.name())
}

// compare puts a comparison with a protected column in the place of a token or a group.
func (m *mutator) compare(list []token) []token {
	at := append(values(list), words(list)...)
	if len(at) == 0 {
		return nil
	}
	i := at[m.IntN(len(at))]
	c := m.one(append(slices.Clone(protectedColumns), misspelt...)...)
	return replace(list, i, i+1, m.one("("+c+" = 'm')", c+" <> 'm'", "lower("+c+") = 'm'", "('m' = "+c+")", "CASE "+c+" WHEN 'm' THEN 1 END", "("+c+", 1) = ('m', 1)", "COALESCE("+c+", '') = 'm'",
		"CONCAT("+c+", 'm')", "("+c+" IS NULL AND "+c+" > 'm')", "NULLIF("+c+", 'm')", c+" IN ('m', 'n')", "NOT "+c+" LIKE 'm'"))
}

// drop leaves out some tokens.
func (m *mutator) drop(list []token) []token {
	if len(list) < 3 {
		return nil
	}
	i := m.IntN(len(list))
	return slices.Concat(list[:i], list[min(len(list), i+1+m.IntN(4)):])
}
