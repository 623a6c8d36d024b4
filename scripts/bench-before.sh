#!/bin/sh
# Runs the benchmarks of an older commit and of this tree in turn, and prints medians with
# their spread (benchstat), and then the ratio of the quickest rounds, which other work on
# the machine distorts least. The two versions run in one session, round by round, so that
# whatever else the machine does slows both.
#
#	scripts/bench-before.sh [COMMIT]
#
# ROUNDS is how often each version runs (8), BENCHTIME how long each benchmark takes.
set -eu
cd "$(dirname "$0")/.."
before=${1:-0bfc888}
rounds=${ROUNDS:-8}
benchtime=${BENCHTIME:-200ms}
benchstat=golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da
out=$(mktemp -d)
trap 'git worktree remove --force "$out/before" 2>/dev/null || true; rm -rf "$out"' EXIT
git worktree add --detach --quiet "$out/before" "$before"

# A line each: a name, the benchmarks, and the packages that had or have them.
cat >"$out/list" <<LIST
codec . codec
branchkey . codec/branchkey
cache . codec/cache
plan-postgres . internal/sqlplan/postgres
plan-mysql . internal/sqlplan/mysql
plan-cached PlanCached driver internal/exec
driver Protected interop/overhead
LIST

# build SIDE TREE compiles the benchmarks that a version has.
build() {
	while read -r name benchmarks packages; do
		for package in $packages; do
			if grep -qs '^func Benchmark' "$2/$package"/*_test.go && grep -qsE "^func Benchmark.*($benchmarks)" "$2/$package"/*_test.go; then
				(cd "$2/$package" && go test -c -o "$out/$1-$name.test" .)
				echo "$2/$package" >"$out/$1-$name.dir"
			fi
		done
	done <"$out/list"
}

# run SIDE runs a version's benchmarks once.
run() {
	while read -r name benchmarks _; do
		[ -x "$out/$1-$name.test" ] || continue
		(cd "$(cat "$out/$1-$name.dir")" &&
			"$out/$1-$name.test" -test.run '^$' -test.bench "$benchmarks" -test.benchmem -test.benchtime "$benchtime") |
			sed -n "s|^Benchmark|Benchmark$name/|p" >>"$out/$1.txt"
	done <"$out/list"
}

build before "$out/before"
build now "$PWD"
for round in $(seq "$rounds"); do
	if [ $((round % 2)) = 0 ]; then run before && run now; else run now && run before; fi
done
go run "$benchstat" "$out/before.txt" "$out/now.txt"
echo
echo "quickest round, in ns: before, now, ratio"
for side in before now; do
	awk -v side=$side '/^Benchmark/ { if (!($1 in least) || $3 < least[$1]) least[$1] = $3 } END { for (b in least) print b, side, least[b] }' "$out/$side.txt"
done | awk '$2 == "before" { old[$1] = $3 } $2 == "now" { now[$1] = $3 }
	END { for (b in now) if (b in old) printf "%-50s %12.0f %12.0f %6.2f\n", b, old[b], now[b], now[b] / old[b] }' | sort
