// Package archtest keeps the packages' imports to the design: arrows go down
// only, and each heavy dependency has one importer.
package archtest

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/sealsql/sealsql/"

// allowed lists, by package, what it may import of this module and of others.
// "codec/*" stands for any package below codec; as a package, for those that the table
// does not list. The standard library is always allowed.
var allowed = map[string][]string{
	"alert": {
		"github.com/aws/aws-sdk-go-v2/aws",
	},

	"alert/cloudwatch": {
		"alert",
		"github.com/aws/aws-sdk-go-v2/aws",
		"github.com/aws/aws-sdk-go-v2/service/cloudwatch",
		"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types",
	},

	"alert/otel": {
		"alert",
		"go.opentelemetry.io/otel",
		"go.opentelemetry.io/otel/attribute",
		"go.opentelemetry.io/otel/metric",
		"go.opentelemetry.io/otel/semconv/v1.43.0",
		"go.opentelemetry.io/otel/trace",
	},

	"codec": {},
	// A package of its own for each format and each key service.
	"codec/*": {"codec", "internal/keyservice"},

	"codec/awskms": {
		"codec",
		"internal/keyservice",
		"github.com/aws/aws-sdk-go-v2/aws",
		"github.com/aws/aws-sdk-go-v2/service/kms",
		"github.com/aws/aws-sdk-go-v2/service/kms/types",
		"github.com/aws/smithy-go",
	},

	"codec/branchkey": {
		"codec",
		"codec/compact",
		"internal/keyservice",
	},

	"codec/cache": {
		"codec",
		"internal/keyservice",
	},

	"codec/compact": {
		"codec",
	},

	"codec/rawaes": {
		"codec",
	},

	"codec/rawrsa": {
		"codec",
	},

	"driver": {
		"alert", "codec", "codec/branchkey", "fault", "inspect", "internal/exec", "internal/exec/catalog", "internal/exec/loan", "internal/exec/reading", "internal/keyrings", "internal/seal", "internal/server", "internal/sqlplan", "policy",
		"github.com/aws/aws-sdk-go-v2/aws",
	},

	"driver/mysql": {
		"alert/cloudwatch", "alert/otel", "codec/branchkey", "driver", "internal/server", "internal/server/mysql",
		"github.com/go-sql-driver/mysql",
	},

	"driver/postgres": {
		"alert/cloudwatch", "alert/otel", "codec/branchkey", "driver", "internal/server", "internal/server/postgres",
		"github.com/jackc/pgx/v5/pgconn",
		"github.com/jackc/pgx/v5/stdlib",
	},

	"fault": {},

	"inspect": {
		"codec",
	},

	"internal/exec": {
		"internal/exec/catalog", "internal/exec/coltypes", "internal/exec/lineage", "internal/exec/loan", "internal/exec/owntx", "internal/exec/packet", "internal/exec/parallel", "internal/exec/plancache", "internal/exec/reading", "internal/exec/sealing", "internal/exec/violation", "internal/exec/written",
		"alert", "fault", "internal/keyrings", "internal/seal", "internal/server", "internal/sqlplan", "policy",
	},

	"internal/exec/catalog": {
		"fault", "internal/server", "internal/sqlplan",
	},

	"internal/exec/lineage": {
		"fault", "internal/exec/catalog", "internal/server", "internal/sqlplan",
	},
	"internal/exec/coltypes": {
		"internal/exec/catalog", "internal/sqlplan",
	},

	"internal/exec/violation": {
		"internal/exec/catalog", "internal/seal", "internal/server", "internal/sqlplan",
	},

	"internal/exec/written": {
		"internal/server", "internal/sqlplan",
	},

	"internal/exec/owntx": {
		"internal/server",
	},

	"internal/exec/loan": {},

	"internal/exec/packet": {
		"fault",
	},

	"internal/exec/parallel": {},

	"internal/exec/plancache": {
		"internal/sqlplan",
	},

	"internal/exec/reading": {
		"fault", "internal/seal", "internal/server", "internal/sqlplan", "policy",
	},

	"internal/exec/sealing": {
		"fault", "internal/exec/parallel", "internal/exec/reading", "internal/seal", "internal/server", "internal/sqlplan", "policy",
	},

	"internal/keyrings": {
		"alert", "codec", "codec/*", "fault", "policy",
		"github.com/aws/aws-sdk-go-v2/aws",
		"github.com/aws/aws-sdk-go-v2/config",
	},

	"internal/seal": {
		"alert", "codec", "codec/*", "fault", "inspect", "internal/jsondoc", "internal/keyrings", "internal/seal/equality", "internal/server", "policy",
	},

	"internal/seal/equality": {
		"golang.org/x/text/cases",
		"golang.org/x/text/unicode/norm",
	},

	"internal/testing/frequency": {
		"internal/seal/equality",
	},

	"internal/jsondoc": {},

	"internal/keyservice": {
		"codec",
	},

	"internal/server": {
		"codec/branchkey", "internal/sqlplan", "policy",
	},

	"internal/server/mysql": {
		"codec/branchkey", "fault", "internal/server", "internal/sqlplan", "internal/sqlplan/mysql", "policy",
		"github.com/go-sql-driver/mysql",
	},

	"internal/server/postgres": {
		"codec/branchkey", "fault", "internal/server", "internal/sqlplan", "internal/sqlplan/postgres", "policy",
		"github.com/jackc/pgx/v5",
		"github.com/jackc/pgx/v5/pgconn",
		"github.com/jackc/pgx/v5/pgtype",
		"github.com/jackc/pgx/v5/stdlib",
	},

	"internal/sqlplan": {
		"internal/jsondoc",
	},

	"internal/sqlplan/mysql": {
		"internal/sqlplan", "internal/sqlplan/ddl", "internal/sqlplan/treewalk",
		"github.com/sqlc-dev/marino/ast",
		"github.com/sqlc-dev/marino/charset",
		"github.com/sqlc-dev/marino/format",
		"github.com/sqlc-dev/marino/mysql",
		"github.com/sqlc-dev/marino/opcode",
		"github.com/sqlc-dev/marino/parser",
		"github.com/sqlc-dev/marino/test_driver",
		"github.com/sqlc-dev/marino/types",
	},

	"internal/sqlplan/ddl": {
		"internal/sqlplan",
	},

	"internal/sqlplan/plantest": {
		"internal/sqlplan",
	},

	"internal/sqlplan/postgres": {
		"internal/sqlplan", "internal/sqlplan/ddl", "internal/sqlplan/treewalk",
		"github.com/sqlc-dev/oliphant",
		"github.com/sqlc-dev/oliphant/ast",
		"google.golang.org/protobuf/reflect/protoreflect",
	},
	"internal/sqlplan/treewalk": {},

	"internal/testing/barecrypto": {},

	"internal/testing/corpus": {
		"internal/sqlplan", "policy",
		"golang.org/x/tools/txtar",
	},

	"internal/testing/drills": {},

	"internal/testing/fakecloudwatch": {
		"github.com/aws/smithy-go/encoding/cbor",
	},

	"internal/testing/gencombos": {},

	"internal/testing/leak": {},

	"internal/testing/memdriver": {},

	"internal/testing/mutants": {},
	"internal/testing/matrix":  {},

	"internal/testing/testdb": {
		"sealtest",
		"github.com/go-sql-driver/mysql",
		"github.com/jackc/pgx/v5/stdlib",
	},

	"policy": {
		"internal/jsondoc",
		"gopkg.in/yaml.v3",
	},

	"rekey": {
		"alert", "driver", "inspect", "policy", "rekey/internal/engine",
	},

	"rekey/internal/engine": {
		"alert", "codec", "codec/awskms", "codec/compact", "driver", "inspect", "internal/exec", "internal/seal", "internal/server", "internal/sqlplan", "policy",
	},

	"sealpgx": {
		"driver", "driver/postgres", "fault", "internal/exec", "internal/exec/parallel", "internal/exec/reading", "internal/server", "internal/server/postgres", "internal/sqlplan", "policy",
		"github.com/jackc/pgx/v5",
		"github.com/jackc/pgx/v5/multitracer",
		"github.com/jackc/pgx/v5/pgconn",
		"github.com/jackc/pgx/v5/pgtype",
		"github.com/jackc/pgx/v5/pgxpool",
		"github.com/jackc/pgx/v5/stdlib",
	},

	"sealtest": {
		"alert", "codec", "codec/rawaes", "driver", "internal/exec", "internal/seal", "internal/server", "policy",
		"github.com/aws/aws-sdk-go-v2/aws",
		"github.com/aws/aws-sdk-go-v2/credentials",
		"github.com/aws/aws-sdk-go-v2/service/kms",
	},
}

// breaks lists the imports that a package must not have.
func breaks(pkg string, imports []string) (bad []string) {
	rules, known := allowed[pkg]
	if !known && strings.HasPrefix(pkg, "codec/") {
		rules, known = allowed["codec/*"], true
	}
	for _, path := range imports {
		own, isOwn := strings.CutPrefix(path, module)
		first, _, _ := strings.Cut(path, "/")
		if !isOwn && !strings.Contains(first, ".") {
			continue // the standard library
		}
		if isOwn && strings.HasPrefix(own, "codec/") && slices.Contains(rules, "codec/*") {
			continue
		}
		if !known || !slices.Contains(rules, own) {
			bad = append(bad, path)
		}
	}
	return bad
}

func TestImportsGoDownOnly(t *testing.T) {
	seen := map[string]bool{}
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel("../..", path)
		if d.IsDir() && (rel == "examples" || rel == "interop" || rel == "cmd" || strings.HasPrefix(d.Name(), ".") && rel != ".") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		pkg := filepath.ToSlash(filepath.Dir(rel))
		seen[pkg] = true
		var imports []string
		for _, i := range f.Imports {
			name, _ := strconv.Unquote(i.Path.Value)
			imports = append(imports, name)
		}
		for _, bad := range breaks(pkg, imports) {
			t.Errorf("%s imports %s, which the design does not allow", rel, bad)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for pkg := range allowed {
		if !seen[pkg] && !strings.HasSuffix(pkg, "/*") {
			t.Errorf("the table lists %s, which does not exist", pkg)
		}
	}
}

func TestABadImportIsNoticed(t *testing.T) {
	cases := map[string]string{
		"policy":           module + "codec",
		"codec":            module + "policy",
		"codec/rawaes":     "github.com/aws/aws-sdk-go-v2/service/kms",
		"driver":           "gopkg.in/yaml.v3",
		"internal/sqlplan": module + "driver",
		"a/new/package":    module + "driver",
		"codec/new":        module + "policy",
	}
	for pkg, path := range cases {
		if len(breaks(pkg, []string{"fmt", path})) != 1 {
			t.Errorf("%s may import %s", pkg, path)
		}
	}
	if len(cases) != 7 {
		t.Error("the number of cases changed")
	}
}
