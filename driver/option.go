package driver

import (
	"context"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/branchkey"
	"github.com/sealsql/sealsql/internal/sqlplan"
	"github.com/sealsql/sealsql/policy"
)

// Option configures a [Connector] or a [ValueSealer] of [NewSealer].
type Option func(*settings)

// settings is what options set. It is not changed after NewConnector.
type settings struct {
	policy     *policy.Policy
	policyPath string
	watch      *Watch
	dialect    Dialect
	aws        *aws.Config
	keyrings   map[string]codec.Keyring
	stores     map[string]branchkey.Store
	sinks      []alert.Sink
	logger     *slog.Logger
	schema     []*sqlplan.Relation
	static     bool
	closeIn    time.Duration

	olderSuites bool
	selfCheck   bool
	readKeys    []string
}

// WithPolicy sets the policy. It goes before the DSN's sealsql_policy and
// the environment's SEALSQL_POLICY.
func WithPolicy(p *policy.Policy) Option { return func(s *settings) { s.policy = p } }

// WithPolicyFile names the policy's file, which is read by [NewConnector] and by
// [Connector.Reload].
func WithPolicyFile(path string) Option { return func(s *settings) { s.policyPath = path } }

// WithDialect says which dialect the base driver's connections speak, for a
// base driver that sealsql does not recognise: a mocked one, or one wrapped by a
// tracing library.
func WithDialect(d Dialect) Option { return func(s *settings) { s.dialect = d } }

// WithAWSConfig sets the AWS configuration that KMS clients are made with. Its
// Region is replaced by each wrapping key's. Without it the AWS SDK's
// standard sources are used: environment, shared files, container and instance roles.
func WithAWSConfig(c aws.Config) Option { return func(s *settings) { s.aws = &c } }

// WithKeyring replaces the policy's keyring of the given name, in tests for example.
// Where the policy says format: compact, a keyring that is not a
// [github.com/sealsql/sealsql/codec/compact.Keys] writes messages all the same.
func WithKeyring(name string, k codec.Keyring) Option {
	return func(s *settings) {
		if s.keyrings == nil {
			s.keyrings = make(map[string]codec.Keyring)
		}
		s.keyrings[name] = k
	}
}

// WithBranchKeyStore sets the branch key store that a policy names as
// "store: code:NAME", in DynamoDB for one.
func WithBranchKeyStore(name string, store branchkey.Store) Option {
	return func(s *settings) {
		if s.stores == nil {
			s.stores = make(map[string]branchkey.Store)
		}
		s.stores[name] = store
	}
}

// WithSink adds a sink for events, beside the sinks of the policy's alerts.
func WithSink(k alert.Sink) Option { return func(s *settings) { s.sinks = append(s.sinks, k) } }

// WithAlertFunc adds a function that is called with each event, in a
// goroutine of its own, never in a query's.
func WithAlertFunc(f func(alert.Event)) Option {
	return WithSink(alert.SinkFunc(func(_ context.Context, e alert.Event) error { f(e); return nil }))
}

// WithLogger sets the logger of the policy's "log" alerts; slog.Default() if
// it is not set.
func WithLogger(l *slog.Logger) Option { return func(s *settings) { s.logger = l } }

// WithCloseTimeout bounds how long [Connector.Close] waits for sinks to take
// the events that are queued; 5 seconds if it is not set.
func WithCloseTimeout(d time.Duration) Option { return func(s *settings) { s.closeIn = d } }

// WithOlderSuites reads messages of suites without key commitment whatever the
// keyrings' commitment says: for tools that re-encrypt them. Nothing is written so.
func WithOlderSuites() Option { return func(s *settings) { s.olderSuites = true } }

// WithSelfCheck makes a sealer open what it has just sealed with the data key that it
// still holds, once for each value, instead of asking KMS. The opening verifies the
// message's form, context, commitment and tags. It does not verify that KMS unwraps
// the data key. For tools that check each value before they store it.
func WithSelfCheck() Option { return func(s *settings) { s.selfCheck = true } }

// WithReadKeys puts the KMS keys of the given ARNs in the place of every
// keyring's own, for tools that read values of the policy's columns that are still
// wrapped under old keys. Multi-Region keys stand for all their replicas.
func WithReadKeys(arns ...string) Option { return func(s *settings) { s.readKeys = arns } }

// Schema describes tables to a connector that must not read the live catalog,
// such as one over a mocked connection: by table name, or schema.table, the columns in
// the order of SELECT *.
type Schema map[string][]SchemaColumn

// SchemaColumn is a column of a table in a [Schema].
type SchemaColumn struct {
	// Name is the column's name; "*" stands for columns that are not listed: with
	// it a statement may name any, and SELECT * is refused.
	Name string
	// Type is the server's name of the type, such as "bigint" or "varchar".
	Type string
	// Unique is true for a column that is the table's primary key or a unique
	// key by itself.
	Unique bool
}

// WithSchema describes the tables in place of the live catalog, which is then
// never read. It is meant for tests: with it, views that show protected columns without
// the policy's knowledge go unnoticed.
func WithSchema(tables Schema) Option {
	return func(s *settings) {
		s.static = true
		s.schema = nil
		for name, columns := range tables {
			rel := &sqlplan.Relation{}
			rel.Schema, rel.Name = splitTable(name)
			for _, c := range columns {
				if c.Name == "*" {
					rel.Incomplete = true
					continue
				}
				rel.Columns = append(rel.Columns, sqlplan.RelationColumn{Name: c.Name, Type: c.Type})
				if c.Unique {
					rel.UniqueKeys = append(rel.UniqueKeys, sqlplan.UniqueKey{Name: c.Name, Columns: []string{c.Name}})
				}
			}
			s.schema = append(s.schema, rel)
		}
	}
}
