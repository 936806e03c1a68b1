//! What the tests of version skew do and check with every mix of releases.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use oml_lab::until;
use oml_tests::Fleet;
use oml_tests::observe::{
    SOON, newest_revision, node_of, packaged_starts, sh, start_times, status, wait_ready,
};
use oml_tests::trial::check;
use serde_json::Value;

/// The starts of all running containers and of the packaged units, by host and by container or unit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct StartTimes(BTreeMap<&'static str, BTreeMap<String, String>>);

impl StartTimes {
    pub(crate) fn of(fleet: &Fleet) -> Result<Self> {
        let times = fleet.nodes().map(|node| {
            let mut times = start_times(fleet, node)?;
            times.extend(packaged_starts(fleet, node)?);
            Ok((node, times))
        });
        Ok(Self(times.collect::<Result<_>>()?))
    }

    /// Checks that this packaged unit runs on every host, so that its restart would be seen.
    pub(crate) fn check_packaged(&self, unit: &str) -> Result<()> {
        let runs = |times: &BTreeMap<String, String>| {
            times.get(unit).is_some_and(|start| !start.starts_with("0 ") && !start.ends_with(" 0"))
        };
        check(self.0.values().all(runs), format!("{unit} does not run: {:?}", self.0))
    }

    /// Checks that the same containers and packaged units run now and that none of them was restarted.
    pub(crate) fn check_unmoved(&self, fleet: &Fleet) -> Result<()> {
        self.check_unmoved_but(fleet, "")
    }

    /// Checks the same of all containers but the one with this name.
    fn check_unmoved_but(&self, fleet: &Fleet, container: &str) -> Result<()> {
        let mut before = self.0.clone();
        let mut now = Self::of(fleet)?.0;
        for times in before.values_mut().chain(now.values_mut()) {
            times.remove(container);
        }
        check(!before.values().all(BTreeMap::is_empty), "no container was running")?;
        check(before == now, format!("a component was restarted: {before:?}, then {now:?}"))
    }
}

/// A component that the tests change.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject {
    pub(crate) node: &'static str,
    pub(crate) component: &'static str,
    pub(crate) container: &'static str,
    /// The version that it runs at first, and another one.
    pub(crate) versions: [&'static str; 2],
}

/// A version of every image that exits at once.
const BAD: &str = "exits-at-once";

/// Sets a version of a component that fails, which is rolled back, then the other one, and rolls back to the first one, with the given `omlctl`. All other
/// containers keep running. The verbs that only show something are called on the way.
pub(crate) fn change_and_roll_back(fleet: &Fleet, omlctl: &Path, subject: Subject) -> Result<()> {
    let Subject { node, component, container, versions: [first, second] } = subject;
    let tenant = format!("tenant={}", fleet.tenant());
    let call = |arguments: &[&str]| -> Result<()> {
        let ended = fleet.ctl_with(omlctl, arguments)?;
        check(ended.code == 0, format!("{} {}: {ended:?}", omlctl.display(), arguments.join(" ")))
    };
    let runs = |version: &str| -> Result<()> {
        let seen = wait_ready(fleet, node, component)?;
        check(seen["version"] == version, format!("{component} should run {version}: {seen}"))
    };
    runs(first)?;
    let times = StartTimes::of(fleet)?;
    let before = newest_revision(fleet)?;
    let bad = fleet.ctl_with(omlctl, &["set-version", &tenant, &format!("{component}={BAD}")])?;
    check(bad.code == 3, format!("{component}={BAD}: {bad:?}"))?;
    runs(first)?;
    call(&["set-version", &tenant, &format!("{component}={second}")])?;
    runs(second)?;
    for shown in ["nodes", "instances", "revisions"] {
        call(&["get", shown, &tenant])?;
    }
    for verb in ["status", "explain", "history"] {
        call(&[verb, &tenant])?;
    }
    call(&["rollback", &tenant, &format!("to={before}")])?;
    runs(first)?;
    times.check_unmoved_but(fleet, container)
}

/// Waits until every node reports, after `after_ms`, that each of its instances is ready.
pub(crate) fn wait_all_ready_after(fleet: &Fleet, after_ms: u64) -> Result<()> {
    let observe = || {
        let status = status(fleet).map_err(|error| format!("{error:#}"))?;
        let waiting: Vec<String> = fleet
            .nodes()
            .map(|node| node_of(&status, node))
            .filter(|entry| !is_ready_after(entry, after_ms))
            .map(|entry| entry.to_string())
            .collect();
        if waiting.is_empty() { Ok(()) } else { Err(waiting.join("\n")) }
    };
    Ok(until("every node reports that its instances are ready", SOON, observe)?)
}

fn is_ready_after(node: &Value, after_ms: u64) -> bool {
    let instances = node["report"]["instances"].as_object();
    let is_later = node["report"]["at_ms"].as_u64() > Some(after_ms);
    let are_ready = instances.is_some_and(|instances| {
        !instances.is_empty() && instances.values().all(|seen| seen["phase"]["name"] == "ready")
    });
    node["state"] == "connected" && is_later && are_ready
}

/// Returns the version of every node's agent, as `omlctl get nodes` shows it in JSON and in its table.
pub(crate) fn agent_versions(fleet: &Fleet) -> Result<BTreeMap<String, String>> {
    let tenant = format!("tenant={}", fleet.tenant());
    let text = fleet.ctl_ok(&["get", "nodes", &tenant, "-o", "json"])?;
    let nodes: Vec<Value> = serde_json::from_str(&text).context("read the nodes")?;
    check(nodes.len() == fleet.nodes().count(), text)?;
    let word = |node: &Value, key: &str| node[key].as_str().unwrap_or_default().to_owned();
    let versions: BTreeMap<String, String> =
        nodes.iter().map(|node| (word(node, "node"), word(node, "agent_version"))).collect();
    let table = fleet.ctl_ok(&["get", "nodes", &tenant])?;
    check(table.lines().next().is_some_and(|head| head.contains("AGENT")), table.clone())?;
    for (node, version) in &versions {
        let is_row = |line: &str| line.contains(node.as_str()) && line.contains(version.as_str());
        check(table.lines().any(is_row), format!("no row has {node} and {version}: {table}"))?;
    }
    Ok(versions)
}

/// Installs a package of ours over another release's, and checks that its service runs the new program.
pub(crate) fn install(fleet: &Fleet, node: &str, service: &str, package: &Path) -> Result<()> {
    fleet.host(node)?.install_package(package)?;
    let program = program_of(fleet, node, service)?;
    let is_new = program == format!("/usr/bin/{service}");
    check(is_new, format!("{service} on {node} still runs {program}"))
}

/// Returns the program file that a unit's main process runs. Of a file that an upgrade has replaced since, the
/// name ends with `(deleted)`.
pub(crate) fn program_of(fleet: &Fleet, node: &str, unit: &str) -> Result<String> {
    let script = format!("readlink /proc/$(systemctl show -p MainPID --value {unit})/exe");
    Ok(sh(fleet, node, &script)?.trim().to_owned())
}
