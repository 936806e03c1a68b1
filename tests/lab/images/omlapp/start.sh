#!/bin/sh
# Stands in for the web application and for daphne: an HTTP server that says that it is a stand-in.
name=${COMPONENT:-omlapp}
port=${PORT:-8099}
answer="{\"stand_in\":true,\"component\":\"$name\",\"version\":\"$(cat /oml/version)\",\"port\":$port}"
mkdir -p /www/accounts/login /www/cgi-bin
for path in index.html accounts/login/index.html health; do echo "$answer" > "/www/$path"; done
trap 'kill "$child" 2>/dev/null; exit 0' TERM INT
httpd -f -p "$port" -h /www &
child=$!
echo "$name (a stand-in) listening on port $port"
wait "$child"
