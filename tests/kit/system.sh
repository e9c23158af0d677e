#!/usr/bin/env bash
# What the tests need from the system: PostgreSQL 15 with its contributed modules, pgbouncer, Node.js with npm,
# SoftHSM, age, ssh-keygen.
# As root on Debian it is installed; otherwise one line says what is missing, and those tests are skipped.
set -euo pipefail
missing=()
[ -x /usr/lib/postgresql/15/bin/postgres ] && [ -e /usr/lib/postgresql/15/lib/pgcrypto.so ] ||
	missing+=(postgresql postgresql-contrib)
[ -n "$(PATH=$PATH:/usr/sbin command -v pgbouncer)" ] || missing+=(pgbouncer)
[ -n "$(command -v node)" ] && [ -n "$(command -v npm)" ] || missing+=(nodejs npm)
[ -n "$(command -v softhsm2-util)" ] && [ -e /usr/lib/softhsm/libsofthsm2.so ] || missing+=(softhsm2)
[ -n "$(command -v age)" ] || missing+=(age)
[ -n "$(command -v ssh-keygen)" ] || missing+=(openssh-client)
[ ${#missing[@]} -gt 0 ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -qq
	apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
else
	echo "some tests will be skipped; for all of them, as root: apt-get install ${missing[*]}" >&2
fi
