# Finishes the system of a host; runs once inside it.
set -e
rm -f /etc/resolv.conf /etc/hostname
# The machine's own: none of these belong into a container that is up for minutes.
systemctl mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer \
    e2scrub_reap.service console-getty.service getty.target systemd-udevd.service systemd-resolved.service
# Installed, but started only by what manages the host, or by a test.
systemctl disable prometheus-node-exporter.service prometheus.service
apt-get clean
