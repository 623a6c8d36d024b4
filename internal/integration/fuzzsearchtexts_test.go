package integration

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// searches makes random statements that compare and write the searchable columns of
// fuzzSearchDir's tables.
type searches struct {
	*rand.Rand
	mysql bool
	marks []mark // of parameters
	depth int    // of the condition at hand
	items int    // so far, so that each has a name of its own
}

// mark stands in a text for a parameter.
type mark struct {
	kind  string
	value any
}

// field is a column, and the kind of its values: those of one kind can be compared.
type field struct{ name, kind string }

// item is an entry of FROM.
type item struct {
	name   string
	fields []field
}

var tables = map[string][]field{
	"users":   {{"email", "mail"}, {"phone", "phone"}, {"code", "code"}, {"pin", "pin"}, {"age", "age"}, {"name", "name"}, {"nick", "nick"}, {"tenant_id", "tenant"}, {"id", "id"}},
	"invites": {{"mail", "mail"}, {"email", "mail"}, {"user_id", "id"}, {"label", "label"}, {"id", "id"}},
	"tokens":  {{"token", "token"}, {"used", "tenant"}},
	"orders":  {{"user_id", "id"}, {"tenant_id", "tenant"}, {"mail", "open"}, {"id", "id"}},
	"v_users": {{"email", "mail"}, {"name", "name"}, {"tenant_id", "tenant"}, {"id", "id"}},
}

// pools are the values of each kind: few, so that comparisons hold.
var pools = map[string][]any{
	"mail":   {"ada@leak.example", "ADA@leak.example", "ben@leak.example", "Ben@Leak.Example", "cleo@leak.example", "zoe@leak.example", "fay@LEAK.example", ""},
	"phone":  {"901-11-0001", "901-11-0002", "901-11-0003", "901-11-0009", ""},
	"code":   {"902-22-0001", "902-22-0002", "902-22-0009"},
	"pin":    {"903-33-0001", "903-33-0030", "903-33-0297", "903-33-0009", ""}, // the first three share a term
	"age":    {int64(770000001), int64(770000002), int64(770000003), int64(770000009)},
	"token":  {"904-44-0001", "904-44-0002", "904-44-0003", "904-44-0009"},
	"name":   {"Ada", "Ben", "Cleo", "Zoe", ""},
	"nick":   {"ada", "ben@open.example", "cleo", ""},
	"label":  {"x", "y", "z"},
	"open":   {"a@open.example", "ben@open.example"},
	"tenant": {int64(1), int64(2), int64(0)},
	"id":     {int64(1), int64(2), int64(3), int64(4), int64(9)},
	"note":   {"secret note", "secret more", ""},
}

// protected are the kinds whose values the server never sees.
var protected = map[string]bool{"mail": true, "phone": true, "code": true, "pin": true, "age": true, "token": true, "note": true}

func (g *searches) one(list ...string) string { return list[g.IntN(len(list))] }

// often is true n times of ten.
func (g *searches) often(n int) bool { return g.IntN(10) < n }

// value is a literal, NULL or a parameter.
func (g *searches) value(kind string) string {
	switch n := g.IntN(20); {
	case n == 0:
		return "NULL"
	case n < 9:
		return g.literal(kind)
	}
	return g.param(kind)
}

func (g *searches) literal(kind string) string {
	v := pools[kind][g.IntN(len(pools[kind]))]
	if s, ok := v.(string); ok {
		return "'" + s + "'"
	}
	return fmt.Sprint(v)
}

// param is a parameter.
func (g *searches) param(kind string) string {
	v := pools[kind][g.IntN(len(pools[kind]))]
	if g.IntN(15) == 0 {
		v = nil
	}
	return g.arg(kind, v)
}

// arg is a mark in the place of a parameter: which of them the text keeps, and in which
// order, is known at the end.
func (g *searches) arg(kind string, v any) string {
	g.marks = append(g.marks, mark{kind, v})
	return fmt.Sprintf("«%d»", len(g.marks)-1)
}

var marked = regexp.MustCompile(`«\d+»`)

// number puts parameters in the places of marks. On Postgres, a text may name one twice.
func (g *searches) number(text string) (string, []any) {
	var args []any
	var kinds []string
	numbers := map[string]string{}
	text = marked.ReplaceAllStringFunc(text, func(at string) string {
		if n := numbers[at]; n != "" && !g.mysql {
			return n
		}
		i, _ := strconv.Atoi(strings.Trim(at, "«»"))
		m := g.marks[i]
		if k := slices.Index(kinds, m.kind); k >= 0 && !g.mysql && g.often(3) {
			numbers[at] = fmt.Sprint("$", k+1)
			return numbers[at]
		}
		args, kinds = append(args, m.value), append(kinds, m.kind)
		if g.mysql {
			return "?"
		}
		numbers[at] = fmt.Sprint("$", len(args))
		return numbers[at]
	})
	return text, args
}

// array is a parameter for a slice.
func (g *searches) array(kind string) string {
	var list []string
	for range g.IntN(4) {
		list = append(list, pools[kind][g.IntN(len(pools[kind]))].(string))
	}
	return g.arg(kind+"[]", list)
}

func (g *searches) values(kind string, n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = g.value(kind)
	}
	return strings.Join(list, ", ")
}

// from is an entry of FROM and its text.
func (g *searches) from(names ...string) (item, string) {
	table := g.one(names...)
	g.items++
	x := item{fmt.Sprint("t", g.items), tables[table]}
	if g.often(2) && g.depth < 2 {
		return x, "(" + g.inner(table, x.fields) + ") " + x.name
	}
	return x, table + g.one(" ", " AS ") + x.name
}

// inner is a query that returns all fields of a table.
func (g *searches) inner(table string, fields []field) string {
	list := make([]string, len(fields))
	for i, f := range fields {
		list[i] = f.name
	}
	text := "SELECT " + strings.Join(list, ", ") + " FROM " + table
	if g.often(5) {
		text += " WHERE " + g.condition(item{table, fields})
	}
	return text
}

// ref is a field of the items, written as a reference.
func (g *searches) ref(list []item) field {
	x := list[g.IntN(len(list))]
	f := x.fields[g.IntN(len(x.fields))]
	for n := 0; n < 2 && !protected[f.kind]; n++ { // searchable ones are what matters
		f = x.fields[g.IntN(len(x.fields))]
	}
	return field{x.name + "." + f.name, f.kind}
}

// other is a field of a kind, or none.
func other(list []item, f field) string {
	for _, x := range list {
		for _, o := range x.fields {
			if name := x.name + "." + o.name; o.kind == f.kind && name != f.name {
				return name
			}
		}
	}
	return ""
}

// condition is an expression that is true, false or unknown.
func (g *searches) condition(list ...item) string {
	g.depth++
	defer func() { g.depth-- }()
	n := g.IntN(12)
	if g.depth > 3 {
		n = 11
	}
	switch n {
	case 0, 1:
		return g.condition(list...) + " AND " + g.condition(list...)
	case 2:
		return "(" + g.condition(list...) + " OR " + g.condition(list...) + ")"
	case 3:
		return "NOT (" + g.condition(list...) + ")"
	case 4:
		return "(" + g.condition(list...) + ") IS " + g.one("TRUE", "NOT TRUE", "FALSE", "UNKNOWN")
	}
	return g.atom(list)
}

func (g *searches) atom(list []item) string {
	f := g.ref(list)
	text := g.comparison(f, list)
	if owner, _, _ := strings.Cut(f.name, "."); f.kind == "code" && g.often(9) {
		text = "(" + owner + ".tenant_id = " + g.one(g.literal("tenant"), g.param("tenant")) + " AND " + text + ")"
	}
	return text
}

func (g *searches) comparison(f field, list []item) string {
	c := f.name
	switch g.IntN(20) {
	case 0, 1, 2, 3:
		return g.one(c+" = "+g.value(f.kind), g.value(f.kind)+" = "+c)
	case 4:
		return c + g.one(" <> ", " != ") + g.value(f.kind)
	case 5:
		return c + g.one(" IN (", " NOT IN (") + g.values(f.kind, 1+g.IntN(3)) + ")"
	case 6:
		return g.nullSafe(c, g.value(f.kind))
	case 7:
		return c + g.one(" IS NULL", " IS NOT NULL")
	case 8:
		return g.listed(f)
	case 9:
		return "coalesce(" + c + ", " + g.value(f.kind) + ") = " + g.value(f.kind)
	case 10:
		if f.kind == "mail" || f.kind == "name" {
			return g.one("lower("+c+") = lower("+g.value(f.kind)+")", "lower("+c+") = "+g.value(f.kind), "upper("+c+") = upper("+g.value(f.kind)+")", c+" = lower("+g.value(f.kind)+")")
		}
		return c + " = " + g.value(f.kind)
	case 11:
		return g.one("CASE "+c+" WHEN "+g.value(f.kind)+" THEN 1 WHEN "+g.value(f.kind)+" THEN 2 ELSE 0 END = "+g.one("0", "1", "2"),
			"CASE WHEN "+c+" = "+g.value(f.kind)+" THEN 1 ELSE 0 END = 1", "CASE WHEN "+c+" IN ("+g.values(f.kind, 2)+") THEN 1 END IS NULL")
	case 12, 13:
		return g.sub(f, list)
	case 14:
		return g.absent(f)
	case 15:
		p := g.ref(list)
		return g.one(fmt.Sprintf("(%s, %s) = (%s, %s)", c, p.name, g.value(f.kind), g.value(p.kind)),
			fmt.Sprintf("(%s, %s) IN ((%s, %s), (%[3]s, %[5]s))", p.name, c, g.literal(p.kind), g.value(f.kind), g.value(f.kind)))
	case 16, 17:
		switch o := other(list, f); {
		case o != "" && g.mysql: // MariaDB 10.11 finds rows with NULLs by a = b AND b <=> a where a has an index
			return g.one(c+" = "+o, c+" = "+o, c+" <> "+o)
		case o != "":
			return g.one(c+" = "+o, c+" = "+o, c+" <> "+o, g.nullSafe(c, o))
		}
		return c + " = " + g.value(f.kind)
	case 18:
		return g.exists(list)
	}
	return "(" + c + " = " + g.value(f.kind) + ") " + g.one("IS TRUE", "IS NOT TRUE", "IS UNKNOWN", "= (1 = 1)")
}

func (g *searches) nullSafe(a, b string) string {
	if g.mysql {
		return g.one(a+" <=> "+b, "NOT ("+a+" <=> "+b+")")
	}
	return a + g.one(" IS DISTINCT FROM ", " IS NOT DISTINCT FROM ") + b
}

// listed compares with the elements of an array, or with a list of values.
func (g *searches) listed(f field) string {
	if _, text := pools[f.kind][0].(string); g.mysql || !text {
		return f.name + " IN (" + g.values(f.kind, 1+g.IntN(3)) + ")"
	}
	return f.name + g.one(" = ANY("+g.array(f.kind)+")", " <> ALL("+g.array(f.kind)+")", " = ANY(ARRAY["+g.values(f.kind, 2)+", '']::text[])", " = ANY("+g.array(f.kind)+"::text[])")
}

// absent is the form of filters that may be left out.
func (g *searches) absent(f field) string {
	v := pools[f.kind][g.IntN(len(pools[f.kind]))]
	if g.often(4) {
		v = nil
	}
	if g.mysql {
		return "(" + g.arg(f.kind, v) + " IS NULL OR " + f.name + " = " + g.arg(f.kind, v) + ")"
	}
	p := g.arg(f.kind, v)
	return g.one("("+p+"::"+g.typeOf(f.kind)+" IS NULL OR "+f.name+" = "+p+")", "("+f.name+" = "+p+" OR "+p+" IS NULL)")
}

func (g *searches) typeOf(kind string) string {
	if _, text := pools[kind][0].(string); text {
		return "text"
	}
	return "bigint"
}

// sub compares with what a sub-select returns.
func (g *searches) sub(f field, outer []item) string {
	x, from := g.from("users", "invites", "tokens", "orders")
	o := other([]item{x}, f)
	if o == "" {
		return f.name + " = " + g.value(f.kind)
	}
	where := " WHERE " + g.condition(append([]item{x}, outer[:g.IntN(len(outer)+1)]...)...)
	switch g.IntN(4) {
	case 0:
		key := "id"
		if o == x.name+".token" {
			key = "token"
		}
		return f.name + " = (SELECT " + o + " FROM " + from + " WHERE " + x.name + "." + key + " = " + g.value(map[string]string{"id": "id", "token": "token"}[key]) + ")"
	case 1:
		return f.name + " NOT IN (SELECT " + o + " FROM " + from + where + " AND " + o + " IS NOT NULL)"
	case 2:
		return f.name + g.one(" IN (SELECT DISTINCT ", " = ANY (SELECT ", " <> ALL (SELECT ") + o + " FROM " + from + where + ")"
	}
	return f.name + " IN (SELECT " + o + " FROM " + from + where + ")"
}

func (g *searches) exists(outer []item) string {
	x, from := g.from("users", "invites", "tokens", "orders")
	return g.one("", "NOT ") + "EXISTS (SELECT 1 FROM " + from + " WHERE " + g.condition(append([]item{x}, outer...)...) + " AND " + g.condition(x) + ")"
}

// statement is a text and its arguments.
func (g *searches) statement() (string, []any) { return g.number(g.form()) }

func (g *searches) form() string {
	switch g.IntN(12) {
	case 0, 1, 2, 3, 4, 5:
		return g.query()
	case 6:
		return g.update()
	case 7:
		return g.remove()
	case 8:
		return g.insert()
	case 9:
		return g.insertSelect()
	case 10:
		return g.upsert()
	}
	return g.one(g.update(), g.updateJoined())
}

func (g *searches) query() string {
	switch g.IntN(12) {
	case 0, 1, 2:
		return g.simple()
	case 3, 4, 5:
		return g.joined()
	case 6, 7:
		return g.aggregate()
	case 8:
		x, from := g.from("users", "invites")
		return "SELECT " + x.name + ".id FROM " + from + " WHERE " + g.condition(x) + g.one(" UNION ", " UNION ALL ", " EXCEPT ", " INTERSECT ") + "SELECT id FROM users WHERE " + g.condition(item{"users", tables["users"]})
	case 9:
		w := item{"c", tables["users"]}
		return "WITH c AS (" + g.inner("users", w.fields) + ") SELECT " + g.columns(w) + " FROM c WHERE " + g.condition(w)
	case 10:
		x, from := g.from("users")
		y, second := g.from("invites")
		return "SELECT " + x.name + ".id, (SELECT count(*) FROM " + second + " WHERE " + g.condition(y, x) + ") AS n FROM " + from + g.where(x)
	}
	x, from := g.from("v_users", "tokens")
	return "SELECT " + x.name + "." + x.fields[0].name + " FROM " + from + g.where(x)
}

func (g *searches) where(list ...item) string {
	if g.often(1) {
		return ""
	}
	return " WHERE " + g.condition(list...)
}

// columns is a select list.
func (g *searches) columns(x item) string {
	n := x.name
	return g.one("*", n+".*", n+".id", n+".email", n+".id, "+n+".email", n+".email AS e, "+n+".id AS k", "CASE WHEN "+g.condition(x)+" THEN 'yes' ELSE 'no' END AS v, "+n+".id",
		n+".id, "+n+".email = "+g.value("mail")+" AS b", "1 AS one")
}

func (g *searches) simple() string {
	x, from := g.from("users", "users", "invites")
	text := "SELECT " + g.columns(x) + " FROM " + from + g.where(x)
	switch g.IntN(6) {
	case 0:
		text += " ORDER BY " + x.name + ".id LIMIT " + g.one("1", "2", "3")
	case 1:
		text += " ORDER BY " + x.name + ".id LIMIT 2 OFFSET 1"
	case 2:
		text += " ORDER BY CASE WHEN " + g.condition(x) + " THEN 0 ELSE 1 END, " + x.name + ".id"
	case 3:
		text += " FOR UPDATE"
	}
	return text
}

func (g *searches) joined() string {
	x, first := g.from("users", "users", "invites")
	y, second := g.from("invites", "orders", "users", "tokens")
	on := g.condition(x, y)
	if o := other([]item{y}, x.fields[0].qualified(x)); o != "" && g.often(7) {
		on = x.name + "." + x.fields[0].name + " = " + o
		if g.often(3) {
			on += " AND " + g.condition(x, y)
		}
	}
	shown := y.name + "." + y.fields[0].name + " AS second"
	switch g.IntN(8) {
	case 0:
		return "SELECT " + x.name + ".id, " + shown + " FROM " + first + ", " + second + " WHERE " + on + " AND " + g.condition(x, y)
	case 1:
		return "SELECT t8.id, t9.id AS other FROM users t8 " + g.one("JOIN", "LEFT JOIN", "RIGHT JOIN") + " invites t9 USING (email)" + g.where(item{"t8", tables["users"]}, item{"t9", tables["invites"]})
	}
	return "SELECT " + g.one(x.name+".id, "+shown, x.name+".email, "+shown, x.name+".*") + " FROM " + first + g.one(" JOIN ", " LEFT JOIN ", " RIGHT JOIN ") + second + " ON " + on + g.where(x, y)
}

func (f field) qualified(x item) field { return field{x.name + "." + f.name, f.kind} }

func (g *searches) aggregate() string {
	x, from := g.from("users")
	n := x.name
	what := g.one("count(*) AS n", "count(DISTINCT "+n+".email) AS n", "count("+n+".email) AS n", "min("+n+".id) AS n", "sum(CASE WHEN "+g.condition(x)+" THEN 1 ELSE 0 END) AS n")
	text := "SELECT " + what + " FROM " + from + g.where(x)
	switch g.IntN(5) {
	case 0:
		text += " GROUP BY " + n + "." + g.one("email", "phone", "age", "pin")
	case 1:
		text = "SELECT " + n + ".tenant_id, " + what + " FROM " + from + g.where(x) + " GROUP BY " + n + ".tenant_id"
	case 2:
		text = "SELECT DISTINCT " + n + "." + g.one("tenant_id", "email", "id") + " FROM " + from + g.where(x)
	case 3:
		text += " GROUP BY " + n + ".email HAVING " + g.one("count(*) > 1", n+".email = "+g.value("mail"), "count("+n+".phone) < 2")
	}
	return text
}

// target is an UPDATE's or DELETE's table, by its name.
func (g *searches) target() (string, item) {
	table := g.one("users", "users", "users", "invites", "tokens")
	return table, item{table, tables[table]}
}

// assignment is a column of the table set to a value.
func (g *searches) assignment(table string) (column, text string) {
	all := append([]field{{"note", "note"}}, tables[table]...)
	switch table {
	case "tokens":
		all = []field{{"secret", "note"}, {"used", "tenant"}, {"token", "token"}}
	case "invites":
		all = tables[table]
	}
	f := all[g.IntN(len(all))]
	for f.name == "id" || f.name == "tenant_id" && g.often(8) {
		f = all[g.IntN(len(all))]
	}
	v := g.value(f.kind)
	switch g.IntN(8) {
	case 0:
		v = "CASE WHEN " + g.comparison(f.qualified(item{name: table}), []item{{table, tables[table]}}) + " THEN " + v + " ELSE " + g.one(f.name, g.value(f.kind), "NULL") + " END"
	case 1:
		v = "coalesce(" + f.name + ", " + v + ")"
	case 2:
		v = f.name
	}
	return f.name, f.name + " = " + v
}

func (g *searches) assignments(table string) string {
	taken := map[string]bool{}
	var list []string
	for range 1 + g.IntN(3) {
		if column, text := g.assignment(table); !taken[column] {
			taken[column] = true
			list = append(list, text)
		}
	}
	return strings.Join(list, ", ")
}

func (g *searches) returning() string {
	if g.mysql {
		return ""
	}
	return g.one("", "", " RETURNING *", " RETURNING 1 AS one")
}

func (g *searches) update() string {
	table, x := g.target()
	return "UPDATE " + table + " SET " + g.assignments(table) + g.where(x) + g.returning()
}

// updateJoined finds the rows by another table.
func (g *searches) updateJoined() string {
	u, i := item{"users", tables["users"]}, item{"invites", tables["invites"]}
	on := g.one("users.email = invites.mail", "users.id = invites.user_id", "invites.email = users.email") + " AND " + g.condition(u, i)
	set := g.one("name = "+g.value("name"), "phone = "+g.value("phone"), "note = "+g.value("note"))
	if g.mysql {
		return "UPDATE users JOIN invites ON " + on + " SET users." + set
	}
	return "UPDATE users SET " + set + " FROM invites WHERE " + on
}

func (g *searches) remove() string {
	table, x := g.target()
	if g.often(3) {
		u, i := item{"users", tables["users"]}, item{"invites", tables["invites"]}
		on := "users.email = invites.mail AND " + g.condition(u, i)
		if g.mysql {
			return "DELETE users FROM users JOIN invites ON " + on
		}
		return "DELETE FROM users USING invites WHERE " + on
	}
	return "DELETE FROM " + table + " WHERE " + g.condition(x) + g.returning()
}

func (g *searches) row() string {
	return fmt.Sprintf("%s, %s, %s, %s, %s, %s", g.literal("tenant"), g.value("mail"), g.value("phone"), g.value("code"), g.value("age"), g.value("name"))
}

const written = "tenant_id, email, phone, code, age, name"

func (g *searches) insert() string {
	if g.often(2) {
		return "INSERT INTO tokens (token, secret) VALUES (" + g.value("token") + ", " + g.value("note") + ")"
	}
	rows := make([]string, 1+g.IntN(3))
	for i := range rows {
		rows[i] = fmt.Sprintf("(%d, %s)", 20+i, g.row())
	}
	return g.one("INSERT INTO", "INSERT INTO", g.ignoring()) + " users (id, " + written + ") VALUES " + strings.Join(rows, ", ") + g.returning()
}

func (g *searches) ignoring() string {
	if g.mysql {
		return g.one("INSERT IGNORE INTO", "REPLACE INTO")
	}
	return "INSERT INTO"
}

func (g *searches) insertSelect() string {
	x, from := g.from("users", "invites")
	switch g.IntN(3) {
	case 0:
		return "INSERT INTO orders (id, user_id, total) SELECT 100 + " + x.name + ".id, " + x.name + ".id, 1 FROM " + from + g.where(x)
	case 1:
		return "INSERT INTO invites (id, mail, label) SELECT 100 + " + x.name + ".id, NULL, 'n' FROM " + from + g.where(x)
	}
	return "INSERT INTO users (id, tenant_id, email, name) SELECT 30, 1, " + g.value("mail") + ", 'N' WHERE NOT EXISTS (SELECT 1 FROM " + from + " WHERE " + g.condition(x) + ")"
}

func (g *searches) upsert() string {
	proposed := func(c string) string { return "EXCLUDED." + c }
	if g.mysql {
		proposed = func(c string) string { return "VALUES(" + c + ")" }
	}
	var set []string
	for _, f := range []field{{"phone", "phone"}, {"name", "name"}, {"age", "age"}, {"email", "mail"}} {
		if g.often(4) || len(set) == 0 && f.name == "email" {
			set = append(set, f.name+" = "+g.one(proposed(f.name), proposed(f.name), g.value(f.kind), "users."+f.name, "coalesce("+proposed(f.name)+", users."+f.name+")",
				"CASE WHEN users."+f.name+" = "+proposed(f.name)+" THEN users."+f.name+" ELSE "+proposed(f.name)+" END"))
		}
	}
	text := fmt.Sprintf("INSERT INTO users (id, %s) VALUES (%s, %s)", written, g.one("20", "1", "3"), g.row())
	if g.mysql {
		return text + " ON DUPLICATE KEY UPDATE " + strings.Join(set, ", ")
	}
	switch g.IntN(5) {
	case 0:
		return text + " ON CONFLICT " + g.one("", "(email) ", "(id) ") + "DO NOTHING" + g.returning()
	case 1:
		set[0] += " WHERE " + g.condition(item{"users", tables["users"]})
		return text + " ON CONFLICT (email) DO UPDATE SET " + set[0]
	}
	return text + " ON CONFLICT " + g.one("(email)", "(email)", "(id)", "ON CONSTRAINT users_email_key") + " DO UPDATE SET " + strings.Join(set, ", ") + g.returning()
}
