#!/bin/sh
# Real Kamailio with the two entry points of 3.X. The image has no command of its own.
set -e
case ${1:-} in
webrtc | pstn) . "/oml/$1" ;;
*)
    echo "no command specified: the image has none of its own" >&2
    exit 127
    ;;
esac
