//! Renders the ports of a component and the options of its container.

use crate::document::catalog::port::{self, PortText};
use crate::document::catalog::ports::{PUBLISHED_ON_HOST, PUBLISHED_ON_HOST_HINT, names_container};
use crate::document::catalog::{Component, WorkloadTemplate, is_address};
use crate::document::instance::{ContainerOptions, Network, Port, PortRange, Published};

use super::Writer;

impl Writer<'_> {
    /// Renders the ports of a component.
    pub(super) fn ports(&mut self, definition: &Component) -> Vec<PortText> {
        let is_own = match &definition.workload {
            WorkloadTemplate::Container(container) => container.options.network != Network::Host,
            WorkloadTemplate::Unit { .. } => false,
        };
        definition.ports.iter().filter_map(|text| self.port_of(text, is_own)).collect()
    }

    fn port_of(&mut self, template: &str, is_own: bool) -> Option<PortText> {
        let text = self.filled("ports", template)?;
        match port::parse(&text) {
            Ok(read) if names_container(&read) && !is_own => {
                let problem = self.problem_at("ports", PUBLISHED_ON_HOST);
                self.problems.push(problem.hint(PUBLISHED_ON_HOST_HINT));
                None
            }
            Ok(read) => Some(read),
            Err(error) => {
                self.problem("ports", error);
                None
            }
        }
    }

    /// Renders the options of a container that these ports lead to.
    pub(super) fn options(
        &mut self,
        template: &ContainerOptions,
        ports: &[PortText],
    ) -> ContainerOptions {
        let network = match template.network {
            Network::Host => Network::Host,
            Network::Bridge { .. } => Network::Bridge { published: published(ports) },
        };
        let entrypoint = template.entrypoint.iter().map(|text| self.fill("entrypoint", text));
        let entrypoint = entrypoint.collect();
        let hosts = template.extra_hosts.iter();
        let extra_hosts = hosts.filter_map(|(name, address)| {
            let address = self.host_address(name, address)?;
            Some((name.clone(), address))
        });
        let extra_hosts = extra_hosts.collect();
        ContainerOptions { network, entrypoint, extra_hosts, ..template.clone() }
    }

    fn host_address(&mut self, name: &str, template: &str) -> Option<String> {
        let field = format!("extra_hosts.{name}");
        let text = self.filled(&field, template)?;
        if !is_address(&text) {
            self.problem(&field, format!("{text:?} is no IP address"));
            return None;
        }
        Some(text)
    }
}

fn published(ports: &[PortText]) -> Vec<Published> {
    let published = |port: &PortText| Published {
        host: port.host,
        // A port alone is the same on both sides.
        container: port.container.unwrap_or(port.host.first),
        address: port.address.clone(),
    };
    ports.iter().map(published).collect()
}

/// Returns the single ports.
pub(super) fn single(ports: &[PortText]) -> Vec<Port> {
    let hosts = ports.iter().map(|port| port.host).filter(|host| host.first == host.last);
    hosts.map(|host| Port { number: host.first, protocol: host.protocol }).collect()
}

/// Returns the ranges of more than one port.
pub(super) fn ranges(ports: &[PortText]) -> Vec<PortRange> {
    ports.iter().map(|port| port.host).filter(|host| host.first != host.last).collect()
}
