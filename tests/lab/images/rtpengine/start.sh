#!/bin/sh
# Real rtpengine, in user space only.
set -e
address=${RTPENGINE_HOSTNAME:-${LAN_IP:-$(hostname -I | cut -d' ' -f1)}}
mkdir -p /run/rtpengine
exec /usr/bin/rtpengine --foreground --log-stderr --log-level=5 --table=-1 --interface="${address:-127.0.0.1}" \
    --listen-ng="0.0.0.0:${NG_BIND_UDP_PORT:-22222}" --port-min="${RTP_PORT_MIN:-20000}" \
    --port-max="${RTP_PORT_MAX:-30000}" --num-threads=2 --timeout="${TIMEOUT:-60}" \
    --silent-timeout="${SILENT_TIMEOUT:-3600}" --config-file=none
