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
agents=$ASTERISK_HOSTNAME programs=127.0.0.1
[ "${ARQ:-}" != cluster ] || programs=$ASTERISK_HOSTNAME
case $ENV in
lan | nat | hybrid) management=$ASTERISK_HOSTNAME trunks=$ASTERISK_HOSTNAME ;;
cloud) management=$ASTERISK_HOSTNAME trunks=${PUBLIC_IP:-127.0.0.1} ;;
prod) management=$ASTERISK_HOSTNAME trunks=${PUBLIC_IP:-127.0.0.1} programs=$ASTERISK_HOSTNAME ;;
ha)
    management=${ASTERISK_VIP:-$ASTERISK_HOSTNAME}
    trunks=$management programs=$management
    ;;
all) management=0.0.0.0 trunks=0.0.0.0 agents=0.0.0.0 programs=0.0.0.0 ;;
*)
    echo "ERROR: Invalid ENV='$ENV'. Valid values: prod, cloud, lan, nat, hybrid, all, ha" >&2
    exit 1
    ;;
esac
trunks=$trunks:5060 agents=$agents:5160
. /oml/configure
