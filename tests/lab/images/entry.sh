#!/bin/sh
# First process of every image of the lab. A good tag becomes its component; a bad one misbehaves in one known way.
version=$(cat /oml/version)
behaviour=$(cat /oml/behaviour)
echo "lab image $version starting, behaviour: $behaviour"

stop() {
    echo "lab image $version stopping"
    [ -z "$child" ] || kill -TERM "$child" 2>/dev/null
    exit 0
}

case $behaviour in
good)
    exec /oml/start "$@"
    ;;
exits-at-once)
    echo "configuration error: this version exits at once"
    exit 1
    ;;
exits-after-20s)
    trap stop TERM INT
    /oml/start "$@" &
    child=$!
    sleep 20 &
    wait $!
    kill -TERM "$child"
    wait "$child"
    echo "fatal: this version exits after 20 s"
    exit 3
    ;;
hangs)
    trap stop TERM INT
    echo "waiting for something that never comes: this version never answers"
    sleep 1000000 &
    child=$!
    wait "$child"
    ;;
dies-in-soak)
    trap stop TERM INT
    /oml/start "$@" &
    child=$!
    sleep 15 &
    wait $!
    echo "segmentation fault: this version answers, then dies"
    kill -KILL "$child"
    exit 139
    ;;
esac
