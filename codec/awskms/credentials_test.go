package awskms_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/awskms"
	"github.com/sealsql/sealsql/sealtest"
)

// gate stands before a KMS and answers some requests with an error of its own.
type gate struct {
	kms     string
	refuses func(r *http.Request) (code string, at time.Time)
	asked   atomic.Int64
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.asked.Add(1)
	if code, at := g.refuses(r); code != "" {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		if !at.IsZero() {
			w.Header().Set("Date", at.UTC().Format(http.TimeFormat))
		}
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"__type":%q,"message":"refused"}`, code)
		return
	}
	out, err := http.NewRequestWithContext(r.Context(), r.Method, g.kms, r.Body)
	if err != nil {
		panic(err)
	}
	out.Header = r.Header
	answer, err := http.DefaultClient.Do(out)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer answer.Body.Close()
	for name, v := range answer.Header {
		w.Header()[name] = v
	}
	w.WriteHeader(answer.StatusCode)
	_, _ = io.Copy(w, answer.Body)
}

// issuer gives credentials out, new ones each time.
type issuer struct{ given atomic.Int64 }

func (i *issuer) Retrieve(context.Context) (aws.Credentials, error) {
	n := i.given.Add(1)
	return aws.Credentials{AccessKeyID: fmt.Sprint("AKID", n), SecretAccessKey: "s", SessionToken: fmt.Sprint("token", n)}, nil
}

// throughGate returns a codec whose requests go through the gate to the KMS.
func throughGate(t *testing.T, k *sealtest.KMS, arn string, i *issuer, refuses func(*http.Request) (string, time.Time)) (*codec.Codec, *gate) {
	t.Helper()
	g := &gate{kms: k.URL(), refuses: refuses}
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	cfg := k.AWSConfig(east)
	cfg.BaseEndpoint = aws.String(server.URL)
	cfg.Credentials = aws.NewCredentialsCache(i)
	return newCodec(t, k, awskms.Config{Keys: []string{arn}, Client: awskms.Clients(cfg)}), g
}

// TestErrorsOfCredentials: a call whose credentials KMS does not take is made once more with
// new ones, and what is left has its kind.
func TestErrorsOfCredentials(t *testing.T) {
	codes := []struct {
		code string
		want error
	}{
		{"ExpiredTokenException", codec.ErrKeyUnavailable},
		{"ExpiredToken", codec.ErrKeyUnavailable},
		{"RequestExpired", codec.ErrKeyUnavailable},
		{"RequestTimeTooSkewed", codec.ErrKeyUnavailable},
		{"InvalidClientTokenId", codec.ErrKeyDenied},
		{"UnrecognizedClientException", codec.ErrKeyDenied},
		{"InvalidSignatureException", codec.ErrKeyDenied},
		{"SignatureDoesNotMatch", codec.ErrKeyDenied},
	}
	k := fake(t)
	arn := k.CreateKey(east)
	for _, c := range codes {
		old := func(r *http.Request) (string, time.Time) {
			if r.Header.Get("X-Amz-Security-Token") == "token1" {
				return c.code, time.Time{}
			}
			return "", time.Time{}
		}
		var i issuer
		cd, g := throughGate(t, k, arn, &i, old)
		if _, err := cd.Encrypt(t.Context(), nil, []byte("123-45-6789"), ec); err != nil {
			t.Errorf("%s, once: %v", c.code, err)
		}
		if g.asked.Load() != 2 || i.given.Load() != 2 {
			t.Errorf("%s, once: %d requests, %d credentials; want 2 and 2", c.code, g.asked.Load(), i.given.Load())
		}
		var j issuer
		cd, g = throughGate(t, k, arn, &j, func(*http.Request) (string, time.Time) { return c.code, time.Time{} })
		_, err := cd.Encrypt(t.Context(), nil, []byte("123-45-6789"), ec)
		if !errors.Is(err, c.want) {
			t.Errorf("%s, always: %v; want %v", c.code, err, c.want)
		}
		if g.asked.Load() != 2 || j.given.Load() != 2 {
			t.Errorf("%s, always: %d requests, %d credentials; want 2 and 2", c.code, g.asked.Load(), j.given.Load())
		}
		if err != nil && strings.Contains(err.Error(), "token") && strings.Contains(err.Error(), "token1") {
			t.Errorf("%s: the error holds a token", c.code)
		}
	}
	if len(codes) != 8 {
		t.Error("the number of cases changed")
	}
}

// TestManyCallsRenewTheirCredentialsOnce: calls that were under way with the old credentials
// do not throw the new ones away.
func TestManyCallsRenewTheirCredentialsOnce(t *testing.T) {
	const calls = 20
	k := fake(t)
	arn := k.CreateKey(east)
	var i issuer
	var all sync.WaitGroup // of the requests with the old credentials
	all.Add(calls)
	cd, _ := throughGate(t, k, arn, &i, func(r *http.Request) (string, time.Time) {
		if r.Header.Get("X-Amz-Security-Token") != "token1" {
			return "", time.Time{}
		}
		all.Done()
		all.Wait()
		return "ExpiredTokenException", time.Time{}
	})
	var wg sync.WaitGroup
	for n := range calls {
		wg.Go(func() {
			if _, err := cd.Encrypt(t.Context(), nil, []byte("123-45-6789"), codec.Context{"n": fmt.Sprint(n)}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := i.given.Load(); n != 2 {
		t.Errorf("credentials were given %d times, want 2", n)
	}
}

// TestAWrongClockIsCorrected: the SDK learns KMS's time from the answer that refuses the
// first request, and signs the second with it.
func TestAWrongClockIsCorrected(t *testing.T) {
	k := fake(t)
	arn := k.CreateKey(east)
	ahead := time.Now().Add(3 * time.Hour)
	var i issuer
	cd, g := throughGate(t, k, arn, &i, func(r *http.Request) (string, time.Time) {
		signed, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
		if err != nil {
			t.Error(err)
		}
		if ahead.Sub(signed).Abs() > 15*time.Minute {
			return "InvalidSignatureException", ahead
		}
		return "", time.Time{}
	})
	if _, err := cd.Encrypt(t.Context(), nil, []byte("123-45-6789"), ec); err != nil {
		t.Error(err)
	}
	if n := g.asked.Load(); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
}
