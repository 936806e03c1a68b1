#!/bin/sh
# The smallest component: answers its version on every path of a port.
mkdir -p /www
cp /oml/version /www/index.html
trap 'kill "$child" 2>/dev/null; exit 0' TERM INT
httpd -f -p "${PORT:-8080}" -h /www &
child=$!
echo "listening on port ${PORT:-8080}"
wait "$child"
