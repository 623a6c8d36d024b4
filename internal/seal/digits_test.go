package seal

import (
	"math"
	"strconv"
	"testing"

	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/internal/server/mysql"
	"github.com/sealsql/sealsql/internal/server/postgres"
)

// TestTextsOfIntegersAreThoseOfTheServers: Digits makes the text that a server's own rules
// make, and later texts leave earlier ones as they are.
func TestTextsOfIntegersAreThoseOfTheServers(t *testing.T) {
	numbers := []int64{0, 1, -1, 9, 10, 99, 100, -100, math.MaxInt64, math.MinInt64}
	for i := range int64(300) {
		numbers = append(numbers, i*i*i*7919, -i*104729)
	}
	column := &server.Column{Key: server.KeyInteger}
	var digits Digits
	var made []string
	for _, n := range numbers {
		text, err := Source{Value: n, From: Shown}.text(nil, column, &digits)
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, text)
	}
	checked := 0
	for _, values := range []server.Values{postgres.Server{}.Values(server.Session{}, nil, nil), mysql.Server{}.Values(server.Session{}, nil, nil)} {
		for i, n := range numbers {
			want, err := values.Shown(column, n)
			if err != nil || made[i] != want || want != strconv.FormatInt(n, 10) {
				t.Errorf("%d is %q, want %q, %v", n, made[i], want, err)
			}
			checked++
		}
	}
	if checked != 2*610 {
		t.Errorf("%d texts were checked", checked)
	}
	if n := testing.AllocsPerRun(1000, func() { digits.text(1 << 40) }); n > 0.5 {
		t.Errorf("a text takes %.1f objects", n)
	}
}
