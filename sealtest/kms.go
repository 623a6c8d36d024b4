package sealtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
)

// DefaultAccount is the AWS account of the keys of a [KMS] that was not given
// another by [WithAccount].
const DefaultAccount = "111122223333"

// KMS is a fake AWS KMS: an HTTP server on the loopback interface that speaks
// the AWS JSON 1.1 protocol of TrentService. One URL serves every Region; the
// Region of a request is the one in the credential scope of its signature, as
// the AWS SDKs put it there.
//
// It answers GenerateDataKey, GenerateDataKeyWithoutPlaintext, Encrypt,
// Decrypt, ReEncrypt and DescribeKey for symmetric encryption keys. Keys are
// made in code; see [KMS.CreateKey]. It is safe for concurrent use.
type KMS struct {
	server   *http.Server
	listener net.Listener
	client   *http.Client
	account  string
	seed     []byte

	keys   keyring
	faults faults
	log    callLog

	closing   chan struct{}
	closeOnce sync.Once
	served    chan struct{}
}

// An Option changes how [NewKMS] makes a KMS.
type Option func(*options)

type options struct {
	account string
	addr    string
	seed    []byte
	keep    int
}

// WithAccount sets the twelve-digit AWS account of the keys that the KMS
// makes. The default is [DefaultAccount].
func WithAccount(account string) Option {
	return func(o *options) { o.account = account }
}

// WithAddr sets the address to listen on. The default, "127.0.0.1:0", picks a
// free port of the loopback interface.
func WithAddr(addr string) Option {
	return func(o *options) { o.addr = addr }
}

// WithSeed derives the ids and the material of keys from seed, so that a
// second KMS with the same seed and the same calls in the same order (or, with
// [KMS.AddKey], the same ARNs) opens what the first one wrapped. By default
// they are random.
func WithSeed(seed string) Option {
	return func(o *options) { o.seed = []byte(seed) }
}

// WithCallLog sets how many calls [KMS.Calls] keeps; the default is 65,536.
// Counts are kept of all calls, whatever the number.
func WithCallLog(calls int) Option {
	return func(o *options) { o.keep = calls }
}

// NewKMS starts a KMS without keys or faults. The caller closes it. NewKMS
// panics when it cannot listen, since no test can go on then.
func NewKMS(opts ...Option) *KMS {
	o := options{account: DefaultAccount, addr: "127.0.0.1:0", keep: 1 << 16}
	for _, opt := range opts {
		opt(&o)
	}
	listener, err := net.Listen("tcp", o.addr)
	if err != nil {
		panic(fmt.Sprintf("sealtest: the fake KMS cannot listen on %s: %v", o.addr, err))
	}
	k := &KMS{
		listener: listener,
		client:   loopbackClient(),
		account:  o.account,
		seed:     o.seed,
		closing:  make(chan struct{}),
		served:   make(chan struct{}),
	}
	k.keys.init()
	k.faults.init()
	k.log.init(o.keep)
	k.server = newServer(k)
	go func() {
		defer close(k.served)
		if err := k.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			panic(fmt.Sprintf("sealtest: the fake KMS stopped serving: %v", err))
		}
	}()
	return k
}

// URL returns the endpoint, of the form http://127.0.0.1:port, for
// AWS_ENDPOINT_URL_KMS or an SDK's endpoint option.
func (k *KMS) URL() string {
	return "http://" + k.listener.Addr().String()
}

// AWSConfig returns a configuration with which the AWS SDK's clients of that
// Region call this KMS. Its credentials are made up. The clients made from it
// share a pool of connections, which Close empties.
func (k *KMS) AWSConfig(region string) aws.Config {
	return aws.Config{
		Region:       region,
		BaseEndpoint: aws.String(k.URL()),
		HTTPClient:   k.client,
		Credentials:  madeUpCredentials(),
	}
}

// Client returns the AWS SDK's KMS client for that Region.
func (k *KMS) Client(region string, opts ...func(*kms.Options)) *kms.Client {
	return kms.NewFromConfig(k.AWSConfig(region), opts...)
}

// Close stops the server and breaks the connections to it, also those of
// calls that hang. It returns when the server has stopped. More calls of Close
// do nothing.
func (k *KMS) Close() {
	k.closeOnce.Do(func() {
		close(k.closing)
		k.server.Close()
		k.client.CloseIdleConnections()
	})
	<-k.served
}

// loopbackClient is an HTTP client without proxies that keeps enough idle
// connections for a test's concurrent callers: the default of two per host
// would open a connection for nearly every call.
func loopbackClient() *http.Client {
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	return &http.Client{Transport: plainBodies{&http.Transport{
		DialContext:         dialer.DialContext,
		MaxIdleConns:        0,
		MaxIdleConnsPerHost: 512,
		DisableCompression:  true,
	}}}
}

// plainBodies hides the WriteTo of the SDK's request bodies. smithy-go v1.28.9
// closes a body as soon as the answer's header is there, and its WriteTo then
// returns io.EOF. When the answer comes before net/http has looked for the
// body's end, as over loopback one in ten does, net/http takes that for a
// failed request and breaks the connection, with what is still to be read of
// the answer.
type plainBodies struct{ *http.Transport }

func (p plainBodies) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil && r.Body != http.NoBody {
		r = r.WithContext(r.Context()) // a RoundTripper changes no request of others
		r.Body = struct{ io.ReadCloser }{r.Body}
	}
	return p.Transport.RoundTrip(r)
}

func newServer(handler http.Handler) *http.Server {
	return &http.Server{Handler: handler, ReadHeaderTimeout: 30 * time.Second}
}

func madeUpCredentials() aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{
			AccessKeyID:     "AKIAIOSFODNN7EXAMPLE",
			SecretAccessKey: "sealtest",
			Source:          "sealtest",
		}, nil
	})
}
