# The entry point of the Kamailio of carriers of 3.X: it writes down who is a carrier and where Asterisk is. An entry of
# both lists is an address, with a name and an equals sign before it and a port behind it if somebody wants to.
for key in IPADDR_PUBLIC IPADDR_PRIVATE FQDN RTPENGINE_SOCKET ACD_NODES ITSP_NODES; do
    eval "value=\${$key:-}"
    if [ -z "$value" ]; then
        echo "ERROR: environment variable '$key' must be set" >&2
        exit 1
    fi
done
mkdir -p /run/kamailio
entries() { echo "$1" | tr , '\n' | sed 's/^ *//; s/ *$//; s/^[^=]*=//; s/^sip://; /^$/d'; }
for node in $(entries "$ACD_NODES"); do
    case $node in
    *:*) ;;
    *) node=$node:${ASTERISK_PORT:-5060} ;;
    esac
    echo "${ASTERISK_SETID:-10} sip:$node 0 0 socket=udp:$IPADDR_PRIVATE:5060"
done > /run/kamailio/dispatcher.list
{
    echo 'route[CARRIER] {'
    for node in $(entries "$ITSP_NODES"); do
        echo "    if (\$si == \"${node%%:*}\") return 1;"
    done
    echo '    return -1;'
    echo '}'
} > /run/kamailio/carriers.cfg
cat > /run/kamailio/listen.cfg <<END
server_header="Server: OMniLeads lab kamailio $(cat /oml/version)"
alias="$FQDN"
listen=udp:$IPADDR_PUBLIC:5060 advertise $IPADDR_PUBLIC:5060
listen=tcp:$IPADDR_PRIVATE:9273
END
[ "$IPADDR_PUBLIC" = "$IPADDR_PRIVATE" ] || echo "listen=udp:$IPADDR_PRIVATE:5060" >> /run/kamailio/listen.cfg
exec /usr/sbin/kamailio -DD -E -f /etc/kamailio/kamailio_pstn.cfg -m "${SHM_SIZE:-64}" -M "${PKG_SIZE:-8}" \
    -Y /run/kamailio
