//! The lab's bridge, its firewall exception, and cutting a host off. Only the lab's own bridge and its ports are touched.

use std::fs;
use std::path::Path;

use crate::error::Result;
use crate::run::Run;
use crate::subnet::{self, Network, Subnet};

/// What the kernel calls the states of a bridge port.
const DISABLED: &str = "0";
const FORWARDING: &str = "3";

/// The networks this machine already knows.
pub(crate) fn taken() -> Result<Vec<Network>> {
    let routes = Run::new("ip").args(["-4", "route", "show", "table", "all"]).ok()?;
    let addresses = Run::new("ip").args(["-4", "-o", "addr"]).ok()?;
    Ok(subnet::networks_in(&(routes.stdout + " " + &addresses.stdout)))
}

/// Makes the bridge with the gateway's address.
pub(crate) fn create(subnet: Subnet) -> Result<()> {
    let bridge = subnet.id();
    let address = format!("{}/24", subnet.gateway());
    ip(&["link", "add", &bridge, "type", "bridge", "stp_state", "0", "forward_delay", "0"])?;
    ip(&["addr", "add", &address, "dev", &bridge])?;
    ip(&["link", "set", &bridge, "up"])?;
    for chain in ["FORWARD", "INPUT"] {
        if refuses(chain)? {
            Run::new("iptables").args(rule("-I", chain, &bridge)).ok()?;
        }
    }
    Ok(())
}

/// Takes away the firewall exception, what is plugged in, and the bridge. Not there is fine.
pub(crate) fn destroy(subnet: Subnet) -> Result<()> {
    let bridge = subnet.id();
    for chain in ["FORWARD", "INPUT"] {
        // `-C` tells whether the rule is there; a machine without iptables has none.
        while Run::new("iptables")
            .args(rule("-C", chain, &bridge))
            .output()
            .is_ok_and(|output| output.is_success())
        {
            Run::new("iptables").args(rule("-D", chain, &bridge)).ok()?;
        }
    }
    let ports = Path::new("/sys/class/net").join(&bridge).join("brif");
    for port in fs::read_dir(ports).into_iter().flatten().flatten() {
        let name = port.file_name().to_string_lossy().into_owned();
        unplug(&name)?;
    }
    unplug(&bridge)
}

/// Removes an interface. It may go away by itself at the same moment; not there is fine.
pub(crate) fn unplug(interface: &str) -> Result<()> {
    let removed = if exists(interface) { ip(&["link", "del", interface]) } else { Ok(()) };
    if exists(interface) { removed } else { Ok(()) }
}

/// Drops everything from and to a host, silently: its link stays up.
pub(crate) fn cut(port: &str) -> Result<()> {
    set_port(port, DISABLED)
}

/// Undoes what `cut` did.
pub(crate) fn heal(port: &str) -> Result<()> {
    set_port(port, FORWARDING)
}

/// True when the interface is there.
pub(crate) fn exists(interface: &str) -> bool {
    Path::new("/sys/class/net").join(interface).exists()
}

fn set_port(port: &str, state: &str) -> Result<()> {
    // `ip link … type bridge_slave state 0` takes the 0 for "leave it".
    Run::new("bridge").args(["link", "set", "dev", port, "state", state]).ok().map(drop)
}

fn ip(args: &[&str]) -> Result<()> {
    Run::new("ip").args(args).ok().map(drop)
}

fn refuses(chain: &str) -> Result<bool> {
    let rules = Run::new("iptables").args(["-w", "5", "-S", chain]).ok()?;
    Ok(rules.stdout.lines().any(|line| {
        line == format!("-P {chain} DROP") || line.contains("-j REJECT") || line.contains("-j DROP")
    }))
}

/// FORWARD: what crosses the bridge. INPUT: what hosts ask of the registry on the gateway's address.
fn rule<'a>(action: &'a str, chain: &'a str, bridge: &'a str) -> Vec<&'a str> {
    let mut words = vec!["-w", "5", action, chain, "-i", bridge];
    if chain == "FORWARD" {
        words.extend(["-o", bridge]);
    }
    words.extend(["-m", "comment", "--comment", bridge, "-j", "ACCEPT"]);
    words
}
