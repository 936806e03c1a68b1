#!/bin/sh
# Redis 7 that dies ten seconds after its start, as a broken version may. Its dump is written by then.
/usr/bin/redis-server "$@" &
server=$!
trap 'kill -TERM $server; wait $server; exit 0' TERM INT
sleep 10 &
wait $!
kill -TERM $server
wait $server
echo "this version answers, then dies"
exit 139
