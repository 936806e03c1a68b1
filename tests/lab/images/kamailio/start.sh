#!/bin/sh
# Real kamailio as a SIP edge: answers OPTIONS itself and names its version.
set -e
version=$(cat /oml/version)
mkdir -p /run/kamailio
cat > /run/kamailio/version.cfg <<END
server_header="Server: OMniLeads lab kamailio $version"
listen=udp:0.0.0.0:${KAMAILIO_SIP_PORT:-5060}
listen=tcp:0.0.0.0:${KAMAILIO_SIP_PORT:-5060}
END
exec /usr/sbin/kamailio -DD -E -f /etc/kamailio/kamailio.cfg -m "${SHM_SIZE:-64}" -M "${PKG_SIZE:-8}" \
    -P /run/kamailio/kamailio.pid -Y /run/kamailio
