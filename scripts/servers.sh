#!/bin/sh
# Installs the database servers and the pooler that the tests start, if they are missing.
set -eu
missing=""
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null 2>&1 || missing="$missing postgresql"
command -v mariadbd >/dev/null 2>&1 || [ -x /usr/sbin/mariadbd ] || missing="$missing mariadb-server"
command -v pgbouncer >/dev/null 2>&1 || [ -x /usr/sbin/pgbouncer ] || missing="$missing pgbouncer"
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
	echo "The tests need$missing; install it and run again (as root, on Debian, this script does it)." >&2
	exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
# The tests start servers of their own; the packages' services are not wanted.
printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d.sealsql
if [ ! -e /usr/sbin/policy-rc.d ]; then
	cp /usr/sbin/policy-rc.d.sealsql /usr/sbin/policy-rc.d && chmod +x /usr/sbin/policy-rc.d
	trap 'rm -f /usr/sbin/policy-rc.d' EXIT
fi
rm -f /usr/sbin/policy-rc.d.sealsql
# shellcheck disable=SC2086 # a list of packages
apt-get install -q -y --no-install-recommends $missing
