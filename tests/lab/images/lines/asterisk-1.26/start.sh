#!/bin/sh
# Real Asterisk behind the rules of the entry point of 1.26, which checks no variable: telephones and programs reach it
# at every address, only its management has one address. Its ports of media are fixed.
set -e
ln -sfn "/usr/share/zoneinfo/$TZ" /etc/localtime
trunks=0.0.0.0:5060 agents=0.0.0.0:5160 management=$ASTERISK_HOSTNAME programs=0.0.0.0
. /oml/configure
