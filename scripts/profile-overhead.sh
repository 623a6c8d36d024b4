#!/bin/sh
# Profiles protected reads and writes over a base in memory, under branch keys, and
# prints the processor time of each part, for the table in docs/PERFORMANCE.md.
set -eu
cd "$(dirname "$0")/../interop"
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
go test -c -o "$out/overhead.test" ./overhead
for what in read read_again write; do
	(cd overhead && "$out/overhead.test" -test.run '^$' -test.bench "^BenchmarkProtected\$/^$what\$" -test.benchtime 3s -test.cpuprofile "$out/$what") | grep allocs
	go tool pprof -top -cum -nodecount 1000 -focus 'BenchmarkProtected.func' "$out/overhead.test" "$out/$what" 2>"$out/errors" |
		grep -E 'BenchmarkProtected.func[0-9]+$|Session[)].Plan|Run[)].bind$|binding[)].seal$|reading.openShown|branchkey.*[)].(On|CachedContentKey)|scratch[)].contentKey|Codec[)]|codec.Parse|seal.decodePlaintext|driver.wrapRows|reading.newSlot'
done
