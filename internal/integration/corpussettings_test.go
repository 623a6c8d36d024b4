package integration

import (
	"flag"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/sealsql/sealsql/internal/testing/corpus"
	"github.com/sealsql/sealsql/internal/testing/testdb"
)

var (
	corpusSettings = flag.Bool("corpus.settings", false, "send the whole corpus under each setting of the driver, instead of a part of it")
	corpusMixed    = flag.Duration("corpus.mixed", 0, "how long the corpus is sent under random combinations of settings, on each server")
	corpusSeed     = flag.Uint64("corpus.seed", 1, "the first combination's seed")
	corpusSetting  = flag.String("corpus.setting", "", "send the whole corpus under these settings only")
)

// singleSettings are the settings of a driver that change what is sent or read, one at a
// time.
func singleSettings(dialect string) []string {
	if dialect == "postgres" {
		return []string{
			"default_query_exec_mode=cache_statement", "default_query_exec_mode=cache_describe", "default_query_exec_mode=describe_exec",
			"default_query_exec_mode=exec", "default_query_exec_mode=simple_protocol",
			"TimeZone=Asia/Tokyo", "TimeZone=America/New_York", "DateStyle=ISO,DMY", "bytea_output=escape", "extra_float_digits=0",
			"default_query_exec_mode=exec&bytea_output=escape", "default_query_exec_mode=simple_protocol&bytea_output=escape",
			"default_query_exec_mode=cache_describe&statement_cache_capacity=0", "default_query_exec_mode=cache_statement&description_cache_capacity=0",
			"default_query_exec_mode=describe_exec&statement_cache_capacity=0&description_cache_capacity=0", "statement_cache_capacity=1",
		}
	}
	return []string{
		"parseTime=true", "loc=Europe%2FBerlin", "loc=Asia%2FTokyo&parseTime=true", "interpolateParams=true", "clientFoundRows=true", "columnsWithAlias=true",
		"multiStatements=true", "timeTruncate=1s", "charset=utf8mb4", "charset=utf8", "compress=true", "time_zone=%27-05%3A00%27",
		"columnsWithAlias=true&interpolateParams=true", "parseTime=true&interpolateParams=true&loc=America%2FNew_York",
	}
}

// TestCorpusUnderSettings sends the corpus under each setting of the drivers, and bare to
// the twin under the same: a part of it under each, or with -corpus.settings the whole.
// With -corpus.mixed it goes on under random combinations.
func TestCorpusUnderSettings(t *testing.T) {
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) {
			w := newWorld(t, server, corpusDir)
			list, part := singleSettings(server.Name), 400
			if *corpusSettings {
				part = 1
			}
			if *corpusSetting != "" {
				list, part = []string{*corpusSetting}, 1
			}
			for i, setting := range list {
				if n := w.under(setting, func(n int) bool { return n%part == i%part }); n < corpus.Size[server.Name]/part && *corpusCase == "" {
					t.Errorf("under %s %d statements were sent, want %d", setting, n, corpus.Size[server.Name]/part)
				}
			}
			w.underCombinations()
		})
	}
}

// underCombinations sends the corpus under random settings until the time is over, 50
// statements under each combination.
func (w *world) underCombinations() {
	until := time.Now().Add(*corpusMixed)
	combinations, total := 0, 0
	for seed := *corpusSeed; time.Now().Before(until); seed++ {
		r := rand.New(rand.NewPCG(seed, 16))
		setting := fuzzSettings(r, w.server)
		at := r.IntN(14) // a part of about 50 statements
		combinations++
		total += w.under(setting, func(n int) bool { return n%14 == at })
		w.closePair(setting)
	}
	if combinations > 0 {
		w.t.Logf("seeds %d to %d: %d statements under %d combinations of settings", *corpusSeed, *corpusSeed+uint64(combinations)-1, total, combinations)
	}
}

// closePair closes the databases that a combination opened.
func (w *world) closePair(param string) {
	for key, pair := range w.dbs {
		if key == "" || key != param && !strings.HasPrefix(key, param+"&sql_mode=") {
			continue
		}
		for _, db := range pair {
			if err := db.Close(); err != nil {
				w.t.Error(err)
			}
		}
		delete(w.dbs, key)
	}
}

// under sends the statements that pick selects, under a setting, and returns their number.
func (w *world) under(setting string, pick func(n int) bool) (ran int) {
	ways := []string{"query", "exec", "prepared"}
	w.t.Run(setting, func(t *testing.T) {
		w := *w
		w.t = t
		w.eachCase(func(file string, c *corpus.Case, n int) {
			if !pick(n) {
				return
			}
			ran++
			m := mode{name: ways[n%len(ways)], param: setting}
			if m.name == "exec" && reads(c.Text) {
				m.name = "query"
			}
			t.Run(file+"/"+c.Name+"/"+m.name, func(t *testing.T) {
				w := w
				w.t = t
				w.compare(c, m)
			})
		})
		t.Logf("%d statements under %s", ran, setting)
	})
	return ran
}
