//! Writes the files that turn a base system into one particular host: its name, its address and its Docker settings.

use std::net::Ipv4Addr;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::json;

use crate::cache::stamp;
use crate::cgroup;
use crate::debian::write;
use crate::error::{LabError, Result};
use crate::subnet::Subnet;

/// The name by which every host reaches the registry.
pub(crate) const REGISTRY: &str = "registry.lab";

/// The facts about a lab that go into the files of its hosts.
pub(crate) struct HostFiles<'a> {
    pub(crate) lab: &'a str,
    pub(crate) subnet: Subnet,
    pub(crate) hosts: &'a [(String, Ipv4Addr)],
}

impl HostFiles<'_> {
    /// Writes the files of one host below `root`. This is done before the host's first start.
    pub(crate) fn write(&self, root: &Path, name: &str, address: Ipv4Addr) -> Result<()> {
        // With an empty machine id, systemd would treat this as a first boot and enable every unit.
        let machine_id: String = stamp(&[self.lab, name, "1"])
            + &stamp(&[self.lab, name, "2"])
            + &stamp(&[self.lab, name, "3"])
            + "00";
        write(&root.join("etc/hostname"), &format!("{name}\n"), 0o644)?;
        write(&root.join("etc/machine-id"), &format!("{machine_id}\n"), 0o444)?;
        write(&root.join("etc/hosts"), &self.hosts_file(), 0o644)?;
        write(&root.join("etc/docker/daemon.json"), &daemon_json(self.subnet, true), 0o644)?;
        write(&root.join("usr/sbin/policy-rc.d"), POLICY, 0o755)?;
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

/// Returns the content of Docker's settings file on a host.
pub(crate) fn daemon_json(subnet: Subnet, live_restore: bool) -> String {
    let names = [subnet.cidr(), format!("{REGISTRY}:5000"), format!("{REGISTRY}:5001")];
    docker_settings(&names.each_ref().map(String::as_str), live_restore)
}

/// Returns Docker's settings with these registries, with which it does not insist on TLS.
pub(crate) fn docker_settings(insecure_registries: &[&str], live_restore: bool) -> String {
    json!({
        "insecure-registries": insecure_registries,
        "live-restore": live_restore,
        // By default Docker tries a broken download five times with growing pauses, which takes a minute.
        "max-download-attempts": 1,
        "log-driver": "json-file",
        "log-opts": {"max-size": "5m", "max-file": "2"},
    })
    .to_string()
}

/// On a host, packages start and restart their services. In the base system they may not, and what a layer removes
/// stays in the base, so this replaces the base's policy.
const POLICY: &str = "#!/bin/sh\nexit 0\n";

/// This unit file fragment remounts the cgroups writable before Docker starts. On a machine with cgroup version 1 they
/// are mounted read-only inside a host, and Docker could not set any limit.
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
