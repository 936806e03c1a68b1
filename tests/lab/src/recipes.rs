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

/// Programs that the lab itself runs from its cache, so that this machine gets no service it would have to stop.
pub(crate) const TOOLS: Layer =
    Layer { name: "tools", packages: &["docker-registry", "busybox-static"], finish: "" };

/// Real Asterisk 16: Debian 12 has none. The package's sample settings would only be noise.
pub(crate) const ASTERISK: System = System {
    name: "asterisk",
    suite: "bullseye",
    packages: &["asterisk", "asterisk-modules", "asterisk-core-sounds-en-gsm"],
    finish: "rm -rf /etc/asterisk/* /usr/lib/python3 /usr/lib/python3.9",
};

pub(crate) const KAMAILIO: Layer = Layer {
    name: "kamailio",
    packages: &["kamailio", "netbase"],
    finish: "rm -rf /etc/kamailio/*",
};

pub(crate) const RTPENGINE: Layer =
    Layer { name: "rtpengine", packages: &["rtpengine-daemon"], finish: "" };

pub(crate) const REDIS: Layer = Layer { name: "redis", packages: &["redis-server"], finish: "" };

/// Without the compiler for queries: it is most of the size, and switched off.
pub(crate) const POSTGRES: Layer = Layer {
    name: "postgres",
    packages: &["postgresql-15"],
    finish: "rm -rf /var/lib/postgresql/15 /etc/postgresql/15 /usr/lib/*/libLLVM* /usr/lib/postgresql/15/lib/llvmjit*
rm -rf /usr/lib/postgresql/15/lib/bitcode /usr/lib/*/libz3.so.4",
};

pub(crate) const NGINX: Layer =
    Layer { name: "nginx", packages: &["nginx", "openssl"], finish: "" };

/// Name and stamp of everything that has to be there for a lab without the Debian mirror.
pub(crate) fn entries() -> Vec<(&'static str, String)> {
    vec![
        (BOOKWORM.name, BOOKWORM.stamp()),
        (HOST.name, HOST.stamp(&BOOKWORM)),
        (TOOLS.name, TOOLS.stamp(&BOOKWORM)),
        (STORE, crate::images::stamp_of_all()),
    ]
}

/// The registry's content in the cache.
pub(crate) const STORE: &str = "registry";
