#!/bin/sh
# Gives the data to the user of this image before it starts, as docker-library's entry point does: the user postgres of
# another release of Debian may have another number, and a server only reads what is its own.
set -e
find "${PGDATA:-/var/lib/postgresql/data}" ! -user postgres -exec chown postgres:postgres {} +
exec /usr/local/bin/start "$@"
