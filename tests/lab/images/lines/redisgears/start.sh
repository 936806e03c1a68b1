#!/bin/sh
# Real redis under the name of redislabs/redisgears, which reads no key; its data lives in the volume /data. It has
# no module.
set -e
mkdir -p /data
exec /usr/bin/redis-server --bind 0.0.0.0 --port 6379 --protected-mode no --dir /data --appendonly yes --daemonize no
