#!/bin/sh
# Stands in for the websockets server: an HTTP server that says that it is a stand-in. Its keys have the forms
# that OMniLeads gives them (CONTRACT.md).
case $BIND_ADDRESS in
*:*) ;;
*)
    echo "BIND_ADDRESS must be ADDRESS:PORT" >&2
    exit 1
    ;;
esac
case $REDIS_HOST in
redis://*) ;;
*)
    echo "REDIS_HOST must be redis://HOST" >&2
    exit 1
    ;;
esac
port=${BIND_ADDRESS##*:}
answer="{\"stand_in\":true,\"component\":\"websockets\",\"version\":\"$(cat /oml/version)\",\"port\":$port}"
mkdir -p /www
for path in index.html health-checks; do echo "$answer" > "/www/$path"; done
trap 'kill "$child" 2>/dev/null; exit 0' TERM INT
httpd -f -p "$BIND_ADDRESS" -h /www &
child=$!
echo "websockets (a stand-in) listening at $BIND_ADDRESS"
wait "$child"
