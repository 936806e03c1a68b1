//! Reads the further lines of `/etc/hosts` in a container.

use core::net::IpAddr;
use std::collections::BTreeMap;

use crate::document::catalog::is_template;
use crate::id::Address;
use crate::text::problem::Problems;
use crate::text::yaml::FieldNode;

/// The word of engines for the address of the host.
const HOST_GATEWAY: &str = "host-gateway";

/// Reads the address of each name, which may be a template.
pub(super) fn read(field: &FieldNode<'_>, problems: &mut Problems) -> BTreeMap<String, String> {
    let mut hosts = BTreeMap::new();
    for (name, item) in field.entries::<String>(problems) {
        let Some(address) = item.text(problems) else { continue };
        if name.parse::<Address>().is_err() || name.parse::<IpAddr>().is_ok() {
            problems.push(item.problem(format!("{name:?} is no host name")));
            continue;
        }
        if !is_template(address) && !is_address(address) {
            problems.push(item.problem(format!("{address:?} is no IP address")));
            continue;
        }
        hosts.insert(name, address.to_owned());
    }
    hosts
}

/// Returns true if an engine takes it as the address of a name.
pub(crate) fn is_address(text: &str) -> bool {
    text == HOST_GATEWAY || text.parse::<IpAddr>().is_ok()
}
