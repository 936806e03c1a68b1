//! Tests of the removal of the agent's package.

use anyhow::Result;
use oml_tests::Fleet;
use oml_tests::observe::{now_ms, sh, start_times, wait_ready_after};
use oml_tests::trial::check;

use crate::Case;
use crate::pool::Kind;

pub(crate) const CASES: &[Case] = &[(
    Kind::Tiny,
    "a_removed_package_names_the_components_that_need_it_and_stops_none",
    stops_no_component,
)];

const NODE: &str = "tiny-one";
/// What no removal may take: the identity and the settings of the host.
const KEPT: &str = "/var/lib/omlagent/identity/node.pem /etc/omlagent/conf.d/lab.toml";

/// Removes the package, in either format, and installs it again.
pub(crate) fn stops_no_component(fleet: &Fleet) -> Result<()> {
    let (host, package) = (fleet.host(NODE)?, &fleet.packages().agent);
    let before = start_times(fleet, NODE)?;
    let is_rpm = package.extension().is_some_and(|extension| extension == "rpm");
    let remove = if is_rpm { ["rpm", "--erase"] } else { ["dpkg", "--remove"] };
    let removed = host.exec(&[&remove[..], &["omlagent"]].concat())?;
    let printed = format!("{}{}", removed.stdout, removed.stderr);
    check(removed.is_success(), &printed)?;
    let words = "still need it: oml-first.service oml-second.service";
    check(printed.contains(words), &printed)?;
    let state = sh(fleet, NODE, "systemctl is-active omlagent || true")?;
    check(state.trim() == "inactive", state)?;
    check(start_times(fleet, NODE)? == before, "the removal ended a container")?;
    sh(fleet, NODE, &format!("ls {KEPT}"))?;
    host.install_package(package)?;
    let enabled = sh(fleet, NODE, "systemctl is-enabled omlagent")?;
    check(enabled.trim() == "enabled", enabled)?;
    for component in ["first", "second"] {
        wait_ready_after(fleet, now_ms()?, NODE, component)?;
    }
    check(start_times(fleet, NODE)? == before, "the installation ended a container")
}
