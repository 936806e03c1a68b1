#!/bin/sh
# Real Asterisk behind the rules of the entry point of 2.2, which checks no variable: with an ENV that it does not know,
# it stays at every address. It takes three folders for itself, one of which is there only as a volume. Its ports of
# media are fixed.
set -e
ln -sfn "/usr/share/zoneinfo/$TZ" /etc/localtime
trunks=0.0.0.0 agents=0.0.0.0 management=127.0.0.1 programs=127.0.0.1
case $ENV in
cloud | cloud_external_dialer | lan | nat | hybrid)
    trunks=$ASTERISK_HOSTNAME agents=$ASTERISK_HOSTNAME management=$ASTERISK_HOSTNAME
    [ "$ARQ" != cluster ] || programs=$ASTERISK_HOSTNAME
    ;;
ha) trunks=$ASTERISK_VIP agents=$ASTERISK_HOSTNAME management=$ASTERISK_VIP programs=$ASTERISK_VIP ;;
all | devenv) management=0.0.0.0 programs=0.0.0.0 ;;
*) echo "ENV is '$ENV', which is no known one" ;;
esac
case $ENV in
cloud) trunks=$PUBLIC_IP ;;
cloud_external_dialer) trunks=$PUBLIC_IP management=0.0.0.0 ;;
esac
mkdir -p /var/lib/asterisk/sounds/oml /var/spool/asterisk/monitor
chown -R asterisk:asterisk /etc/asterisk/retrieve_conf /var/lib/asterisk/sounds/oml /var/spool/asterisk/monitor
trunks=$trunks:5060 agents=$agents:5160
. /oml/configure
