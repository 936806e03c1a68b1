#!/bin/sh
# Real kamailio as the SIP edge, with the keys and the addresses of OMniLeads' image (CONTRACT.md). It names its
# version in every answer of its own. What it refuses beyond a missing key, it refuses in its own words.
set -e
for key in KAMAILIO_HOSTNAME ASTERISK_HOSTNAME REDIS_HOSTNAME RTPENGINE_HOSTNAME KAMAILIO_CERTS_LOCATION; do
    eval "value=\${$key:-}"
    if [ -z "$value" ]; then
        echo "ERROR: environment variable '$key' is not set" >&2
        exit 1
    fi
done
# The lines before 2.6 have a key in their configuration; this is that of the lab.
export AUTHEPH_SK="${AUTHEPH_SK:-a-key-of-the-lab}"
# Only the lab's own catalog gives every address, which no other side could send to.
advertised=$KAMAILIO_HOSTNAME
[ "$advertised" != 0.0.0.0 ] || advertised=$(hostname -I | cut -d' ' -f1)
advertised=${advertised:-127.0.0.1}
mkdir -p /run/kamailio
cat > /run/kamailio/listen.cfg <<END
server_header="Server: OMniLeads lab kamailio $(cat /oml/version)"
#!substdef "!ADVERTISED!$advertised!g"
listen=udp:$KAMAILIO_HOSTNAME:10060 advertise $advertised:10060
listen=tls:$KAMAILIO_HOSTNAME:14443 advertise $advertised:14443
alias="$advertised"
END
exec /usr/sbin/kamailio -DD -E -f /etc/kamailio/kamailio.cfg -m "${SHM_SIZE:-64}" -M "${PKG_SIZE:-8}" \
    -Y /run/kamailio
