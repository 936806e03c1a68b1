//! The recipes of all base systems and layers. This module is data only.

use crate::debian::{PackageLayer, System};

/// Debian 12, as small as debootstrap can make it. Every usual host and most images are based on it.
pub(crate) const BOOKWORM: System = System {
    name: "bookworm",
    suite: "bookworm",
    packages: &[],
    finish: "rm -f /etc/resolv.conf.bak",
};

/// Debian 13, as small as debootstrap can make it. It is built only for the hosts that ask for it.
pub(crate) const TRIXIE: System =
    System { name: "trixie", suite: "trixie", packages: &[], finish: "" };

/// Lists what every host has, systemd, D-Bus, Docker, and programs that tests use to inspect a host, and then what the
/// hosts of one release have besides.
macro_rules! packages_of_a_host {
    ($($further:literal),*) => {
        &[
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
            "prometheus",
            "python3-grpcio",
            $($further),*
        ]
    };
}

/// The layer of a host with Debian 12.
pub(crate) const HOST: PackageLayer =
    PackageLayer { name: "host", packages: packages_of_a_host!(), finish: include_str!("host.sh") };

/// The layer of a host with Debian 13, where the command `docker` is a package of its own. The hosts also have `rpm`,
/// with which the tests install packages in that format.
pub(crate) const HOST_TRIXIE: PackageLayer = PackageLayer {
    name: "host-trixie",
    packages: packages_of_a_host!("docker-cli", "rpm"),
    // The kernel is this machine's, and a container loads no modules of it.
    finish: concat!(include_str!("host.sh"), "systemctl mask systemd-modules-load.service\n"),
};

/// Programs that the lab runs on this machine. They run from the cache and are not installed, because installing them
/// would also start services.
pub(crate) const TOOLS: PackageLayer =
    PackageLayer { name: "tools", packages: &["docker-registry", "busybox-static"], finish: "" };

/// The ACME server that a test runs on one of its hosts.
pub(crate) const PEBBLE: PackageLayer =
    PackageLayer { name: "pebble", packages: &["pebble"], finish: "" };

/// A system with Asterisk 16 on Debian 11, because Debian 12 has no Asterisk. The package's sample settings are removed.
pub(crate) const ASTERISK: System = System {
    name: "asterisk",
    suite: "bullseye",
    packages: &["asterisk", "asterisk-modules", "asterisk-core-sounds-en-gsm"],
    finish: "rm -rf /etc/asterisk/* /usr/lib/python3 /usr/lib/python3.9",
};

/// The layer of Kamailio with the modules of OMniLeads' configuration: logins, Redis, TLS and WebSocket.
pub(crate) const KAMAILIO: PackageLayer = PackageLayer {
    name: "kamailio",
    packages: &[
        "kamailio",
        "kamailio-autheph-modules",
        "kamailio-redis-modules",
        "kamailio-tls-modules",
        "kamailio-websocket-modules",
        "netbase",
    ],
    finish: "rm -rf /etc/kamailio/*",
};

pub(crate) const RTPENGINE: PackageLayer =
    PackageLayer { name: "rtpengine", packages: &["rtpengine-daemon"], finish: "" };

pub(crate) const REDIS: PackageLayer =
    PackageLayer { name: "redis", packages: &["redis-server"], finish: "" };

/// A system with Redis 6, which is that of Debian 11. It stops at a dump of Redis 7.
pub(crate) const REDIS_6: System =
    System { name: "redis-6", suite: "bullseye", packages: &["redis-server"], finish: "" };

/// The layer of PostgreSQL without its just-in-time compiler, which is most of the size and is switched off.
pub(crate) const POSTGRES: PackageLayer = PackageLayer {
    name: "postgres",
    packages: &["postgresql-15"],
    finish: "rm -rf /var/lib/postgresql/15 /etc/postgresql/15 /usr/lib/*/libLLVM* /usr/lib/postgresql/15/lib/llvmjit*
rm -rf /usr/lib/postgresql/15/lib/bitcode /usr/lib/*/libz3.so.4",
};

/// The layer of PostgreSQL 17, which is that of Debian 13, on that release.
pub(crate) const POSTGRES_17: PackageLayer = PackageLayer {
    name: "postgres-17",
    packages: &["postgresql-17"],
    finish: "rm -rf /var/lib/postgresql/17 /etc/postgresql/17 /usr/lib/*/libLLVM* /usr/lib/postgresql/17/lib/llvmjit*
rm -rf /usr/lib/postgresql/17/lib/bitcode /usr/lib/*/libz3.so.4",
};

pub(crate) const NGINX: PackageLayer =
    PackageLayer { name: "nginx", packages: &["nginx", "openssl"], finish: "" };

/// The layer of MariaDB without what its package for servers brings besides: Perl, Galera and the settings of Debian. The
/// package makes the user only together with the service.
pub(crate) const MARIADB: PackageLayer = PackageLayer {
    name: "mariadb",
    packages: &["mariadb-server-core", "mariadb-client-core"],
    finish: "set -e
groupadd --system mysql
useradd --system --gid mysql --home-dir /var/lib/mysql --no-create-home mysql
mkdir -p /var/lib/mysql
chown mysql: /var/lib/mysql",
};

/// The layer of PHP as a server of FastCGI, with its client of MariaDB. Without the last package it would bring
/// systemd.
pub(crate) const PHP: PackageLayer = PackageLayer {
    name: "php",
    packages: &["php8.2-fpm", "php8.2-mysql", "systemd-standalone-tmpfiles"],
    finish: "rm -rf /etc/php/8.2/fpm/pool.d",
};

/// The name of the cache entry with the registry's content.
pub(crate) const STORE: &str = "registry";
