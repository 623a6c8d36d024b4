# make test is what a contributor and CI run; see README.md.

GOCYCLO = github.com/fzipp/gocyclo/cmd/gocyclo@v0.6.0
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK = golang.org/x/vuln/cmd/govulncheck@v1.9.0
FUZZTIME ?= 30s

.PHONY: test test-go1.27 race lint bench sizes bench-peers bench-before fuzz interop servers kms-calls mutants bench-overhead profile-overhead conformance conformance-pgx conformance-pgxpool conformance-pgxconn conformance-mysql conformance-sqlx

# test runs every test against real Postgres and MariaDB servers, and what speaks to a
# server on MySQL, too. It fetches what is missing (see scripts/servers.sh).
test: servers
	go build ./...
	CGO_ENABLED=0 go build ./...
	go test -timeout 20m ./...
	cd examples && go vet ./... && go test ./...
	cd examples/frameworks && go vet ./... && go test ./...
	cd cmd/sealsql && go vet ./... && go test ./...
	go run ./examples/quickstart
	$(MAKE) test-mysql

# test-go1.27 runs the library's tests with Go 1.27, which is downloaded.
test-go1.27: servers
	GOTOOLCHAIN=go1.27.1 go test ./codec/... ./driver/... ./policy/... ./sealtest ./internal/integration

servers:
	scripts/servers.sh

# test-mysql runs what speaks to a server on MySQL 9.7.
.PHONY: test-mysql
test-mysql: servers
	SEALSQL_POSTGRES=none SEALSQL_MYSQL=mysql-9.7 go test ./internal/integration ./rekey/... ./driver/mysql ./internal/testing/drills
	cd cmd/sealsql && SEALSQL_POSTGRES=none SEALSQL_MYSQL=mysql-9.7 go test ./...

# test-servers runs corpus, integration, rekey, short drills and conformance on
# every server of the matrix, or on SERVERS, and prints the table of docs/SQL.md.
.PHONY: test-servers
test-servers:
	scripts/servers.sh debian $(or $(SERVERS),all)
	go run ./internal/testing/matrix $(if $(SUITES),-suites "$(SUITES)") $(SERVERS)

# applications runs the mock applications of examples/frameworks beside their twins, in each
# mode of the base drivers.
.PHONY: applications
applications: servers
	cd examples/frameworks && go test -count 1 -v ./applications -args -modes | grep -v '^ *=== RUN'

# race leaves out tests that send one statement after another from one goroutine.
ONE_BY_ONE := TestCorpus.*|TestApplicationsOnServers|TestSearchedOnServers|TestWritesOfTermsOnServers|TestEveryArgumentIntoEveryColumn|TestNoStateOfASessionLetsAPlaintextOut|TestScanDestinations|TestCallForms|TestAKeyOfAnotherType|TestKeysOfTextThatBecomeOther|TestDefaultsOfKeys.*|TestNothingIsRefusedForACatalogThatWas|TestDocuments.*|TestPartsOfDocuments.*|TestPathsOfDocuments.*
race: servers
	go test -race -timeout 30m -skip '^($(ONE_BY_ONE))$$' ./codec/... ./driver/... ./policy/... ./sealtest/... ./internal/...
	go test -race -timeout 30m -run 'Storm|Ends$$' ./sealpgx

lint:
	scripts/lint.sh $(STATICCHECK) $(GOVULNCHECK) $(GOCYCLO)

# bench runs every benchmark once; codec's floor is the bare cryptography. What
# sealsql adds is measured beside the bare drivers, otelsql and sqlmw. BenchmarkLarge prints
# what planning takes by the rows of a statement; the exchanges of each route come last.
bench: bench-overhead
	go test -run '^$$' -bench . -benchmem ./codec/... ./internal/... ./driver/...
	go test -run 'TestExchangesOfEachRoute$$' -count 1 -v ./internal/integration

# interop exchanges messages with AWS's own SDKs for Go and JavaScript.
interop:
	cd interop && scripts/run.sh

# conformance runs the suites of pgx, go-sql-driver/mysql and sqlx, copied from
# the module cache, bare and through sealsql, and compares test by test.
conformance: conformance-pgx conformance-pgxpool conformance-pgxconn conformance-mysql conformance-sqlx

conformance-pgx: servers
	cd interop && go test -count=1 -v -run '^TestPgx$$' ./conformance

conformance-pgxpool: servers
	cd interop && go test -count=1 -v -run '^TestPgxPool$$' ./conformance

conformance-pgxconn: servers
	cd interop && go test -count=1 -v -run '^TestPgxConn$$' ./conformance

conformance-mysql: servers
	cd interop && go test -count=1 -v -run '^TestMySQL$$' ./conformance

conformance-sqlx: servers
	cd interop && go test -count=1 -v -run '^TestSqlx$$' ./conformance

# conformance-orm does so with the suites of ORMs, on Postgres and MariaDB; CI
# runs all but pop's and, on MariaDB, xorm's, which take longest.
ORMS = goqu gorm gorp pop sqlboiler xorm
.PHONY: conformance-orm $(ORMS:%=conformance-%) conformance-xorm-postgres conformance-xorm-mysql
conformance-orm: $(ORMS:%=conformance-%)

conformance-goqu conformance-gorm conformance-gorp conformance-pop conformance-sqlboiler: conformance-%: servers
	cd interop && go test -count=1 -v -run '(?i)^Test$*(Postgres|MySQL)?$$' ./conformance

conformance-xorm: conformance-xorm-postgres conformance-xorm-mysql

conformance-xorm-postgres conformance-xorm-mysql: conformance-xorm-%: servers
	cd interop && go test -count=1 -v -timeout 20m -run '(?i)^TestXorm$*$$' ./conformance

# sizes prints the bytes of a value in each mode beside AWS's.
sizes:
	cd interop && go test -count=1 -v -run TestSizes .

# mutants breaks the wrapper in the ways other wrappers are broken, and has the
# tests find each.
mutants:
	go run ./internal/testing/mutants

# bench-search prints what searches and writes of searchable columns take beside the bare
# driver, as ratios, in a table of ROWS rows, and what their planning takes.
.PHONY: bench-search
bench-search: servers
	go test ./internal/integration -run 'TestSearchSpeed$$' -count 1 -v -timeout 0 -args -searchspeed.rows=$(or $(ROWS),1000000) -searchspeed.rounds=$(or $(ROUNDS),200) | grep -v '^time='
	go test ./internal/sqlplan ./internal/exec -run '^$$' -bench 'PlanSearch|PlanCached' -benchmem

# bench-overhead measures sealsql beside the bare drivers, otelsql and sqlmw.
bench-overhead: servers
	cd interop && go test -v -run Allocations -bench . -benchtime 1x ./overhead

# profile-overhead prints where the processor time of protected statements goes.
profile-overhead:
	scripts/profile-overhead.sh

# bench-peers compares with AWS's SDK for Go, with Tink and with the bare cryptography,
# in one run, and prints a table of the ratios.
bench-peers:
	cd interop && go test -run '^$$' -bench Peers -benchtime 2s .

# bench-before compares with an older commit in one run: BEFORE names the commit.
BEFORE ?= 0bfc888
bench-before:
	scripts/bench-before.sh $(BEFORE)

# kms-calls prints the calls of KMS that 10,000 rows take, each with a context of
# its own, with a data key per value, cached and per branch, on both servers.
kms-calls: servers
	go test -count=1 -run TestWhatABranchKeySaves -v ./internal/integration -args -rows 10000 | grep -v '^time='

fuzz:
	for t in FuzzParse FuzzBody FuzzFrames FuzzContext; do \
		go test -run '^$$' -fuzz "^$$t\$$" -fuzztime $(FUZZTIME) ./codec || exit 1; done
	go test -run '^$$' -fuzz FuzzParse -fuzztime $(FUZZTIME) ./policy
	go test -run '^$$' -fuzz FuzzWrappedKey -fuzztime $(FUZZTIME) ./codec/branchkey
	go test -run '^$$' -fuzz FuzzOpen -fuzztime $(FUZZTIME) ./codec/compact
	go test -run '^$$' -fuzz FuzzSeal -fuzztime $(FUZZTIME) ./codec/compact
	go test -run '^$$' -fuzz FuzzPlan -fuzztime $(FUZZTIME) ./internal/sqlplan/postgres
	go test -run '^$$' -fuzz FuzzPlan -fuzztime $(FUZZTIME) ./internal/sqlplan/mysql

# fuzz-values writes and reads random values under random settings, beside a bare twin,
# on the servers that SEALSQL_POSTGRES and SEALSQL_MYSQL name.
FUZZVALUESTIME ?= 30s
.PHONY: fuzz-values
fuzz-values: servers
	go test ./internal/integration -count 1 -v -timeout 0 -run 'TestFuzzValues$$' -args -fuzzvalues.time=$(FUZZVALUESTIME) $(if $(SEED),-fuzzvalues.seed=$(SEED))

# corpus-settings sends the corpus under each setting of the drivers, beside a bare twin, and
# then under random combinations of them for SETTINGSTIME; it prints how many statements ran.
SETTINGSTIME ?= 1m
.PHONY: corpus-settings
corpus-settings: servers
	go test ./internal/integration -count 1 -v -timeout 0 -run 'TestCorpusUnderSettings$$' -args -corpus.settings -corpus.mixed=$(SETTINGSTIME) $(if $(SEED),-corpus.seed=$(SEED)) | grep -v '^time=\|^ *=== RUN\|^ *--- PASS'

# The drills of internal/testing/drills at full length: outages of whole Regions under
# load, long scans, values moved behind the driver's back, sinks that hang.
DRILL = go test ./internal/testing/drills -count 1 -v -timeout 30m -whole
.PHONY: drill drill-scan drill-swaps drill-sinks
drill: servers
	$(DRILL) -run TestOutage -outage $(or $(DURATION),2m)

drill-scan: servers
	$(DRILL) -run Scan

drill-swaps: servers
	$(DRILL) -run 'TestSwaps|TestWhatNobodyCanSee'

drill-sinks: servers
	$(DRILL) -run TestSinks

# drill-writers has 200 workers upsert and update one table through sealsql and its twin
# bare, and prints throughputs and errors; it fails at an error that bare does not have.
.PHONY: drill-writers
drill-writers: servers
	$(DRILL) -run TestWriters -writers $(or $(DURATION),1m)

.PHONY: drill-migration drill-speed drill-kill drill-scale drill-rotation drill-rolling

# drill-migration moves a table of bare KMS ciphertexts to messages under a
# multi-Region key while an application reads and writes it; then the old key goes.
drill-migration: servers
	SEALSQL_MIGRATION_ROWS=$${ROWS:-20000} go test -count=1 -v -timeout 60m -run TestThePublishedMigration ./rekey/internal/engine

# drill-speed compares the engine with a script that goes row by row.
drill-speed: servers
	SEALSQL_SPEED_ROWS=$${ROWS:-50000} go test -run '^$$' -bench Reencrypt -benchtime 1x -timeout 60m ./rekey/internal/engine

# drill-kill kills the command with SIGKILL at 50 random moments and resumes it.
drill-kill: servers
	cd cmd/sealsql && SEALSQL_KILLS=$${KILLS:-50} SEALSQL_KILL_ROWS=3000 go test -count=1 -v -timeout 60m -run 'TestKilledAtAnyMoment|TestShards|TestInterrupt' .

# drill-rotation moves the equality terms of a table to another key while 16 clients read
# and write it by e-mail, and kills reindex with SIGKILL; it prints what it saw.
drill-rotation: servers
	cd cmd/sealsql && SEALSQL_ROTATION_ROWS=$${ROWS:-100000} SEALSQL_ROTATION_KILLS=$${KILLS:-20} go test -count=1 -v -timeout 60m -run 'TestRotation$$' .

# drill-rolling deploys nine releases of an application, each beside the one before it, in two
# processes that read and write one table; it prints what was refused, lost or left in clear.
drill-rolling: servers
	cd cmd/sealsql && SEALSQL_ROLLING_ROWS=$${ROWS:-5000} go test -count=1 -v -timeout 60m -run 'TestRolling$$' .

# drill-scale prints the cost of a row and the heap for 10,000 and 1,000,000 rows.
drill-scale: servers
	SEALSQL_SCALE_ROWS=$${ROWS:-1000000} go test -count=1 -v -timeout 60m -run TestScale ./rekey/internal/engine

# fuzz-sql compares random statements, and random searches of protected columns, with
# the bare driver on an unprotected twin; FUZZSQLSEED names the first statement.
FUZZSQLTIME ?= 5m
FUZZSQLSEED ?= 1
.PHONY: fuzz-sql
fuzz-sql: servers
	go test ./internal/integration -run 'TestDifferential|TestFuzzSearch' -count 1 -v -timeout 0 -fuzzsql.time $(FUZZSQLTIME) -fuzzsql.seed $(FUZZSQLSEED)

# webapp-test drives the example's two Regions in a browser, on Postgres and on
# MariaDB, checks the templates and the dashboards, and runs a short load with
# drills. One package at a time: each starts servers of its own.
.PHONY: webapp-test webapp-load
webapp-test: servers
	examples/webapp/scripts/chromium.sh
	cd examples/webapp && go vet ./... && go test -p 1 -count=1 ./...

# webapp-load has 64 clients visit both Regions for two minutes, with a drill
# every ten seconds, and prints the figures; it fails at a wrong answer.
webapp-load: servers
	go run ./examples/webapp -load $(or $(DURATION),2m)
	go run ./examples/webapp -load $(or $(DURATION),2m) -mysql

# fuzz-leak sends generated statements through sealsql and looks for protected values
# in the servers' own statement logs. SEED names the first statement.
FUZZLEAKTIME ?= 30s
.PHONY: fuzz-leak
fuzz-leak: servers
	go test ./internal/testing/leak -count 1 -v -timeout 0 -run 'TestFuzzLeak$$' -args -fuzzleak.time=$(FUZZLEAKTIME) $(if $(SEED),-fuzzleak.seed=$(SEED))

# mutants-leak takes out what keeps one kind of plaintext from the servers, or one kind of
# value from being lost, one at a time, and has fuzz-leak or a test find each; MUTANT
# selects by a part of the description.
.PHONY: mutants-leak
mutants-leak: servers
	scripts/servers.sh postgres-18 mysql-9.7
	go run ./internal/testing/mutants leaks $(or $(TIME),90s) "$(MUTANT)"
