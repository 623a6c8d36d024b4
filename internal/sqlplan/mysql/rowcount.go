package mysql

import "github.com/sealsql/sealsql/internal/sqlplan"

// RowCounts returns where the text's first statement calls ROW_COUNT(), which there is the
// count of the statement before. It returns none for a text that cannot be read, or
// that defines something.
func RowCounts(src string, opts Options) (calls [][2]int) {
	if !containsFold(src, "row_count") {
		return nil
	}
	t, err := read(src, parseModes(opts.SQLMode), sqlplan.DefaultMaxDepth)
	if err != nil {
		return nil
	}
	segments := t.segments()
	if len(segments) == 0 {
		return nil
	}
	begin, end := segments[0][0], segments[0][1]
	first := begin
	for t.op(first, "(") {
		first++
	}
	if t.anyWord(first, "SELECT", "WITH", "VALUES", "SET", "DO", "CALL", "INSERT", "REPLACE", "UPDATE", "DELETE", "EXPLAIN") == "" {
		return nil
	}
	for i := begin; i+2 < end; i++ {
		if t.word(i, "ROW_COUNT") && t.op(i+1, "(") && t.op(i+2, ")") && (i == 0 || !t.op(i-1, ".")) {
			calls = append(calls, [2]int{t.tokens[i].start, t.tokens[i+2].end})
		}
	}
	return calls
}
