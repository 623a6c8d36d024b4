// Package sqllog reads the SQL statements that servers' logs hold.
//
// A log is read as a stream: memory does not grow with its length. What a log says beside
// statements (connections, durations, errors) is passed over.
package sqllog

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Format is the form of a log.
type Format string

// The formats.
const (
	// JSON has a value a line: a text as a JSON string, an object whose member sql,
	// query, statement or text is one, or an entry of Postgres's jsonlog.
	JSON Format = "json"
	// CSV is Postgres's csvlog.
	CSV Format = "csv"
	// General is MySQL's and MariaDB's general query log.
	General Format = "general"
	// Slow is MySQL's and MariaDB's slow query log.
	Slow Format = "slow"
)

// Formats lists the formats.
func Formats() []Format { return []Format{JSON, CSV, General, Slow} }

// Statement is a statement of a log.
type Statement struct {
	// Line is where it begins, from 1.
	Line int
	Text string
}

// ErrFormat is wrapped by errors about a log that is not in the format.
var ErrFormat = errors.New("not a log in a format that is known")

// Detect tells a log's format by how it begins. The reader has lost nothing.
func Detect(r *bufio.Reader) (Format, error) {
	head, err := r.Peek(4096)
	if len(head) == 0 {
		if errors.Is(err, io.EOF) {
			return JSON, nil // an empty log holds no statement in any format
		}
		return "", err
	}
	head = bytes.TrimLeft(head, " \t\r\n\ufeff")
	first, _, _ := bytes.Cut(head, []byte("\n"))
	switch {
	case bytes.HasPrefix(head, []byte("{")), bytes.HasPrefix(head, []byte(`"`)):
		return JSON, nil
	case bytes.HasPrefix(head, []byte("# Time:")), bytes.HasPrefix(head, []byte("# User@Host:")), bytes.Contains(head, []byte("\n# Query_time:")):
		return Slow, nil
	case bytes.Count(first, []byte(",")) >= 20:
		return CSV, nil
	case bytes.Contains(head, []byte("Id Command")), bytes.Contains(head, []byte(" Query\t")), bytes.Contains(head, []byte(" Connect\t")):
		return General, nil
	}
	return "", fmt.Errorf("%w; name it with --format", ErrFormat)
}

// Read calls yield for each statement of a log, in its order, until yield returns an
// error, which Read returns.
func Read(r io.Reader, f Format, yield func(Statement) error) error {
	switch f {
	case JSON:
		return readJSON(r, yield)
	case CSV:
		return readCSV(r, yield)
	case General:
		return readGeneral(r, yield)
	case Slow:
		return readSlow(r, yield)
	}
	return fmt.Errorf("%w: %q", ErrFormat, f)
}

// maxLine bounds a line of a log, in bytes.
const maxLine = 64 << 20

func lines(r io.Reader) *bufio.Scanner {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 64<<10), maxLine)
	return s
}

func readJSON(r io.Reader, yield func(Statement) error) error {
	s := lines(r)
	for n := 1; s.Scan(); n++ {
		line := bytes.TrimSpace(s.Bytes())
		if len(line) == 0 {
			continue
		}
		text, err := textOf(line)
		if err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		if text == "" {
			continue
		}
		if err := yield(Statement{n, text}); err != nil {
			return err
		}
	}
	return s.Err()
}

// textOf returns the statement of a line of JSON, or nothing.
func textOf(line []byte) (string, error) {
	var text string
	if line[0] == '"' {
		if err := json.Unmarshal(line, &text); err != nil {
			return "", fmt.Errorf("%w: the line is not JSON", ErrFormat)
		}
		return text, nil
	}
	var entry struct{ SQL, Query, Statement, Text, Message string }
	if err := json.Unmarshal(line, &entry); err != nil {
		return "", fmt.Errorf("%w: the line is no JSON object whose statement is a string", ErrFormat)
	}
	if text, ok := logged(entry.Message); ok {
		return text, nil
	}
	for _, text := range []string{entry.SQL, entry.Query, entry.Text} {
		if text != "" && entry.Message == "" {
			return text, nil
		}
	}
	if entry.Message == "" {
		return entry.Statement, nil
	}
	return "", nil
}

// logged returns the statement of a message of Postgres's: "statement: …", "execute name:
// …", both after "duration: … ms" too. parse and bind come before an execute.
func logged(message string) (string, bool) {
	if strings.HasPrefix(message, "duration: ") {
		_, after, ok := strings.Cut(message, " ms  ")
		if !ok {
			return "", false
		}
		message = after
	}
	if text, ok := strings.CutPrefix(message, "statement: "); ok {
		return text, true
	}
	if rest, ok := strings.CutPrefix(message, "execute "); ok {
		if _, text, ok := strings.Cut(rest, ": "); ok {
			return text, true
		}
	}
	return "", false
}

// messageField is the place of the message in a line of csvlog, from 0. Postgres,
// "Using CSV-Format Log Output".
const messageField = 13

func readCSV(r io.Reader, yield func(Statement) error) error {
	c := csv.NewReader(r)
	c.FieldsPerRecord, c.ReuseRecord = -1, true
	for {
		record, err := c.Read()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("%w: %w", ErrFormat, err)
		}
		line, _ := c.FieldPos(0)
		if len(record) <= messageField {
			return fmt.Errorf("line %d: %w: %d fields, csvlog has at least 23", line, ErrFormat, len(record))
		}
		text, ok := logged(record[messageField])
		if !ok {
			continue
		}
		if err := yield(Statement{line, strings.Clone(text)}); err != nil {
			return err
		}
	}
}
