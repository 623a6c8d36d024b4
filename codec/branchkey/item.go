package branchkey

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sealsql/sealsql/codec"
)

const (
	typeActive  = "branch:ACTIVE"
	typeVersion = "branch:version:" // followed by the version's UUID
	typeBeacon  = "beacon:ACTIVE"

	// wrappingMark comes between the type of an item and the ARN of the
	// further wrapping key that it is wrapped under.
	wrappingMark = "@"

	// ContextPrefix starts the attributes of an item that hold its custom
	// encryption context.
	ContextPrefix = "aws-crypto-ec:"

	createTime       = "2006-01-02T15:04:05.000000Z"
	hierarchyVersion = "1"
	branchKeyLength  = 32

	// MaxIDLength is the longest branch key id, in bytes.
	MaxIDLength = 255
)

// Item is a row of a key store: a branch key, or one version of it, wrapped
// under one KMS key. The fields are the attributes of AWS's key store
// (framework/branch-key-store, "Record Format") and none is secret.
//
// Each branch key has an item of type "branch:ACTIVE", one of type
// "branch:version:UUID" for every version, and one of type "beacon:ACTIVE", which
// AWS's database SDK uses. A keyring of several wrapping keys adds, for each wrapping
// key but the first and for each active, version and beacon item, an item whose type is
// followed by "@" and the wrapping key's ARN; AWS's SDKs never ask for those.
type Item struct {
	BranchKeyID string
	// Type is the sort key: BranchKeyID and Type identify an item.
	Type string
	// Version is "branch:version:UUID" in an active item and empty in others.
	Version string
	// Wrapped is KMS's ciphertext of the branch key, the attribute "enc".
	Wrapped []byte
	// KeyARN is the wrapping key, the attribute "kms-arn".
	KeyARN string
	// CreateTime is ISO 8601 in UTC with microseconds.
	CreateTime string
	// Context is the custom encryption context, without [ContextPrefix].
	Context map[string]string
}

// Attributes returns every attribute but "enc", under AWS's names and as text.
// "hierarchy-version" is a number in DynamoDB.
func (i Item) Attributes() map[string]string {
	a := map[string]string{"branch-key-id": i.BranchKeyID, "type": i.Type, "kms-arn": i.KeyARN,
		"create-time": i.CreateTime, "hierarchy-version": hierarchyVersion}
	if i.Version != "" {
		a["version"] = i.Version
	}
	for k, v := range i.Context {
		a[ContextPrefix+k] = v
	}
	return a
}

// kmsContext is the encryption context that KMS binds the item's key to: all
// of its attributes and the logical name of the key store.
func (i Item) kmsContext(store string) codec.Context {
	c := codec.Context(i.Attributes())
	c["tablename"] = store
	c["type"], _, _ = strings.Cut(i.Type, wrappingMark)
	return c
}

// under returns the item of the same key under another wrapping key.
func (i Item) under(arn string) Item {
	i.Type += wrappingMark + arn
	i.KeyARN = arn
	return i
}

// Covers reports whether an item of type stored is the item of type typ or
// one of its further wrappings: what [Store.Items] returns for typ.
func Covers(typ, stored string) bool {
	rest, ok := strings.CutPrefix(stored, typ)
	return ok && (rest == "" || strings.HasPrefix(rest, wrappingMark))
}

// version is a version's UUID as it stands in wrapped data keys.
type version [16]byte

func newVersion() (v version) {
	_, _ = rand.Read(v[:]) // never fails
	v[6], v[8] = v[6]&0x0f|0x40, v[8]&0x3f|0x80
	return v
}

// String returns the form 8-4-4-4-12.
func (v version) String() string {
	h := hex.EncodeToString(v[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// parseVersion reads a version as an active item names it.
func parseVersion(s string) (version, bool) {
	s, ok := strings.CutPrefix(s, typeVersion)
	raw, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	if !ok || err != nil || len(raw) != 16 {
		return version{}, false
	}
	v := version(raw)
	return v, v.String() == strings.ToLower(s)
}

func checkID(id string) error {
	switch {
	case id == "":
		return errors.New("the branch key id is empty")
	case len(id) > MaxIDLength:
		return fmt.Errorf("the branch key id is longer than %d bytes", MaxIDLength)
	case !utf8.ValidString(id):
		return errors.New("the branch key id is not UTF-8")
	}
	return nil
}

// newItems returns the version and active items of a new version.
func newItems(id string, v version, arn string, custom map[string]string, now time.Time) (versioned, active Item) {
	versioned = Item{BranchKeyID: id, Type: typeVersion + v.String(), KeyARN: arn,
		CreateTime: now.UTC().Format(createTime), Context: maps.Clone(custom)}
	active = versioned
	active.Type, active.Version = typeActive, versioned.Type
	return versioned, active
}
