package mysql

// This file hides MariaDB's FOR SYSTEM_TIME from the parser: it says which versions of its
// rows a table shows. Each version has a row key, and the value that was written for it.

// adaptSystemTime hides the clause at token i if it holds points in time alone.
func (p *translator) adaptSystemTime(i int) {
	end := -1
	switch at := i + 2; {
	case p.word(at, "ALL"):
		end = at + 1
	case p.word(at, "AS") && p.word(at+1, "OF"):
		end = p.pointInTime(at + 2)
	case p.word(at, "BETWEEN"):
		if end = p.pointInTime(at + 1); end > 0 && p.word(end, "AND") {
			end = p.pointInTime(end + 1)
		}
	case p.word(at, "FROM"):
		if end = p.pointInTime(at + 1); end > 0 && p.word(end, "TO") {
			end = p.pointInTime(end + 1)
		}
	}
	if end > 0 {
		p.shadow.blank(p.tokens[i].start, p.tokens[end-1].end)
	}
}

// adaptDeleteHistory hides the word HISTORY at token i, and the point in time before which
// versions are deleted.
func (p *translator) adaptDeleteHistory(i, end int) {
	p.shadow.blank(p.tokens[i].start, p.tokens[i].end)
	if before := p.seekWord(i, end, "BEFORE"); before < end && p.word(before+1, "SYSTEM_TIME") && p.pointInTime(before+2) == end {
		p.shadow.blank(p.tokens[before].start, p.tokens[end-1].end)
	}
}

// clocks are functions of the time that is now.
var clocks = []string{"NOW", "CURRENT_TIMESTAMP", "LOCALTIMESTAMP", "LOCALTIME", "SYSDATE", "CURDATE", "CURRENT_DATE"}

// pointInTime returns the token after a point in time at token i, or -1: a literal or a
// clock, and an interval before or after it.
func (p *translator) pointInTime(i int) int {
	if p.anyWord(i, "TIMESTAMP", "TRANSACTION", "DATE") != "" {
		i++
	}
	switch {
	case p.tokens[i].kind == kindString || p.tokens[i].kind == kindNumber || p.tokens[i].kind == kindVar || p.tokens[i].kind == kindParam:
		i++
	case p.anyWord(i, clocks...) != "":
		if i++; p.op(i, "(") {
			if p.tokens[i].mate > i+2 || p.tokens[i].mate == i+2 && p.tokens[i+1].kind != kindNumber {
				return -1
			}
			i = p.tokens[i].mate + 1
		}
	default:
		return -1
	}
	literal := func(k int) bool { return p.tokens[k].kind == kindString || p.tokens[k].kind == kindNumber }
	for (p.op(i, "-") || p.op(i, "+")) && p.word(i+1, "INTERVAL") && literal(i+2) && p.tokens[i+3].kind == kindWord {
		i += 4
	}
	return i
}
