package sqllog

import (
	"io"
	"regexp"
	"strings"
)

// entryStart matches the first line of an entry of the general log: a time or a tab in its
// place, the connection's number, the command.
var entryStart = regexp.MustCompile(`^(?:\d{4}-\d\d-\d\dT[0-9:.]+(?:Z|[+-]\d\d:\d\d)|\d{6} [ \d]\d:\d\d:\d\d|\t)\t? *\d+ (Query|Prepare|Execute|Connect|Quit|Init DB|Field List|Close stmt|Reset stmt|Fetch|Long Data|Statistics|Ping|Change user|Binlog Dump|Shutdown|Daemon|Set option|Refresh|Table Dump|Register Slave|Error|Kill|Processlist|Debug|Time|Sleep|Create DB|Drop DB|Delayed insert|Connect Out)(?:\t(.*))?$`)

// readGeneral reads the general log. Execute repeats, with the values, what Prepare said.
func readGeneral(r io.Reader, yield func(Statement) error) error {
	var now Statement
	var text strings.Builder
	open := false
	flush := func() error {
		if !open {
			return nil
		}
		open, now.Text = false, text.String()
		return yield(now)
	}
	s := lines(r)
	for n := 1; s.Scan(); n++ {
		m := entryStart.FindSubmatch(s.Bytes())
		if m == nil {
			if open && !banner(s.Text()) {
				text.WriteByte('\n')
				text.Write(s.Bytes())
			}
			continue
		}
		if err := flush(); err != nil {
			return err
		}
		if command := string(m[1]); command == "Query" || command == "Prepare" {
			open, now.Line = true, n
			text.Reset()
			text.Write(m[2])
		}
	}
	if err := s.Err(); err != nil {
		return err
	}
	return flush()
}

// banner reports whether a line is of those that a server writes when it opens a log.
func banner(line string) bool {
	return strings.HasPrefix(line, "Tcp port:") || strings.HasPrefix(line, "Time  ") && strings.Contains(line, "Id Command") ||
		strings.Contains(line, ". started with:") || strings.Contains(line, ", Version: ") && strings.HasSuffix(line, "started with:")
}

// readSlow reads the slow log: after lines that begin with #, a statement up to its
// semicolon at the end of a line. SET timestamp and use are the server's own.
func readSlow(r io.Reader, yield func(Statement) error) error {
	s := lines(r)
	e := slowEntry{yield: yield}
	for n := 1; s.Scan(); n++ {
		if err := e.line(n, s.Text()); err != nil {
			return err
		}
	}
	if err := s.Err(); err != nil {
		return err
	}
	return e.end()
}

type slowEntry struct {
	yield  func(Statement) error
	at     int // where the statement begins; 0 for none
	text   strings.Builder
	header bool // a line that begins with # was read
}

var (
	slowHeader = regexp.MustCompile(`^# (?:Time|User@Host|Thread_id|Query_time|Rows_affected|Bytes_sent|Tmp_tables|Full_scan|Filesort|Rows_sent|Schema|QC_hit|explain|Stored routine)`)
	slowOwn    = regexp.MustCompile(`(?i)^(?:SET timestamp=\d+(?:\.\d+)?|use [^;]+);$`)
)

func (e *slowEntry) line(n int, line string) error {
	if slowHeader.MatchString(line) {
		e.header = true
		return e.end()
	}
	if !e.header || banner(line) || e.at == 0 && (strings.TrimSpace(line) == "" || slowOwn.MatchString(line)) {
		return nil
	}
	if e.at == 0 {
		e.at = n
	} else {
		e.text.WriteByte('\n')
	}
	e.text.WriteString(line)
	return nil
}

func (e *slowEntry) end() error {
	if e.at == 0 {
		return nil
	}
	text := strings.TrimSuffix(strings.TrimRight(e.text.String(), "\r\n "), ";")
	at := e.at
	e.at = 0
	e.text.Reset()
	if strings.HasPrefix(text, "# administrator command") {
		return nil
	}
	return e.yield(Statement{at, text})
}
