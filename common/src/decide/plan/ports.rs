//! Checks the ports of the components of a node: none is used twice, and what is asked from outside
//! a container leads into it.

use crate::document::Share;
use crate::document::catalog::port::overlap;
use crate::document::instance::{Instance, Network, Port, PortRange, Protocol};
use crate::document::spec::TenantSpec;
use crate::id::{ComponentName, NodeName};
use crate::text::problem::Problems;

/// The most ports of the host that lead to one container. The engine runs one or two processes for
/// each, and starts them one after the other.
const PUBLISHED_MAX: u32 = 1_024;

/// Adds the problems of the ports of a node's components.
pub(super) fn check(spec: &TenantSpec, node: &NodeName, share: &Share, problems: &mut Problems) {
    let mut taken: Vec<(&ComponentName, PortRange)> = Vec::new();
    for (component, desired) in &share.instances {
        let instance = &*desired.instance;
        let path = format!("components.{component}");
        for (message, hint) in own_mistakes(instance) {
            problems.push(spec.problem(&path, message).hint(hint));
        }
        for range in instance.port_ranges() {
            let common = taken.iter().find_map(|(other, it)| Some((*other, it.common(range)?)));
            if let Some((other, common)) = common.filter(|(other, _)| *other != component) {
                let message =
                    format!("{other} and {component} both use {} of {node}", port(common));
                let hint = "place one of them on another node, or change its port";
                problems.push(spec.problem(&path, message).hint(hint));
            }
            taken.push((component, range));
        }
    }
}

fn port(range: PortRange) -> String {
    let noun = if range.first == range.last { "port" } else { "ports" };
    format!("{noun} {range}")
}

/// Returns what is wrong with the ports of one instance, and what to do about it.
fn own_mistakes(instance: &Instance) -> Vec<(String, &'static str)> {
    let ranges = instance.port_ranges();
    let mut found = Vec::new();
    if let Some((one, other)) = overlap(&ranges) {
        found.push((format!("uses {one} and {other}, which overlap"), "name each port once"));
    }
    let network = instance.container().map(|container| &container.options.network);
    let Some(Network::Bridge { published }) = network else { return found };
    let count: u32 = published.iter().map(|range| range.host.count()).sum();
    if count > PUBLISHED_MAX {
        let message = format!("publishes {count} ports; at most {PUBLISHED_MAX} can be published");
        found.push((message, "write network: host, or fewer ports"));
    }
    let asked = [
        ("its probe asks", instance.probe.check.port()),
        ("its metrics are at", instance.metrics.as_ref().map(|it| tcp(it.port))),
    ];
    for (what, port) in asked {
        if let Some(port) = port.filter(|port| !ranges.iter().any(|it| it.contains(*port))) {
            let message = format!("{what} {port}, and no port of the host leads there");
            found.push((message, "publish the port: HOST:CONTAINER in ports"));
        }
    }
    found
}

fn tcp(number: u16) -> Port {
    Port { number, protocol: Protocol::Tcp }
}

#[cfg(test)]
mod tests;
