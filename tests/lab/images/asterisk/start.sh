#!/bin/sh
# Real Asterisk behind the rules of OMniLeads' entry point (CONTRACT.md). It names its version in every SIP
# answer; calls to `echo`, `wait` and any number stay up.
set -e
for key in ENV TZ AMI_USER AMI_PASSWORD; do
    eval "value=\${$key:-}"
    if [ -z "$value" ]; then
        echo "ERROR: Environment variable '$key' must be set" >&2
        exit 1
    fi
done
case $ENV in
lan | nat | hybrid) management=$ASTERISK_HOSTNAME trunks=$ASTERISK_HOSTNAME ;;
cloud | prod) management=$ASTERISK_HOSTNAME trunks=${PUBLIC_IP:-127.0.0.1} ;;
ha) management=${ASTERISK_VIP:-$ASTERISK_HOSTNAME} trunks=${ASTERISK_VIP:-$ASTERISK_HOSTNAME} ;;
all) management=0.0.0.0 trunks=0.0.0.0 ;;
*)
    echo "ERROR: Invalid ENV='$ENV'. Valid values: prod, cloud, lan, nat, hybrid, all, ha" >&2
    exit 1
    ;;
esac
version=$(cat /oml/version)
mkdir -p /run/asterisk /var/lib/asterisk /var/log/asterisk /var/spool/asterisk
cat > /run/asterisk/global.conf <<END
[global]
type=global
user_agent=OMniLeads lab asterisk $version
[transport]
type=transport
protocol=udp
bind=$trunks:5060
END
cat > /run/asterisk/manager.conf <<END
[general]
enabled=yes
port=5038
bindaddr=$management
[$AMI_USER]
secret=$AMI_PASSWORD
read=all
write=all
END
exec /usr/sbin/asterisk -fnv
