//! Manages the lab's bridge and its firewall exception, and disconnects single hosts. Only the lab's own bridge and its
//! ports are changed.

use std::fs;
use std::path::Path;

use crate::error::Result;
use crate::run::Run;
use crate::subnet::{self, Network, Subnet};

/// The kernel's number for a bridge port that drops every packet.
const DISABLED: &str = "0";
/// The kernel's number for a bridge port that forwards packets.
/// The kernel's number for a bridge port that forwards packets.
const FORWARDING: &str = "3";

/// Returns the networks that this machine has routes to or addresses in.
pub(crate) fn used_networks() -> Result<Vec<Network>> {
    let routes = Run::new("ip").args(["-4", "route", "show", "table", "all"]).ok()?;
    let addresses = Run::new("ip").args(["-4", "-o", "addr"]).ok()?;
    Ok(subnet::networks_in(&(routes.stdout + " " + &addresses.stdout)))
}

/// Makes the bridge, gives it the gateway's address, and adds a firewall exception where the firewall would block it.
pub(crate) fn create(subnet: Subnet) -> Result<()> {
    let bridge = subnet.id();
    let address = format!("{}/24", subnet.gateway());
    ip(&["link", "add", &bridge, "type", "bridge", "stp_state", "0", "forward_delay", "0"])?;
    ip(&["addr", "add", &address, "dev", &bridge])?;
    ip(&["link", "set", &bridge, "up"])?;
    for chain in ["FORWARD", "INPUT"] {
        if has_drop_rules(chain)? {
            Run::new("iptables").args(rule("-I", chain, &bridge)).ok()?;
        }
    }
    Ok(())
}

/// Removes the firewall exception, the bridge's ports and the bridge. It succeeds if they do not exist.
pub(crate) fn destroy(subnet: Subnet) -> Result<()> {
    let bridge = subnet.id();
    for chain in ["FORWARD", "INPUT"] {
        // `-C` checks whether the rule exists. A machine without iptables has no rules.
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

/// Removes an interface. It succeeds if the interface does not exist or disappears at the same moment.
pub(crate) fn unplug(interface: &str) -> Result<()> {
    let removed = if exists(interface) { ip(&["link", "del", interface]) } else { Ok(()) };
    if exists(interface) { removed } else { Ok(()) }
}

/// Makes the bridge drop every packet from and to a host. The host's link stays up.
pub(crate) fn disable_port(port: &str) -> Result<()> {
    set_port(port, DISABLED)
}

/// Ends the effect of `disable_port`.
pub(crate) fn enable_port(port: &str) -> Result<()> {
    set_port(port, FORWARDING)
}

/// Returns true if the interface exists.
pub(crate) fn exists(interface: &str) -> bool {
    Path::new("/sys/class/net").join(interface).exists()
}

fn set_port(port: &str, state: &str) -> Result<()> {
    // `ip link … type bridge_slave state 0` cannot be used, because it reads the 0 as "do not change".
    Run::new("bridge").args(["link", "set", "dev", port, "state", state]).ok().map(drop)
}

fn ip(args: &[&str]) -> Result<()> {
    Run::new("ip").args(args).ok().map(drop)
}

fn has_drop_rules(chain: &str) -> Result<bool> {
    let rules = Run::new("iptables").args(["-w", "5", "-S", chain]).ok()?;
    Ok(rules.stdout.lines().any(|line| {
        line == format!("-P {chain} DROP") || line.contains("-j REJECT") || line.contains("-j DROP")
    }))
}

/// Builds the arguments of one firewall rule. The rule of FORWARD is for traffic between hosts, the rule of INPUT for
/// requests to the registry on the gateway's address.
fn rule<'a>(action: &'a str, chain: &'a str, bridge: &'a str) -> Vec<&'a str> {
    let mut words = vec!["-w", "5", action, chain, "-i", bridge];
    if chain == "FORWARD" {
        words.extend(["-o", bridge]);
    }
    words.extend(["-m", "comment", "--comment", bridge, "-j", "ACCEPT"]);
    words
}
