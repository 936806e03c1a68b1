#!/bin/sh
# Real kamailio as a SIP edge: answers OPTIONS itself and names its version. The keys and the address are
# those of OMniLeads' image (CONTRACT.md).
set -e
for key in KAMAILIO_HOSTNAME ASTERISK_HOSTNAME REDIS_HOSTNAME RTPENGINE_HOSTNAME KAMAILIO_CERTS_LOCATION; do
    eval "value=\${$key:-}"
    if [ -z "$value" ]; then
        echo "ERROR: environment variable '$key' is not set" >&2
        exit 1
    fi
done
version=$(cat /oml/version)
mkdir -p /run/kamailio
cat > /run/kamailio/version.cfg <<END
server_header="Server: OMniLeads lab kamailio $version"
listen=udp:$KAMAILIO_HOSTNAME:10060
END
exec /usr/sbin/kamailio -DD -E -f /etc/kamailio/kamailio.cfg -m "${SHM_SIZE:-64}" -M "${PKG_SIZE:-8}" \
    -P /run/kamailio/kamailio.pid -Y /run/kamailio
