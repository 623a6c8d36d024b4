package engine

import (
	"context"
	"encoding/base64"

	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/policy"
)

// Origin says where a compact value that does not verify comes from: a row and a
// column of the same table for which it does verify.
type Origin struct {
	// Row and Key identify the row in which the value was found, as in [Failure].
	Row string   `json:"row"`
	Key []string `json:"key,omitempty"`
	// FromColumn, FromRow and FromKey are where it was written.
	FromColumn string   `json:"from_column"`
	FromRow    string   `json:"from_row"`
	FromKey    []string `json:"from_key,omitempty"`
}

// maxSuspects bounds the values whose origin is looked for in one run.
const maxSuspects = 1000

// suspect is a value whose origin is looked for.
type suspect struct {
	failure Failure
	raw     []byte // of the ciphertext
}

// findOrigins tries every failed compact value under the context of every row of the
// table, for each of its columns under the same keyring. A compact value does not
// store its context, so there is no shorter way. No event is raised.
func (j *job) findOrigins(ctx context.Context) error {
	suspects, err := j.suspects(ctx)
	if err != nil {
		return err
	}
	for _, table := range j.c.Policy.Tables() {
		for _, col := range table.Columns {
			if table.FullName() != j.c.Table || col.Keyring != j.t.policy.Keyring || len(suspects) == 0 {
				continue
			}
			c := j.c
			c.Column = col.Name
			t, err := newTarget(ctx, &c, j.w.sealer)
			if err != nil {
				return err
			}
			t.shard, t.shards = 0, 1 // the origin may be in any shard
			if suspects, err = j.tryColumn(ctx, t, suspects); err != nil {
				return err
			}
		}
	}
	return nil
}

// suspects reads the failed rows again.
func (j *job) suspects(ctx context.Context) (list []suspect, err error) {
	for _, f := range j.st.Failures {
		if f.Reason != reasonUnauthentic || len(list) == maxSuspects {
			continue
		}
		var rows []*server.JobRow
		err := retry(ctx, j.c.Patience, j.transient, func() (err error) {
			rows, err = j.t.query(ctx, j.c.DB, j.t.byKey(), f.Key)
			return err
		})
		if err != nil {
			return nil, err
		}
		if len(rows) != 1 || rows[0].Stored == nil {
			continue // changed meanwhile
		}
		raw := rows[0].Stored
		if j.t.Base64 {
			if raw, err = base64.StdEncoding.AppendDecode(nil, raw); err != nil {
				continue
			}
		}
		list = append(list, suspect{f, raw})
	}
	return list, nil
}

// tryColumn tries the suspects for every row of a column. It returns those whose
// origin is still unknown.
func (j *job) tryColumn(ctx context.Context, t *target, left []suspect) ([]suspect, error) {
	at := &job{c: j.c, t: t, w: j.w, st: j.st, rows: j.rows}
	for after := []string(nil); len(left) > 0; {
		p := &page{}
		if err := at.readPage(ctx, p, after); err != nil {
			return left, err
		}
		for _, r := range p.rows {
			bound, err := t.bound(r)
			if err != nil {
				continue // no value was written for such a row
			}
			var still []suspect
			for _, s := range left {
				fits, err := j.w.sealer.Fits(ctx, t.table, t.column, bound, asStored(t.policy, s.raw))
				switch {
				case err != nil:
					return left, err
				case fits:
					j.origins = append(j.origins, Origin{Row: s.failure.Row, Key: s.failure.Key, FromColumn: t.column,
						FromRow: j.w.sealer.RowDigest(ctx, t.table, bound), FromKey: r.Key})
				default:
					still = append(still, s)
				}
			}
			left = still
		}
		if len(p.rows) < j.c.PageRows {
			break
		}
		after = p.rows[len(p.rows)-1].Key
	}
	return left, nil
}

// asStored is a ciphertext as a column stores it.
func asStored(c policy.Column, raw []byte) any {
	if c.Storage == policy.Base64 {
		return base64.StdEncoding.EncodeToString(raw)
	}
	return raw
}
