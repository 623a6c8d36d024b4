package interop

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	keystore "github.com/aws/aws-cryptographic-material-providers-library/releases/go/mpl/awscryptographykeystoresmithygenerated"
	keystoretypes "github.com/aws/aws-cryptographic-material-providers-library/releases/go/mpl/awscryptographykeystoresmithygeneratedtypes"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/sealsql/sealsql/codec/awskms"
	"github.com/sealsql/sealsql/codec/branchkey"
	"github.com/sealsql/sealsql/sealtest"
)

// attribute is a value in DynamoDB's JSON.
type attribute struct {
	S string `json:",omitempty"`
	N string `json:",omitempty"`
	B []byte `json:",omitempty"`
}

// serveDynamoDB serves GetItem and TransactWriteItems over a key store's
// items, the way AWS's key store keeps them.
func serveDynamoDB(t testing.TB, store branchkey.Store) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		var answer any
		var err error
		switch _, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), "."); operation {
		case "GetItem":
			answer, err = getItem(r, store)
		case "TransactWriteItems":
			answer, err = struct{}{}, writeItems(r, store)
		default:
			err = errors.New("an unknown operation")
		}
		if err != nil {
			t.Errorf("DynamoDB was asked for %s: %v", r.Header.Get("X-Amz-Target"), err)
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		_ = json.NewEncoder(w).Encode(answer)
	}))
	t.Cleanup(s.Close)
	return s
}

func getItem(r *http.Request, store branchkey.Store) (any, error) {
	var in struct{ Key map[string]attribute }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return nil, err
	}
	var out struct{ Item map[string]attribute }
	items, err := store.Items(r.Context(), in.Key["branch-key-id"].S, in.Key["type"].S)
	if err != nil && !errors.Is(err, branchkey.ErrNotFound) {
		return nil, err
	}
	for _, i := range items {
		if i.Type != in.Key["type"].S {
			continue
		}
		out.Item = map[string]attribute{"enc": {B: i.Wrapped}}
		for k, v := range i.Attributes() {
			if out.Item[k] = (attribute{S: v}); k == "hierarchy-version" {
				out.Item[k] = attribute{N: v}
			}
		}
	}
	return out, nil
}

// writeItems is AWS's CreateKey, if no item may exist, else its VersionKey.
func writeItems(r *http.Request, store branchkey.Store) error {
	var in struct {
		TransactItems []struct {
			Put struct {
				ConditionExpression string
				Item                map[string]attribute
			}
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return err
	}
	var items []branchkey.Item
	fresh := true
	for _, t := range in.TransactItems {
		a := t.Put.Item
		i := branchkey.Item{BranchKeyID: a["branch-key-id"].S, Type: a["type"].S, Version: a["version"].S,
			Wrapped: a["enc"].B, KeyARN: a["kms-arn"].S, CreateTime: a["create-time"].S}
		for k, v := range a {
			if name, ok := strings.CutPrefix(k, branchkey.ContextPrefix); ok {
				if i.Context == nil {
					i.Context = map[string]string{}
				}
				i.Context[name] = v.S
			}
		}
		items = append(items, i)
		fresh = fresh && strings.Contains(t.Put.ConditionExpression, "attribute_not_exists")
	}
	if fresh {
		return store.Create(r.Context(), items)
	}
	old, err := store.Items(r.Context(), items[0].BranchKeyID, "branch:ACTIVE")
	if err != nil {
		return err
	}
	return store.Rotate(r.Context(), items, old[0].Wrapped)
}

// branchStore is a key store with one branch key, as sealsql and as AWS's SDK
// see it.
type branchStore struct {
	id   string
	keys *branchkey.Keys
	aws  *keystore.Client
}

func newBranchStore(t testing.TB) branchStore {
	t.Helper()
	fake := sealtest.NewKMS()
	t.Cleanup(fake.Close)
	arn, cfg := fake.CreateKey("us-east-1"), fake.AWSConfig("us-east-1")
	shield, err := awskms.NewShield(awskms.ShieldConfig{Client: awskms.Clients(cfg)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(shield.Close)
	wrapper, err := awskms.NewWrapper(awskms.WrapperConfig{Shield: shield, Keys: []string{arn}, Region: "us-east-1"})
	if err != nil {
		t.Fatal(err)
	}
	store, err := branchkey.NewFileStore(filepath.Join(t.TempDir(), "keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	s := branchStore{id: "b0a56bf0-1c9d-4a1c-8bfa-0f6a3b6d1c4e", keys: branchkey.NewKeys(store, wrapper)}
	// AWS asks for a context with an id of the caller's own choice.
	if _, err := s.keys.Create(t.Context(), s.id, map[string]string{"tenant": "acme"}); err != nil {
		t.Fatal(err)
	}
	server := serveDynamoDB(t, store)
	s.aws, err = keystore.NewClient(keystoretypes.KeyStoreConfig{DdbTableName: "keys", LogicalKeyStoreName: store.Name(),
		KmsConfiguration: &keystoretypes.KMSConfigurationMemberkmsKeyArn{Value: arn},
		DdbClient:        dynamodb.NewFromConfig(cfg, func(o *dynamodb.Options) { o.BaseEndpoint = aws.String(server.URL) }),
		KmsClient:        kms.NewFromConfig(cfg)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}
