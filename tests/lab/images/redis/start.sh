#!/bin/sh
# Real redis; its data lives in the volume /data.
set -e
mkdir -p /data
exec /usr/bin/redis-server --bind "${BIND_IP:-0.0.0.0}" --port 6379 --protected-mode no --dir /data \
    --appendonly yes --daemonize no
