//! The tenant that is measured. It has six components on one host, of which `first`
//! is replaced, and one component on each of two more hosts.

use anyhow::{Context, Result};
use oml_tests::fleet::{CONTROLLER, Topology, nodes};
use oml_tests::{Build, Fleet, Packages};

/// The host of the six components.
pub(crate) const HOST: &str = "bench-one";
/// The two other hosts.
pub(crate) const OTHERS: [&str; 2] = ["bench-two", "bench-three"];
/// The systemd units of the six components.
pub(crate) const UNITS: [&str; 6] =
    ["oml-first", "oml-second", "oml-third", "oml-fourth", "oml-fifth", "oml-sixth"];

const CATALOG: &str = include_str!("../../../../tests/catalogs/six.yaml");
const NODES: &[(&str, &str)] = &[(HOST, "app"), (OTHERS[0], "data"), (OTHERS[1], "voice")];

/// Boots and enrols the hosts with packages as they are released. No specification is applied yet.
pub(crate) fn up(lab: &str) -> Result<Fleet> {
    let packages = packages()?;
    let topology = Topology { nodes: nodes(NODES), spec, ..Topology::tiny() };
    let fleet = Fleet::up_or_skip(lab, packages, topology)?
        .context("this machine cannot run a lab any more")?;
    let controller = fleet.host(CONTROLLER)?;
    let path = "/usr/share/omlcontroller/catalog/six.yaml";
    controller.push(path, CATALOG.as_bytes(), 0o644)?;
    controller.exec_ok(&["systemctl", "restart", "omlcontroller"])?;
    Ok(fleet)
}

/// Builds the programs as they are released and their packages, if they are out of date.
pub(crate) fn packages() -> Result<Packages> {
    eprintln!("building the release programs and their packages");
    Packages::build(Build::Release)
}

fn spec(registry: &str) -> String {
    format!(
        "\
tenant: tiny
catalog: six
registry: {registry}/omnileads
components:
  first: v1
  second: v1
  third: v1
  fourth: v1
  fifth: v1
  sixth: v1
  seventh: v1
  eighth: v1
rollout:
  min_healthy_for: 2s
"
    )
}
