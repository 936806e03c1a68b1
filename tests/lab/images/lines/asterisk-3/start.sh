#!/bin/sh
# Real Asterisk as the server of the ACD of 3.X. The image has no command of its own: its other programs, which are
# stand-ins, do not come by here. Carriers are behind one Kamailio, agents behind another one.
set -e
if [ "${1:-}" != /docker-entrypoint.sh ]; then
    echo "no command specified: the image has none of its own" >&2
    exit 127
fi
for key in TZ AMI_USER AMI_PASSWORD; do
    eval "value=\${$key:-}"
    if [ -z "$value" ]; then
        echo "ERROR: environment variable '$key' must be set" >&2
        exit 1
    fi
done
if [ ! -f "/usr/share/zoneinfo/$TZ" ]; then
    echo "ERROR: Timezone file '/usr/share/zoneinfo/$TZ' does not exist. Check TZ env var." >&2
    exit 1
fi
ln -sf "/usr/share/zoneinfo/$TZ" /etc/localtime
cat > /etc/asterisk/rtp.conf <<END
[general]
rtpstart=${RTP_PORT_MIN:-40000}
rtpend=${RTP_PORT_MAX:-50000}
END
further="[proxied](!)
type=endpoint
disallow=all
allow=ulaw,alaw
direct_media=no
rtp_symmetric=yes
force_rport=yes
[carriers](proxied)
transport=trunk-transport
context=from-carrier
identify_by=ip
[carriers]
type=identify
endpoint=carriers
match=${VOIP_PROXY_HOSTNAME:-kamailio-pstn}
[webrtc-trunk](proxied)
transport=agent-transport
context=from-oml
aors=webrtc-trunk
[webrtc-trunk]
type=aor
contact=sip:${WEBRTC_PROXY_HOSTNAME:-kamailio-webrtc}:${WEBRTC_PROXY_PORT:-10060}
qualify_frequency=0"
trunks=${ACD_SIP_PUBLIC_BIND_ADDR:-0.0.0.0}:${ACD_SIP_PUBLIC_BIND_PORT:-5070}
agents=${ACD_SIP_AGENT_BIND_ADDR:-0.0.0.0}:${ACD_SIP_AGENT_BIND_PORT:-5160}
management=0.0.0.0 programs=0.0.0.0
. /oml/configure
