#!/bin/sh
# Real Asterisk. It names its version in every SIP answer; calls to `echo`, `wait` and any number stay up.
set -e
version=$(cat /oml/version)
mkdir -p /run/asterisk /var/lib/asterisk /var/log/asterisk /var/spool/asterisk
cat > /run/asterisk/global.conf <<END
[global]
type=global
user_agent=OMniLeads lab asterisk $version
[transport]
type=transport
protocol=udp
bind=0.0.0.0:${ASTERISK_SIP_PORT:-5060}
END
if [ -n "$AMI_USER" ] && [ -n "$AMI_PASSWORD" ]; then
    cat > /run/asterisk/manager.conf <<END
[general]
enabled=yes
port=5038
bindaddr=127.0.0.1
[$AMI_USER]
secret=$AMI_PASSWORD
read=all
write=all
END
else
    echo "[general]" > /run/asterisk/manager.conf
fi
exec /usr/sbin/asterisk -fnv
