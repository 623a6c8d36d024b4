package postgres

import (
	"bytes"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// readBytea has a connection of pgx read the text of a bytea in both of its forms. pgx's
// own codec reads the hexadecimal form alone; in the modes that ask for texts (exec and
// simple_protocol) it fails for the form that bytea_output=escape has. The two forms have
// no text in common.
func readBytea(c *pgx.Conn) {
	m := c.TypeMap()
	if t, ok := m.TypeForOID(pgtype.ByteaOID); ok && t.Codec == (pgtype.ByteaCodec{}) { // else it is the application's
		m.RegisterType(&pgtype.Type{Name: t.Name, OID: t.OID, Codec: byteaCodec{}})
	}
}

type byteaCodec struct{ pgtype.ByteaCodec }

// PlanScan implements pgtype.Codec.
func (c byteaCodec) PlanScan(m *pgtype.Map, oid uint32, format int16, target any) pgtype.ScanPlan {
	plan := c.ByteaCodec.PlanScan(m, oid, format, target)
	if plan == nil || format != pgtype.TextFormatCode {
		return plan
	}
	return scanBytea{plan}
}

// scanBytea scans the text of a bytea by a plan that takes the hexadecimal form.
type scanBytea struct{ pgtype.ScanPlan }

// Scan implements pgtype.ScanPlan.
func (s scanBytea) Scan(src []byte, dst any) error {
	if src != nil && !bytes.HasPrefix(src, []byte(`\x`)) {
		digits, err := canonicalBytea(string(src))
		if err != nil {
			return err
		}
		src = fmt.Appendf(nil, `\x%s`, digits)
	}
	return s.ScanPlan.Scan(src, dst)
}
