//! Converts the policy of a host to and from the protocol.

use oml_common::document::host_policy::{FoundPolicy, HostPolicy};

use crate::v1;

/// Converts a policy for the wire.
#[must_use]
pub fn to_wire(found: &FoundPolicy) -> v1::HostPolicy {
    let FoundPolicy { policy, problem, secrets } = found;
    v1::HostPolicy {
        privileged: policy.privileged,
        realtime: policy.realtime,
        no_host_network: policy.no_host_network,
        capabilities: policy.capabilities.iter().map(ToString::to_string).collect(),
        devices: policy.devices.iter().cloned().collect(),
        sysctls: policy.sysctls.iter().cloned().collect(),
        host_paths: policy.host_paths.iter().flatten().cloned().collect(),
        only_host_paths: policy.host_paths.is_some(),
        problem: problem.clone(),
        secrets: secrets.iter().flatten().map(ToString::to_string).collect(),
        names_secrets: secrets.is_some(),
    }
}

/// Reads a policy from the wire. What exceeds the limits of a policy is left out, which allows less
/// and never more.
#[must_use]
pub fn from_wire(wire: v1::HostPolicy) -> FoundPolicy {
    let policy = HostPolicy {
        privileged: wire.privileged,
        realtime: wire.realtime,
        no_host_network: wire.no_host_network,
        capabilities: wire.capabilities.iter().filter_map(|name| name.parse().ok()).collect(),
        devices: wire.devices.into_iter().collect(),
        sysctls: wire.sysctls.into_iter().collect(),
        host_paths: wire.only_host_paths.then(|| wire.host_paths.into_iter().collect()),
    };
    let secrets = wire.secrets.iter().filter_map(|name| name.parse().ok());
    let secrets = wire.names_secrets.then(|| secrets.collect());
    FoundPolicy { policy, problem: wire.problem, secrets }.bounded()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_the_same_on_the_other_side() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let policy = HostPolicy {
            privileged: true,
            realtime: true,
            no_host_network: true,
            capabilities: ["NET_ADMIN".parse().unwrap()].into(),
            devices: names(&["/dev/net/tun"]),
            sysctls: names(&["net.core.*"]),
            host_paths: Some(names(&["/srv"])),
        };
        for policy in [policy, HostPolicy::default()] {
            for problem in ["", "line 3: unknown key"] {
                for secrets in [None, Some([].into()), Some(["db".parse().unwrap()].into())] {
                    let (policy, problem) = (policy.clone(), problem.to_owned());
                    let found = FoundPolicy { policy, problem, secrets };
                    assert_eq!(from_wire(to_wire(&found)), found);
                }
            }
        }
    }

    #[test]
    fn what_no_host_can_mean_is_left_out_and_never_allows_more() {
        let wire = v1::HostPolicy {
            capabilities: vec!["net admin".to_owned()],
            devices: vec!["/dev/x".repeat(100)],
            only_host_paths: true,
            problem: "\u{1b}[2J".to_owned(),
            ..v1::HostPolicy::default()
        };
        let FoundPolicy { policy, problem, .. } = from_wire(wire);
        assert_eq!(policy, HostPolicy { host_paths: Some([].into()), ..HostPolicy::default() });
        assert!(!problem.contains('\u{1b}'), "{problem:?}");
    }
}
