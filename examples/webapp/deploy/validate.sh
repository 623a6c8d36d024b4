#!/bin/sh
# Checks the CloudFormation templates; see validate/validate.mjs.
set -eu
cd "$(dirname "$0")/validate"
if ! command -v npm >/dev/null 2>&1; then
	if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
		DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends nodejs npm
	else
		echo "The check of the templates needs node and npm; install them and run again." >&2
		exit 1
	fi
fi
[ -d node_modules ] || npm ci --no-audit --no-fund --ignore-scripts
node validate.mjs "${1:-../cloudformation}"
