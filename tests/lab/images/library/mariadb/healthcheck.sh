#!/bin/sh
# Stands in for healthcheck.sh of docker.io/library/mariadb (https://github.com/MariaDB/mariadb-docker,
# 10.11/healthcheck.sh), with two of its questions. It logs in as the user healthcheck.
# - `--connect`: the server answers, and not only at its socket, as while the database is made.
# - `--innodb_initialized`: the engine InnoDB is there.
set -e
[ $# -gt 0 ] || { echo "At least one argument required" >&2; exit 1; }

ask() { mariadb --defaults-extra-file=/var/lib/mysql/.my-healthcheck.cnf --protocol=socket -BN --execute="$1"; }

for question; do
    case $question in
    --connect)
        [ "$(ask 'SELECT @@skip_networking')" = 0 ] || { echo "healthcheck connect failed" >&2; exit 1; }
        ;;
    --innodb_initialized)
        found=$(ask "SELECT 1 FROM information_schema.ENGINES WHERE engine = 'InnoDB' AND support IN ('YES', 'DEFAULT')")
        [ "$found" = 1 ] || { echo "healthcheck innodb_initialized failed" >&2; exit 1; }
        ;;
    *)
        echo "Unknown healthcheck option $question" >&2
        exit 1
        ;;
    esac
done
