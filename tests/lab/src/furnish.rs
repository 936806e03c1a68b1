//! The files that make a base system one particular host: its names, its address, its Docker settings.

use std::net::Ipv4Addr;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::json;

use crate::cache::stamp;
use crate::cgroup;
use crate::debian::write;
use crate::error::{LabError, Result};
use crate::subnet::Subnet;

/// The registry's name on every host.
pub(crate) const REGISTRY: &str = "registry.lab";

/// What the hosts of a lab know about each other.
pub(crate) struct Surroundings<'a> {
    pub(crate) lab: &'a str,
    pub(crate) subnet: Subnet,
    pub(crate) hosts: &'a [(String, Ipv4Addr)],
}

impl Surroundings<'_> {
    /// Writes the files of one host below `root`, before its first start.
    pub(crate) fn furnish(&self, root: &Path, name: &str, address: Ipv4Addr) -> Result<()> {
        // An empty machine id would make systemd think of a first start and enable every unit there is.
        let machine_id: String = stamp(&[self.lab, name, "1"])
            + &stamp(&[self.lab, name, "2"])
            + &stamp(&[self.lab, name, "3"])
            + "00";
        write(&root.join("etc/hostname"), &format!("{name}\n"), 0o644)?;
        write(&root.join("etc/machine-id"), &format!("{machine_id}\n"), 0o444)?;
        write(&root.join("etc/hosts"), &self.hosts_file(), 0o644)?;
        write(&root.join("etc/docker/daemon.json"), &daemon_json(self.subnet, true), 0o644)?;
        let units = root.join("etc/systemd/system");
        let unit = "oml-lab-network.service";
        write(&units.join(unit), &network_unit(address), 0o644)?;
        let wanted = units.join("multi-user.target.wants").join(unit);
        symlink(format!("../{unit}"), &wanted).map_err(LabError::io("link", &wanted))?;
        if !cgroup::is_unified() {
            write(&units.join("docker.service.d/cgroup-v1.conf"), WRITABLE_CGROUPS, 0o644)?;
        }
        Ok(())
    }

    fn hosts_file(&self) -> String {
        let mut text = format!("127.0.0.1 localhost\n{} {REGISTRY}\n", self.subnet.gateway());
        for (name, address) in self.hosts {
            text += &format!("{address} {name}\n");
        }
        text
    }
}

/// Docker's settings on a host.
pub(crate) fn daemon_json(subnet: Subnet, live_restore: bool) -> String {
    json!({
        "insecure-registries": [subnet.cidr(), format!("{REGISTRY}:5000"), format!("{REGISTRY}:5001")],
        "live-restore": live_restore,
        // Docker tries a broken download five times, with ever longer pauses; a test has not got that minute.
        "max-download-attempts": 1,
        "log-driver": "json-file",
        "log-opts": {"max-size": "5m", "max-file": "2"},
    })
    .to_string()
}

/// On a machine with version 1 the controllers are mounted read-only inside, and Docker cannot limit anything.
const WRITABLE_CGROUPS: &str = "\
[Service]
ExecStartPre=/bin/sh -c 'for d in /sys/fs/cgroup/*; do [ \"$(stat -fc %%T $d)\" != cgroupfs ] || mount -o remount,rw,bind $d; done'
";

fn network_unit(address: Ipv4Addr) -> String {
    format!(
        "\
[Unit]
Description=Address of this host in the lab
DefaultDependencies=no
Before=network.target network-online.target docker.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/ip addr replace {address}/24 dev host0
ExecStart=/usr/sbin/ip link set host0 up
[Install]
WantedBy=multi-user.target
"
    )
}
