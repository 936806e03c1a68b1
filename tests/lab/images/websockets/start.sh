#!/bin/sh
# Stands in for the websockets server: an HTTP server that says that it is a stand-in.
port=${PORT:-8000}
answer="{\"stand_in\":true,\"component\":\"websockets\",\"version\":\"$(cat /oml/version)\",\"port\":$port}"
mkdir -p /www
for path in index.html health-checks; do echo "$answer" > "/www/$path"; done
trap 'kill "$child" 2>/dev/null; exit 0' TERM INT
httpd -f -p "$port" -h /www &
child=$!
echo "websockets (a stand-in) listening on port $port"
wait "$child"
