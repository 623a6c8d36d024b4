package engine

import (
	"context"
	"encoding/base64"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/testdb"
	"github.com/sealsql/sealsql/sealtest"
)

// BenchmarkReencrypt compares the engine with the script that teams write: one row at
// a time, select, decrypt, seal, update. Both work on the same table of bare KMS
// ciphertexts, with KMS at 5 ms; the script on a part of it, since the whole would take
// hours. It reports rows a second of both and their ratio.
//
//	SEALSQL_SPEED_ROWS=50000 go test ./internal/rekey -run '^$' -bench Reencrypt -benchtime 1x
func BenchmarkReencrypt(b *testing.B) {
	for _, server := range testdb.Each(b) {
		b.Run(server.String(), func(b *testing.B) {
			rows := scale(b, "SEALSQL_SPEED_ROWS", 2000)
			s := newSite(b, server)
			s.exec("CREATE TABLE people (id bigint PRIMARY KEY, ssn text)")
			s.fillBlobs(rows)
			p := s.policy(migration)
			s.kms.SetFault("", sealtest.Fault{Latency: 5 * time.Millisecond})
			for b.Loop() {
				script := min(rows/10, 500)
				began := time.Now()
				s.script(rows-script, rows)
				slow := float64(script) / time.Since(began).Seconds()

				c := s.config(Reencrypt, p)
				c.Concurrency, c.Checkpoint = 128, NewTable(s.db, s.server.Name)
				r := s.run(c)
				if r.Changed != int64(rows-script) || r.Failed != 0 {
					b.Fatalf("%s", r.String())
				}
				fast := float64(r.Changed) / r.Elapsed.Seconds()
				b.ReportMetric(slow, "script-rows/s")
				b.ReportMetric(fast, "engine-rows/s")
				b.ReportMetric(fast/slow, "times")
				b.ReportMetric(float64(r.KMSCalls)/float64(r.Changed), "KMS-calls/row")
			}
		})
	}
}

// fillBlobs stores bare ciphertexts, without waiting for KMS one by one.
func (s *site) fillBlobs(rows int) {
	s.t.Helper()
	blobs := make([]string, rows)
	sem := make(chan struct{}, 32)
	done := make(chan struct{})
	for i := range rows {
		sem <- struct{}{}
		go func() {
			defer func() { <-sem; done <- struct{}{} }()
			blobs[i] = s.blob(s.keys["OLD"], fmt.Sprintf("900-%07d", i), map[string]string{"account": fmt.Sprint(i), "purpose": "pii"})
		}()
		if i >= 32 {
			<-done
		}
	}
	for range min(rows, 32) {
		<-done
	}
	for from := 0; from < rows; from += 500 {
		text, args := "INSERT INTO people (id, ssn) VALUES ", []any{}
		for i := from; i < min(rows, from+500); i++ {
			if i > from {
				text += ", "
			}
			text += "(?, ?)"
			args = append(args, i, blobs[i])
		}
		s.exec(text, args...)
	}
}

// script is the one-row-at-a-time script: it checks nothing, has no resume, and
// overwrites what an application writes meanwhile.
func (s *site) script(from, to int) {
	s.t.Helper()
	ctx := context.Background()
	old := s.kms.Client(east)
	v := s.sealer(s.policy(people))
	for i := from; i < to; i++ {
		var stored string
		if err := s.db.QueryRowContext(ctx, s.q("SELECT ssn FROM people WHERE id = ?"), i).Scan(&stored); err != nil {
			s.t.Fatal(err)
		}
		blob, err := base64.StdEncoding.DecodeString(stored)
		if err != nil {
			s.t.Fatal(err)
		}
		out, err := old.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: blob, KeyId: aws.String(s.keys["OLD"]),
			EncryptionContext: map[string]string{"account": fmt.Sprint(i), "purpose": "pii"}})
		if err != nil {
			s.t.Fatal(err)
		}
		s.exec("UPDATE people SET ssn = ? WHERE id = ?", s.seal(v, "people", "ssn", driver.Row{"id": i}, string(out.Plaintext)), i)
	}
}
