#!/bin/sh
# Real PostgreSQL 15 behind the rules of docker-library's entry point: it takes `postgres` and its options as the
# command, initialises an empty folder of data, which needs a password, and runs the SQL files of
# /docker-entrypoint-initdb.d then. A tag that begins with a number from 18 on has the places of that version.
set -e
bin=$(echo /usr/lib/postgresql/*/bin)
major=$(sed 's/[^0-9].*//' /oml/version)
old=/var/lib/postgresql/data
# The tags of OMniLeads' own image are dates.
if [ "${major:-0}" -ge 18 ] && [ "${major:-0}" -lt 1000 ]; then
    if grep -q " $old " /proc/self/mountinfo; then
        echo "Error: in 18+, these Docker images are configured to store database data in a format which is" >&2
        echo "       compatible with pg_ctlcluster; there is a mount at $old" >&2
        exit 1
    fi
    PGDATA=${PGDATA:-/var/lib/postgresql/$major/docker}
fi
export PGDATA=${PGDATA:-$old}
case ${1:-} in
"" | -*) set -- postgres "$@" ;;
postgres) ;;
*) exec "$@" ;;
esac
shift
user=${POSTGRES_USER:-postgres}
base=${POSTGRES_DB:-$user}
port=${PGPORT:-5432}
mkdir -p "$PGDATA" /run/postgresql
chown postgres:postgres "$PGDATA" /run/postgresql
chmod 0700 "$PGDATA"
as_postgres() { setpriv --reuid=postgres --regid=postgres --clear-groups --inh-caps=-all "$@"; }
initialise() {
    if [ -z "$POSTGRES_PASSWORD" ]; then
        echo "Error: Database is uninitialized and superuser password is not specified." >&2
        exit 1
    fi
    # Made below its place and moved when whole, the version last: a start that was cut short begins again.
    new=$PGDATA/new
    [ ! -d "$new" ] || find "$PGDATA" -mindepth 1 -delete
    (umask 077 && printf '%s\n' "$POSTGRES_PASSWORD" > /run/postgresql/password)
    chown postgres /run/postgresql/password
    as_postgres "$bin/initdb" -D "$new" --username="$user" --pwfile=/run/postgresql/password \
        --auth-host=scram-sha-256 --auth-local=trust --encoding=UTF8 --locale=C.UTF-8 --no-sync
    rm -f /run/postgresql/password
    echo "host all all all scram-sha-256" >> "$new/pg_hba.conf"
    # It listens at its socket only until everything is there.
    as_postgres "$bin/pg_ctl" -D "$new" -w -t 60 -o "-c listen_addresses='' -p $port" start
    sql() { as_postgres "$bin/psql" -v ON_ERROR_STOP=1 -q -h /run/postgresql -p "$port" -U "$user" "$@"; }
    [ "$base" = postgres ] || sql -d postgres -c "CREATE DATABASE \"$base\" OWNER \"$user\""
    for file in /docker-entrypoint-initdb.d/*.sql; do
        [ ! -f "$file" ] || sql -d "$base" -f - < "$file"
    done
    as_postgres "$bin/pg_ctl" -D "$new" -w -t 60 -m fast stop
    find "$new" -mindepth 1 -maxdepth 1 ! -name PG_VERSION -exec mv {} "$PGDATA/" \;
    mv "$new/PG_VERSION" "$PGDATA/"
    rmdir "$new"
}
[ -s "$PGDATA/PG_VERSION" ] || initialise
exec setpriv --reuid=postgres --regid=postgres --clear-groups --inh-caps=-all "$bin/postgres" -D "$PGDATA" \
    -c listen_addresses='*' -c port="$port" -c jit=off "$@"
