package main

import (
	"io"
	"os"
)

type colour string

const (
	red    colour = "\x1b[31m"
	yellow colour = "\x1b[33m"
	green  colour = "\x1b[32m"
	bold   colour = "\x1b[1m"
	plain         = "\x1b[0m"
)

// terminal reports whether a writer is one.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && info.Mode()&os.ModeDevice != 0 && os.Getenv("TERM") != "dumb"
}

// paint colours a word where that is wanted.
func (a *app) paint(c colour, s string) string {
	if a.color == "always" || a.color != "never" && os.Getenv("NO_COLOR") == "" && terminal(a.out) && terminal(a.err) {
		return string(c) + s + plain
	}
	return s
}
