# The entry point of the Kamailio of browsers of 3.X. What it refuses beyond a missing key, it refuses in its own words.
for key in KAMAILIO_HOSTNAME KAMAILIO_IFACE ACD_NET_ADDR REDIS_HOSTNAME RTPENGINE_HOSTNAME \
    KAMAILIO_CERTS_LOCATION AUTHEPH_SK; do
    eval "value=\${$key:-}"
    if [ -z "$value" ]; then
        echo "ERROR: environment variable '$key' is not set" >&2
        exit 1
    fi
done
export ASTERISK_HOSTNAME="$ACD_NET_ADDR"
mkdir -p /run/kamailio
cat > /run/kamailio/listen.cfg <<END
server_header="Server: OMniLeads lab kamailio $(cat /oml/version)"
listen=udp:$KAMAILIO_IFACE:10060 advertise $KAMAILIO_HOSTNAME:10060
listen=tcp:$KAMAILIO_IFACE:10060 advertise $KAMAILIO_HOSTNAME:10060
listen=tls:$KAMAILIO_IFACE:14443 advertise $KAMAILIO_HOSTNAME:14443
listen=tcp:$KAMAILIO_IFACE:9274
END
exec /usr/sbin/kamailio -DD -E -A OF_3 -f /etc/kamailio/kamailio_webrtc.cfg -m "${SHM_SIZE:-128}" \
    -M "${PKG_SIZE:-16}" -Y /run/kamailio
