package engine

import (
	"context"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/sealsql/sealsql/driver"
)

func (s *site) rawBlob(arn, plaintext string, ec map[string]string) []byte {
	s.t.Helper()
	out, err := s.kms.Client(east).Encrypt(context.Background(), &kms.EncryptInput{KeyId: aws.String(arn), Plaintext: []byte(plaintext), EncryptionContext: ec})
	if err != nil {
		s.t.Fatal(err)
	}
	return out.CiphertextBlob
}

const people = `
keyrings:
  pii: {kms: {keys: ["${MRK}"]}}
tables:
  people:
    row_key: [id]
    columns:
      ssn: {keyring: pii, type: string, storage: base64}
`

func TestBackfillInPlace(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		s.exec("CREATE TABLE people (id bigint PRIMARY KEY, ssn text)")
		const rows = 57
		for i := range rows {
			s.exec("INSERT INTO people VALUES (?, ?)", i*1_000_000_007, fmt.Sprintf("900-00-%04d", i))
		}
		s.exec("INSERT INTO people VALUES (?, ?)", -1, nil)
		s.exec("INSERT INTO people VALUES (?, ?)", -2, "")
		p := s.policy(people)
		v := s.sealer(p)
		s.exec("INSERT INTO people VALUES (?, ?)", -3, s.seal(v, "people", "ssn", driver.Row{"id": -3}, "sealed before"))
		s.exec("INSERT INTO people VALUES (?, ?)", -4, s.blob(s.keys["OLD"], "blob", nil))
		s.exec("INSERT INTO people VALUES (?, ?)", -5, "AgR4damaged")

		c := s.config(Backfill, p)
		c.PageRows = 10
		dry := c
		dry.DryRun = true
		r := s.run(dry)
		s.want(r, rows+5, rows+1, 1, 2, 1)
		if f := r.Forecast; f == nil || f.KMSCalls != rows+1+1 || r.KMSCalls != 0 {
			t.Errorf("the forecast is %+v after %d calls", r.Forecast, r.KMSCalls)
		}
		s.want(s.run(c), rows+5, rows+1, 1, 2, 1)
		s.want(s.run(c), rows+5, 0, rows+2, 2, 1) // again: nothing changes
		s.want(s.run(s.config(Verify, p)), rows+5, 0, rows+2, 1, 2)
		for i := range rows {
			s.reads(v, i*1_000_000_007, fmt.Sprintf("900-00-%04d", i))
		}
		s.reads(v, -2, "")
	})
}

// reads opens a row's value.
func (s *site) reads(v *driver.ValueSealer, id int, want string) {
	s.t.Helper()
	var stored []byte
	if err := s.db.QueryRow(s.q("SELECT ssn FROM people WHERE id = ?"), id).Scan(&stored); err != nil {
		s.t.Fatal(err)
	}
	if got, err := v.Open(s.t.Context(), "people", "ssn", driver.Row{"id": id}, stored); err != nil || got != want {
		s.t.Errorf("row %d: got %v, %v", id, got, err)
	}
}
