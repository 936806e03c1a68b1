#!/bin/sh
# Stands in for docker.io/library/mariadb:10.11, with the server of Debian 12, which is 10.11 too. Its rules are those of
# https://github.com/MariaDB/mariadb-docker (10.11/Dockerfile, 10.11/docker-entrypoint.sh):
# - An option as the first argument is one of mariadbd. Another program is run as it is, and so is mariadbd when it is
#   only asked for its help or version.
# - Files and options that mariadbd cannot read are refused before anything else.
# - NAME_FILE is the file with the value of NAME; both of them are refused. Root reads the files, and the server runs as
#   the user mysql.
# - A database is made where /var/lib/mysql/mysql is missing, and only then are passwords and names read. It is refused
#   without a password for root. While it is made, the server has no port.
# - Root may log in from everywhere, as the user who is made with all rights on the database that is made.
# - A user healthcheck is made, whose password is in /var/lib/mysql/.my-healthcheck.cnf.
# - No file of the image has a bind-address: the server listens at every address.
# Left out, because nothing here uses it: the names MYSQL_…, the other ways to give root a password, replication,
# /docker-entrypoint-initdb.d, time zones, and the upgrade of older databases.
set -e

data=/var/lib/mysql
socket=/run/mysqld/mysqld.sock

fail() {
    echo "[ERROR] [Entrypoint]: $*" >&2
    exit 1
}

from_file() {
    eval "value=\${$1:-} file=\${$1_FILE:-}"
    [ -z "$value" ] || [ -z "$file" ] || fail "Both $1 and $1_FILE are set (but are exclusive)"
    [ -z "$file" ] || value=$(cat "$file")
    export "$1=$value"
    unset "$1_FILE"
}

as_mysql="setpriv --reuid=mysql --regid=mysql --clear-groups --inh-caps=-all"

sql() { mariadb --no-defaults --protocol=socket --socket=$socket --user=root "$@"; }

# Prints a value as a text of SQL.
text() { printf "'%s'" "$(printf %s "$1" | sed "s/[\\\\']/\\\\&/g")"; }

statements() {
    health=$(head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n')
    (umask 077 && printf '[client]\nuser=healthcheck\npassword=%s\n' "$health" > $data/.my-healthcheck.cnf)
    chown mysql: $data/.my-healthcheck.cnf
    echo "CREATE USER healthcheck@localhost IDENTIFIED BY $(text "$health");"
    echo "DROP USER IF EXISTS root@'127.0.0.1', root@'::1';"
    echo "EXECUTE IMMEDIATE CONCAT('DROP USER IF EXISTS root@', QUOTE(@@hostname));"
    echo "CREATE USER root@'%' IDENTIFIED BY $(text "$MARIADB_ROOT_PASSWORD");"
    echo "GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION;"
    [ -z "$MARIADB_DATABASE" ] || echo "CREATE DATABASE IF NOT EXISTS \`$MARIADB_DATABASE\`;"
    if [ -n "$MARIADB_USER" ] && [ -n "$MARIADB_PASSWORD" ]; then
        echo "CREATE USER $(text "$MARIADB_USER")@'%' IDENTIFIED BY $(text "$MARIADB_PASSWORD");"
        [ -z "$MARIADB_DATABASE" ] || echo "GRANT ALL ON \`$MARIADB_DATABASE\`.* TO $(text "$MARIADB_USER")@'%';"
    fi
    echo "SET PASSWORD FOR root@localhost = PASSWORD($(text "$MARIADB_ROOT_PASSWORD"));"
}

initialise() {
    echo "[Note] [Entrypoint]: Initializing database files"
    mariadb-install-db --user=mysql --datadir=$data --rpm --skip-test-db --auth-root-authentication-method=normal
    $as_mysql "$@" --skip-networking --socket=$socket &
    server=$!
    tries=30
    until sql --execute='SELECT 1' > /dev/null 2>&1; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || fail "Unable to start server."
        sleep 1
    done
    statements | sql
    kill "$server"
    wait "$server"
    echo "[Note] [Entrypoint]: MariaDB init process done. Ready for start up."
}

case ${1:-} in -*) set -- mariadbd "$@" ;; esac
help=no
for word; do
    case $word in -V | --version | --help | '-?' | --print-defaults) help=yes ;; esac
done
if [ "${1:-}" != mariadbd ] || [ $help = yes ]; then exec "$@"; fi

said=$("$@" --verbose --help 2>&1 > /dev/null) || fail "mariadbd failed while attempting to check config: $said"
for name in MARIADB_ROOT_PASSWORD MARIADB_DATABASE MARIADB_USER MARIADB_PASSWORD; do from_file $name; done
mkdir -p /run/mysqld
chown mysql: /run/mysqld $data
if [ ! -d $data/mysql ]; then
    [ -n "$MARIADB_ROOT_PASSWORD" ] || fail "Database is uninitialized and password option is not specified"
    initialise "$@"
fi
exec $as_mysql "$@"
