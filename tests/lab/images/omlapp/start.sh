#!/bin/sh
# Stands in for the web application and for daphne: an HTTP server that says that it is a stand-in. It needs a
# command and the settings that the application needs (CONTRACT.md).
case $1 in
/opt/omnileads/bin/init_uwsgi.sh) name=omnileads port=$UWSGI_PORT ;;
/opt/omnileads/bin/init_daphne.sh) name=daphne port=$DAPHNE_PORT ;;
"")
    echo "no command specified: the image has none of its own" >&2
    exit 127
    ;;
*)
    echo "$1: not found" >&2
    exit 127
    ;;
esac
for key in TZ INSTALL_PREFIX DJANGO_SETTINGS_MODULE OMNILEADS_HOSTNAME KAMAILIO_HOSTNAME REDIS_HOSTNAME \
    AMI_USER AMI_PASSWORD PGHOST PGPORT PGUSER PGDATABASE PGPASSWORD EPHEMERAL_USER_TTL SESSION_COOKIE_AGE \
    LOGIN_FAILURE_LIMIT CALIFICACION_REAGENDA OML_BRANCH OML_COMMIT OML_BUILD_DATE; do
    eval "value=\${$key:-}"
    if [ -z "$value" ]; then
        echo "AssertionError: Falta definir setting para $key" >&2
        exit 1
    fi
done
answer="{\"stand_in\":true,\"component\":\"$name\",\"version\":\"$(cat /oml/version)\",\"port\":$port}"
mkdir -p /www/accounts/login /www/cgi-bin
for path in index.html accounts/login/index.html health; do echo "$answer" > "/www/$path"; done
trap 'kill "$child" 2>/dev/null; exit 0' TERM INT
httpd -f -p "$DJANGO_HOSTNAME:$port" -h /www &
child=$!
echo "$name (a stand-in) listening at $DJANGO_HOSTNAME:$port"
wait "$child"
