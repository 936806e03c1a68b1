//! Which base systems and layers exist. Data only.

use crate::debian::{Layer, System};

/// Debian 12, as small as debootstrap makes it: below every host and most images.
pub(crate) const BOOKWORM: System = System {
    name: "bookworm",
    suite: "bookworm",
    packages: &[],
    finish: "rm -f /etc/resolv.conf.bak",
};

/// A host: systemd, D-Bus and Docker, and programs that tests look with.
pub(crate) const HOST: Layer = Layer {
    name: "host",
    packages: &[
        "systemd",
        "systemd-sysv",
        "dbus",
        "docker.io",
        "iptables",
        "iproute2",
        "iputils-ping",
        "procps",
        "ca-certificates",
        "curl",
        "openssl",
        "sip-tester",
        "sipsak",
        "prometheus-node-exporter",
    ],
    finish: include_str!("host.sh"),
};

/// Name and stamp of everything that is cached.
pub(crate) fn entries() -> Vec<(&'static str, String)> {
    vec![(BOOKWORM.name, BOOKWORM.stamp()), (HOST.name, HOST.stamp(&BOOKWORM))]
}
