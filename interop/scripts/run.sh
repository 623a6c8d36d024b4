#!/bin/sh
# Exchanges messages with AWS's SDKs for Go and JavaScript.
set -eu
cd "$(dirname "$0")/.."
if ! command -v npm >/dev/null 2>&1; then
	if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
		DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends nodejs npm
	else
		echo "make interop needs node and npm; install them and run again" >&2
		exit 1
	fi
fi
(cd node && npm ci --no-audit --no-fund)
go test -count=1 .
