package awskms_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/awskms"
	"github.com/sealsql/sealsql/sealtest"
)

// liar stands before a fake KMS and changes its answers to one operation.
type liar struct {
	server    *httptest.Server
	operation string
	lie       func(w http.ResponseWriter, r *http.Request, truth map[string]any)

	mu      sync.Mutex
	calls   int
	secrets []string // the plaintexts that passed, in base64
}

func newLiar(t *testing.T, k *sealtest.KMS, operation string, lie func(http.ResponseWriter, *http.Request, map[string]any)) *liar {
	t.Helper()
	l := &liar{operation: operation, lie: lie}
	l.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := httptest.NewRecorder()
		k.ServeHTTP(answer, r)
		var truth map[string]any
		_ = json.Unmarshal(answer.Body.Bytes(), &truth) // nil for what is no JSON
		l.mu.Lock()
		if p, ok := truth["Plaintext"].(string); ok {
			l.secrets = append(l.secrets, p)
		}
		mine := r.Header.Get("X-Amz-Target") == "TrentService."+l.operation
		if mine {
			l.calls++
		}
		l.mu.Unlock()
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		if mine && answer.Code == http.StatusOK {
			l.lie(w, r, truth)
			return
		}
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	}))
	t.Cleanup(l.server.Close)
	return l
}

func (l *liar) config(k *sealtest.KMS) aws.Config {
	cfg := k.AWSConfig(east)
	cfg.BaseEndpoint = aws.String(l.server.URL)
	return cfg
}

// with answers with the truth, but for one member; nil takes it out.
func with(member string, value any) func(http.ResponseWriter, *http.Request, map[string]any) {
	return func(w http.ResponseWriter, _ *http.Request, truth map[string]any) {
		if truth[member] = value; value == nil {
			delete(truth, member)
		}
		_ = json.NewEncoder(w).Encode(truth)
	}
}

// raw answers with a text.
func raw(status int, text string) func(http.ResponseWriter, *http.Request, map[string]any) {
	return func(w http.ResponseWriter, _ *http.Request, _ map[string]any) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(text))
	}
}

// cut sends the truth without its end and breaks the connection.
func cut(w http.ResponseWriter, _ *http.Request, truth map[string]any) {
	b, _ := json.Marshal(truth)
	w.Header().Set("Content-Length", fmt.Sprint(len(b)))
	_, _ = w.Write(b[:len(b)-2])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// spoilt is the truth in JSON that ends in something else.
func spoilt(w http.ResponseWriter, _ *http.Request, truth map[string]any) {
	b, _ := json.Marshal(truth)
	_, _ = w.Write(append(b[:len(b)-1], `,"x":}`...))
}

func b64(n int) string { return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, n)) }

const (
	otherKey     = "arn:aws:kms:us-east-1:111122223333:key/11111111-2222-4333-8444-555555555555"
	errorBody    = `{"__type":"AccessDeniedException","message":"no"}`
	longMessages = 1 << 20
)

// TestAKMSThatLies: whatever KMS answers, no value is opened that was not
// sealed, none is sealed that does not open, the error is of the right kind, and
// nothing of what KMS said that is secret is in it or can be reached through it.
func TestAKMSThatLies(t *testing.T) {
	type lie struct {
		name, operation string
		lie             func(http.ResponseWriter, *http.Request, map[string]any)
		want            error
	}
	shared := func(operation string) []lie {
		return []lie{
			{"another key's ARN", operation, with("KeyId", otherKey), codec.ErrKeyUnavailable},
			{"the key id alone", operation, with("KeyId", "11111111-2222-4333-8444-555555555555"), codec.ErrKeyUnavailable},
			{"no key", operation, with("KeyId", nil), codec.ErrKeyUnavailable},
			{"a number for the key", operation, with("KeyId", 7), codec.ErrKeyUnavailable},
			{"an empty body", operation, raw(200, ""), codec.ErrKeyUnavailable},
			{"an empty object", operation, raw(200, "{}"), codec.ErrKeyUnavailable},
			{"garbage", operation, raw(200, "\x00\xff{["), codec.ErrKeyUnavailable},
			{"a page", operation, raw(200, "<html>hello</html>"), codec.ErrKeyUnavailable},
			{"an error with status 200", operation, raw(200, errorBody), codec.ErrKeyUnavailable},
			{"an error without a body", operation, raw(400, ""), codec.ErrKeyUnavailable},
			{"a long error", operation, raw(400, `{"__type":"X","message":"`+strings.Repeat("é", longMessages)+`"}`), codec.ErrKeyUnavailable},
			{"null", operation, raw(200, "null"), codec.ErrKeyUnavailable},
			{"an answer that is cut", operation, cut, codec.ErrKeyUnavailable},
			{"an answer that is spoilt", operation, spoilt, codec.ErrKeyUnavailable},
		}
	}
	lies := append(append(shared("Decrypt"), shared("GenerateDataKey")...), shared("Encrypt")...)
	for _, operation := range []string{"GenerateDataKey", "Encrypt"} {
		lies = append(lies,
			lie{"an empty ciphertext", operation, with("CiphertextBlob", ""), codec.ErrKeyUnavailable},
			lie{"no ciphertext", operation, with("CiphertextBlob", nil), codec.ErrKeyUnavailable},
			lie{"a ciphertext longer than KMS takes", operation, with("CiphertextBlob", b64(6145)), codec.ErrKeyUnavailable},
			lie{"a ciphertext longer than a message holds", operation, with("CiphertextBlob", b64(65536+5)), codec.ErrKeyUnavailable},
			lie{"a ciphertext that is no base64", operation, with("CiphertextBlob", "*"), codec.ErrKeyUnavailable})
	}
	lies = append(lies,
		lie{"a short key", "GenerateDataKey", with("Plaintext", b64(16)), codec.ErrKeyUnavailable},
		lie{"a long key", "GenerateDataKey", with("Plaintext", b64(64)), codec.ErrKeyUnavailable},
		lie{"no plaintext", "GenerateDataKey", with("Plaintext", nil), codec.ErrKeyUnavailable},
		lie{"another plaintext", "Decrypt", with("Plaintext", b64(32)), codec.ErrTampered},
		lie{"a short plaintext", "Decrypt", with("Plaintext", b64(31)), codec.ErrUnwrap},
		lie{"a plaintext of a mebibyte", "Decrypt", with("Plaintext", b64(1<<20)), codec.ErrUnwrap},
		lie{"no plaintext", "Decrypt", with("Plaintext", nil), codec.ErrKeyUnavailable},
		lie{"an empty plaintext", "Decrypt", with("Plaintext", ""), codec.ErrKeyUnavailable},
	)
	ran := 0
	for _, c := range lies {
		t.Run(c.operation+", "+c.name, func(t *testing.T) {
			ran++
			k := fake(t)
			keys := []string{k.CreateKey(east)}
			if c.operation == "Encrypt" {
				keys = append(keys, k.CreateKey(west))
			}
			honest := newCodec(t, k, awskms.Config{Keys: keys})
			m := seal(t, honest)
			l := newLiar(t, k, c.operation, c.lie)
			// One attempt: after more the error is the breaker's.
			shield, err := awskms.NewShield(awskms.ShieldConfig{Client: awskms.Clients(l.config(k)), MaxAttempts: 1})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(shield.Close)
			ring, err := awskms.New(awskms.Config{Keys: keys, Region: east, Shield: shield})
			if err != nil {
				t.Fatal(err)
			}
			deceived, err := codec.New(codec.Config{Keyring: ring})
			if err != nil {
				t.Fatal(err)
			}
			var out []byte
			if c.operation == "Decrypt" {
				out, err = deceived.Decrypt(t.Context(), nil, m, ec)
			} else {
				out, err = deceived.Encrypt(t.Context(), nil, []byte("123-45-6789"), ec)
			}
			if out != nil || !errors.Is(err, c.want) {
				t.Fatalf("%d bytes, %v", len(out), err)
			}
			l.secretIn(t, err)
			if len(err.Error()) > 2000 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
		})
	}
	if ran != 3*14+2*5+3+5 {
		t.Errorf("%d lies", ran)
	}
}

// secretIn fails if a plaintext that passed can be found in what the error
// prints, or anywhere in what it refers to.
func (l *liar) secretIn(t *testing.T, err error) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	printed := fmt.Sprintf("%v %+v %#v", err, err, err)
	reached := reachable(err)
	for _, s := range append(l.secrets, "123-45-6789", "1234567890", base64.StdEncoding.EncodeToString([]byte("123-45-6789"))) {
		plain, _ := base64.StdEncoding.DecodeString(s)
		for _, form := range []string{s, string(plain)} {
			if len(form) < 8 {
				continue
			}
			if strings.Contains(printed, form) {
				t.Errorf("the error prints a secret")
			}
			if strings.Contains(reached, form) {
				t.Errorf("a secret can be reached through the error")
			}
		}
	}
}

// reachable returns every text and byte that can be reached from v, as a
// debugger or a reporter of crashes would find them.
func reachable(v any) string {
	var b strings.Builder
	type place struct {
		at uintptr
		of reflect.Type
	}
	seen := map[place]bool{}
	var walk func(reflect.Value, int)
	walk = func(v reflect.Value, depth int) {
		if depth > 40 || b.Len() > 64<<20 {
			return
		}
		switch v.Kind() {
		case reflect.Pointer, reflect.Map:
			if v.IsNil() || seen[place{v.Pointer(), v.Type()}] {
				return
			}
			seen[place{v.Pointer(), v.Type()}] = true
			if v.Kind() == reflect.Map {
				for it := v.MapRange(); it.Next(); {
					walk(it.Key(), depth+1)
					walk(it.Value(), depth+1)
				}
				return
			}
			walk(v.Elem(), depth+1)
		case reflect.Interface:
			if !v.IsNil() {
				walk(v.Elem(), depth+1)
			}
		case reflect.Struct:
			for i := range v.NumField() {
				walk(v.Field(i), depth+1)
			}
		case reflect.Slice, reflect.Array:
			if v.Type().Elem().Kind() == reflect.Uint8 {
				for i := range v.Len() {
					b.WriteByte(byte(v.Index(i).Uint()))
				}
				b.WriteByte(' ')
				return
			}
			for i := range v.Len() {
				walk(v.Index(i), depth+1)
			}
		case reflect.String:
			b.WriteString(v.String() + " ")
		}
	}
	walk(reflect.ValueOf(v), 0)
	return b.String()
}

// TestAnAnswerThatStopsHalfWay: the caller's deadline is kept, and the answer
// that comes after it is nobody's.
func TestAnAnswerThatStopsHalfWay(t *testing.T) {
	ran := 0
	for _, operation := range []string{"Decrypt", "GenerateDataKey"} {
		ran++
		k := fake(t)
		arn := k.CreateKey(east)
		m := seal(t, newCodec(t, k, awskms.Config{Keys: []string{arn}}))
		began, goOn := make(chan struct{}), make(chan struct{})
		l := newLiar(t, k, operation, func(w http.ResponseWriter, _ *http.Request, truth map[string]any) {
			b, _ := json.Marshal(truth)
			_, _ = w.Write(b[:len(b)-4])
			_ = http.NewResponseController(w).Flush()
			close(began)
			<-goOn
			_, _ = w.Write(b[len(b)-4:])
		})
		ring, err := awskms.New(awskms.Config{Keys: []string{arn}, Region: east, Client: awskms.Clients(l.config(k)), AttemptTimeout: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		c, err := codec.New(codec.Config{Keyring: ring})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		var out []byte
		wg.Go(func() {
			if operation == "Decrypt" {
				out, err = c.Decrypt(ctx, nil, m, ec)
			} else {
				out, err = c.Encrypt(ctx, nil, []byte("123-45-6789"), ec)
			}
		})
		<-began
		cancel()
		wg.Wait()
		close(goOn)
		if out != nil || !errors.Is(err, codec.ErrKeyUnavailable) || !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", operation, err)
		}
		l.secretIn(t, err)
	}
	if ran != 2 {
		t.Error("the number of cases changed")
	}
}

// TestBareCiphertextsUnderAKMSThatLies: no answer but a whole one is taken for the
// plaintext; an empty one would be handed out as the empty text.
func TestBareCiphertextsUnderAKMSThatLies(t *testing.T) {
	lies := map[string]func(http.ResponseWriter, *http.Request, map[string]any){
		"no plaintext": with("Plaintext", nil), "an empty plaintext": with("Plaintext", ""), "a plaintext that is no text": with("Plaintext", 7),
		"another key": with("KeyId", otherKey), "no key": with("KeyId", nil), "an empty object": raw(200, "{}"), "null": raw(200, "null"),
		"an error with status 200": raw(200, errorBody), "cut": cut, "spoilt": spoilt,
	}
	for name, lie := range lies {
		k := fake(t)
		arn := k.CreateKey(east)
		l := newLiar(t, k, "Decrypt", lie)
		ring, err := awskms.New(awskms.Config{Keys: []string{arn}, Region: east, Client: awskms.Clients(l.config(k))})
		if err != nil {
			t.Fatal(err)
		}
		got, err := ring.DecryptBlob(t.Context(), encrypt(t, k, east, arn, ec, "123-45-6789"), ec)
		if got != nil || !errors.Is(err, codec.ErrKeyUnavailable) {
			t.Errorf("%s: %q, %v", name, got, err)
			continue
		}
		l.secretIn(t, err)
	}
	if len(lies) != 10 {
		t.Error("the number of cases changed")
	}
}

// TestARegionThatLies does not keep another one from opening the value.
func TestARegionThatLies(t *testing.T) {
	k := fake(t)
	keys := []string{k.CreateKey(east), k.CreateKey(west)}
	m := seal(t, newCodec(t, k, awskms.Config{Keys: keys}))
	l := newLiar(t, k, "Decrypt", func(w http.ResponseWriter, r *http.Request, truth map[string]any) {
		if strings.Contains(r.Header.Get("Authorization"), "/"+east+"/") {
			truth["KeyId"] = otherKey
		}
		_ = json.NewEncoder(w).Encode(truth)
	})
	ring, err := awskms.New(awskms.Config{Keys: keys, Region: east, Client: awskms.Clients(l.config(k))})
	if err != nil {
		t.Fatal(err)
	}
	c, err := codec.New(codec.Config{Keyring: ring})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := c.Decrypt(t.Context(), nil, m, ec); err != nil || string(got) != "123-45-6789" {
		t.Errorf("%v", err)
	}
}

// TestWhatKMSDoesNotTake: a request that KMS refuses by its form says of what was
// stored that somebody changed it, and not that KMS is down; of what is to be written
// that its context cannot be used. The Region goes on being used.
func TestWhatKMSDoesNotTake(t *testing.T) {
	k := fake(t)
	arn := k.CreateKey(east)
	ring := blobRing(t, k, awskms.Config{Keys: []string{arn}})
	genuine := encrypt(t, k, east, arn, ec, "0123456789abcdef0123456789abcdef")
	long := codec.Context{"account_number": strings.Repeat("7", 8193)}
	reserved := codec.Context{"aws:x": "y"}
	stored := []struct {
		name string
		blob []byte
		ec   codec.Context
	}{
		{"an empty wrapped key", []byte{}, ec},
		{"a wrapped key that is too long", make([]byte, 6145), ec},
		{"a context that is too long", genuine, long},
		{"a reserved pair", genuine, reserved},
		{"another context", genuine, nil},
	}
	for range 3 { // a breaker would count
		for _, c := range stored {
			m := &codec.DecryptionMaterials{Suite: codec.SuiteCommit, Context: c.ec}
			err := ring.OnDecrypt(t.Context(), m, []codec.WrappedKey{{ProviderID: "aws-kms", ProviderInfo: []byte(arn), Ciphertext: c.blob}})
			if !errors.Is(err, codec.ErrUnwrap) || errors.Is(err, codec.ErrKeyUnavailable) {
				t.Errorf("%s: %v", c.name, err)
			}
			if _, err := ring.DecryptBlob(t.Context(), c.blob, c.ec); !errors.Is(err, codec.ErrUnwrap) && !errors.Is(err, codec.ErrLimit) {
				t.Errorf("%s, bare: %v", c.name, err)
			}
		}
		for name, c := range map[string]codec.Context{"too long": long, "reserved": reserved} {
			err := ring.OnEncrypt(t.Context(), &codec.EncryptionMaterials{Suite: codec.SuiteCommit, Context: c})
			if !errors.Is(err, codec.ErrInvalidContext) || errors.Is(err, codec.ErrKeyUnavailable) {
				t.Errorf("written, %s: %v", name, err)
			}
			if strings.Contains(err.Error(), "7777") {
				t.Errorf("written, %s: the error holds the context", name)
			}
		}
	}
	if len(stored) != 5 || ring.Down(east) {
		t.Error("the Region is held back, or the number of cases changed")
	}
}
