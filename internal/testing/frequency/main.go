// Command frequency attacks equality terms by their counts. It makes up a column of
// first names whose frequencies follow Zipf's law, makes the terms of exact and of short
// lengths, and lets an attacker who knows the frequencies, and sees the terms alone, line
// both up by rank (Naveed, Kamara, Wright, CCS 2015). It prints which share of the rows
// the attacker names rightly. docs/SEARCH.md quotes its figures.
package main

import (
	"cmp"
	"fmt"
	"math/rand"
	"os"
	"slices"

	"github.com/sealsql/sealsql/internal/seal/equality"
)

const (
	rows  = 100_000
	names = 2_000
)

func main() {
	// The names that rows have: the index is the rank of the name.
	r := rand.New(rand.NewSource(1))
	zipf := rand.NewZipf(r, 1.1, 1, names-1)
	column := make([]int, rows)
	for i := range column {
		column[i] = int(zipf.Uint64())
	}
	fmt.Printf("%d rows, %d names, Zipf's law with exponent 1.1; the attacker knows the law, not the rows\n", rows, names)
	for _, bits := range []int{256, 16, 8} {
		share, err := recovered(column, bits)
		if err != nil {
			fmt.Fprintln(os.Stderr, "frequency:", err)
			os.Exit(1)
		}
		fmt.Printf("%3d bits: %4.1f %% of the rows\n", bits, 100*share)
	}
}

// recovered is the share of rows whose name the attacker guesses: the most frequent term
// is taken for the most frequent name, and so on.
func recovered(column []int, bits int) (float64, error) {
	h, err := equality.NewHasher(make([]byte, 32), equality.Scope{Table: "people", Column: "name"}, equality.Normalisers{}, bits)
	if err != nil {
		return 0, err
	}
	terms := make([]string, names)
	for i := range terms {
		term, err := h.Append(nil, "", fmt.Appendf(nil, "name %d", i))
		if err != nil {
			return 0, err
		}
		terms[i] = string(term)
	}
	counts := map[string]int{}
	for _, name := range column {
		counts[terms[name]]++
	}
	var ranked []string
	for term := range counts {
		ranked = append(ranked, term)
	}
	slices.SortFunc(ranked, func(a, b string) int { return cmp.Or(counts[b]-counts[a], cmp.Compare(a, b)) })
	guess := map[string]int{}
	for rank, term := range ranked {
		guess[term] = rank
	}
	right := 0
	for _, name := range column {
		if guess[terms[name]] == name {
			right++
		}
	}
	return float64(right) / float64(len(column)), nil
}
