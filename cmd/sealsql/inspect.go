package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/inspect"
	"github.com/sealsql/sealsql/rekey"
)

func (a *app) inspectCommand() *cobra.Command {
	var table, column, key string
	var values bool
	c := &cobra.Command{
		Use: "inspect [VALUE | -]", Short: "Shows what a message says of itself, without any key",
		Long: `inspect takes a stored value apart: format version, suite, encryption context, wrapped
keys, sizes. It needs no key and opens nothing. VALUE is hexadecimal or base64; - reads it,
also as raw bytes, from standard input; --table, --column and --key read it from the database
and compare it with what the policy would write.

The values of the encryption context are shown with --values only: they name the row.`,
		Example: `  sealsql inspect AgR4…
  psql -Atc "SELECT encode(ssn, 'hex') FROM accounts LIMIT 1" | sealsql inspect -
  sealsql inspect --table accounts --column ssn --key 4000000001`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			var in inspect.Value
			var err error
			switch {
			case table != "":
				in, err = a.inspectRow(cmd, table, column, key)
			case len(args) != 1:
				err = usagef("inspect takes one value, or --table, --column and --key; see sealsql inspect --help")
			default:
				in, err = a.inspectText(args[0])
			}
			if err != nil {
				return err
			}
			return a.showInspection(in, values, table != "")
		},
	}
	f := c.Flags()
	f.StringVar(&table, "table", "", "read the value from this table, named as the policy names it")
	f.StringVar(&column, "column", "", "the protected column")
	f.StringVar(&key, "key", "", "the row key's values, separated by commas")
	f.BoolVar(&values, "values", false, "show the values of the encryption context")
	return c
}

const maxValue = 64 << 20

func (a *app) inspectText(s string) (inspect.Value, error) {
	raw := []byte(s)
	if s == "-" {
		var err error
		if raw, err = io.ReadAll(io.LimitReader(a.in, maxValue)); err != nil {
			return inspect.Value{}, err
		}
	}
	if b, ok := decodeValue(raw); ok {
		raw = b
	} else if s != "-" {
		return inspect.Value{}, usagef("the value is neither hexadecimal nor base64")
	}
	return driver.Examine(raw, false), nil
}

// decodeValue reads hexadecimal, with the prefixes of both servers, and base64.
func decodeValue(raw []byte) ([]byte, bool) {
	text := strings.TrimSpace(string(raw))
	bare := text
	for _, prefix := range []string{`\x`, "0x", "0X"} {
		bare = strings.TrimPrefix(bare, prefix)
	}
	if b, err := hex.DecodeString(bare); err == nil && len(b) > 0 {
		return b, true
	}
	if b, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), "")); err == nil && len(b) > 0 {
		return b, true
	}
	return nil, false
}

func (a *app) inspectRow(cmd *cobra.Command, table, column, key string) (inspect.Value, error) {
	p, db, _, err := a.both(cmd.Context())
	if err != nil {
		return inspect.Value{}, err
	}
	defer func() { _ = db.Close() }()
	return rekey.InspectRow(cmd.Context(), rekey.Config{DB: db, Policy: p, Table: table, Column: column}, strings.Split(key, ","))
}

// shownInspection is an inspection as JSON shows it.
type shownInspection struct {
	Form         string            `json:"form"`
	Bytes        int               `json:"bytes"`
	Version      int               `json:"version,omitempty"`
	Suite        string            `json:"suite,omitempty"`
	Signed       bool              `json:"signed,omitempty"`
	Committing   bool              `json:"key_commitment,omitempty"`
	MessageID    string            `json:"message_id,omitempty"`
	KeyID        string            `json:"key_id,omitempty"`
	Context      map[string]string `json:"context,omitempty"`
	WrappedKeys  []shownWrapping   `json:"wrapped_keys,omitempty"`
	Right        *bool             `json:"right,omitempty"`
	Missing      []string          `json:"missing,omitempty"`
	Superfluous  []string          `json:"superfluous,omitempty"`
	OtherContext bool              `json:"other_context,omitempty"`
	OtherSuite   bool              `json:"other_suite,omitempty"`
	OtherFormat  bool              `json:"other_format,omitempty"`
}

type shownWrapping struct {
	Provider string `json:"provider"`
	Key      string `json:"key"`
	Region   string `json:"region,omitempty"`
	Version  string `json:"version,omitempty"`
	Bytes    int    `json:"bytes"`
}

func (a *app) showInspection(in inspect.Value, values, compared bool) error {
	s := shownInspection{Form: in.Form.String(), Bytes: in.Bytes, Version: in.Version, MessageID: in.MessageID,
		Missing: in.Missing, Superfluous: in.Superfluous, OtherContext: in.OtherContext, OtherSuite: in.OtherSuite, OtherFormat: in.OtherFormat, KeyID: in.KeyID}
	if in.Form == inspect.Message {
		s.Suite, s.Signed, s.Committing = in.Suite.String(), in.Suite.Signed(), in.Suite.Committing()
	}
	if len(in.Context) > 0 {
		s.Context = map[string]string{}
		for k, v := range in.Context {
			s.Context[k] = shortened(v, values)
		}
	}
	for _, w := range in.Wrappings {
		s.WrappedKeys = append(s.WrappedKeys, shownWrapping{w.Provider, printable(w.Key), w.Region, w.Version, w.Bytes})
	}
	if compared {
		right := in.Right()
		s.Right = &right
	}
	if a.output == "json" {
		return a.json(s)
	}
	a.showText(s)
	return nil
}

func shortened(v string, values bool) string {
	if values {
		return printable(v)
	}
	return fmt.Sprintf("(%d bytes)", len(v))
}

// printable keeps control characters of a value that anyone may have made from
// the terminal.
func printable(s string) string {
	if bytes.ContainsFunc([]byte(s), func(r rune) bool { return r < ' ' || r == 0x7f || r == 0xfffd }) {
		return fmt.Sprintf("%q", s)
	}
	return s
}

func (a *app) showText(s shownInspection) {
	a.printf("form          %s\n", s.Form)
	a.printf("bytes         %d\n", s.Bytes)
	if s.Suite != "" {
		a.printf("version       %d\n", s.Version)
		a.printf("suite         %s%s%s\n", s.Suite, word(s.Committing, ", key commitment"), word(s.Signed, ", signed"))
		a.printf("message id    %s\n", s.MessageID)
	}
	if s.KeyID != "" {
		a.printf("key id        %s (a version of a branch key, and the column)\n", s.KeyID)
		a.printf("context       not stored: a compact value opens for its own row and column only\n")
	}
	for _, k := range slices.Sorted(maps.Keys(s.Context)) {
		a.printf("context       %s = %s\n", printable(k), s.Context[k])
	}
	for _, w := range s.WrappedKeys {
		a.printf("wrapped key   %s %s%s (%d bytes)\n", w.Provider, w.Key, word(w.Version != "", " version "+w.Version), w.Bytes)
	}
	if s.Right == nil {
		return
	}
	a.printf("as the policy would write it: %s\n", map[bool]string{true: a.paint(green, "yes"), false: a.paint(red, "no")}[*s.Right])
	for _, k := range s.Missing {
		a.printf("missing       %s\n", k)
	}
	for _, k := range s.Superfluous {
		a.printf("superfluous   %s\n", printable(k))
	}
	a.printf("%s%s", word(s.OtherContext, "other context\n"), word(s.OtherSuite, "other suite\n")+word(s.OtherFormat, "other format\n"))
}

func word(yes bool, s string) string {
	if yes {
		return s
	}
	return ""
}
