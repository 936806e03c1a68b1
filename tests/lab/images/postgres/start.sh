#!/bin/sh
# Real PostgreSQL; its data lives in the volume /var/lib/postgresql/data and is made at the first start, which
# needs a password (CONTRACT.md).
set -e
bin=$(echo /usr/lib/postgresql/*/bin)
PGDATA=${PGDATA:-/var/lib/postgresql/data}
user=${POSTGRES_USER:-postgres}
base=${POSTGRES_DB:-$user}
cluster=$PGDATA/cluster
if [ ! -d "$cluster" ] && [ -z "$POSTGRES_PASSWORD" ]; then
    echo "Error: Database is uninitialized and superuser password is not specified." >&2
    exit 1
fi
mkdir -p "$PGDATA" /run/postgresql
chown postgres:postgres "$PGDATA" /run/postgresql
chmod 0700 "$PGDATA"
as_postgres() { setpriv --reuid=postgres --regid=postgres --clear-groups --inh-caps=-all "$@"; }
if [ ! -d "$cluster" ]; then
    # Made beside its place and renamed when whole: a start that was cut short begins again.
    new=$PGDATA/new
    rm -rf "$new"
    (umask 077 && printf '%s\n' "$POSTGRES_PASSWORD" > /run/postgresql/password)
    chown postgres /run/postgresql/password
    as_postgres "$bin/initdb" -D "$new" --username="$user" --pwfile=/run/postgresql/password \
        --auth-host=scram-sha-256 --auth-local=trust --encoding=UTF8 --locale=C.UTF-8 --no-sync
    rm -f /run/postgresql/password
    echo "host all all all scram-sha-256" >> "$new/pg_hba.conf"
    if [ "$base" != postgres ]; then
        echo "CREATE DATABASE \"$base\" OWNER \"$user\";" | as_postgres "$bin/postgres" --single -j -D "$new" postgres
    fi
    mv "$new" "$cluster"
fi
exec setpriv --reuid=postgres --regid=postgres --clear-groups --inh-caps=-all "$bin/postgres" -D "$cluster" \
    -c listen_addresses='*' -c port="${PGPORT:-5432}" -c jit=off
