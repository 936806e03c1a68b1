//! What the tests of version skew do and check with every mix of releases.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use oml_lab::until;
use oml_tests::Fleet;
use oml_tests::observe::{SOON, newest_revision, node_of, sh, start_times, status, wait_ready};
use oml_tests::trial::check;
use serde_json::Value;

/// The start times of all running containers, by host and container.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct StartTimes(BTreeMap<&'static str, BTreeMap<String, String>>);

impl StartTimes {
    pub(crate) fn of(fleet: &Fleet) -> Result<Self> {
        let times = fleet.nodes().map(|node| Ok((node, start_times(fleet, node)?)));
        Ok(Self(times.collect::<Result<_>>()?))
    }

    /// Checks that the same containers run now and that none of them was restarted.
    pub(crate) fn check_unmoved(&self, fleet: &Fleet) -> Result<()> {
        let now = Self::of(fleet)?;
        check(!self.0.values().all(BTreeMap::is_empty), "no container was running")?;
        check(*self == now, format!("a component was restarted: {self:?}, then {now:?}"))
    }
}

/// Sets another version of a component and rolls back to the first one, with the given `omlctl`. All other
/// containers keep running. The verbs that only show something are called on the way.
pub(crate) fn change_and_roll_back(
    fleet: &Fleet,
    omlctl: &Path,
    (node, component): (&str, &str),
    [first, second]: [&str; 2],
) -> Result<()> {
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
    let before = newest_revision(fleet)?;
    call(&["set-version", &tenant, &format!("{component}={second}")])?;
    runs(second)?;
    for shown in ["nodes", "instances", "revisions"] {
        call(&["get", shown, &tenant])?;
    }
    for verb in ["status", "explain", "history"] {
        call(&[verb, &tenant])?;
    }
    call(&["rollback", &tenant, &format!("to={before}")])?;
    runs(first)
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

/// Returns the version of every node's agent, as `omlctl get nodes` shows it.
pub(crate) fn agent_versions(fleet: &Fleet) -> Result<BTreeMap<String, String>> {
    let tenant = format!("tenant={}", fleet.tenant());
    let text = fleet.ctl_ok(&["get", "nodes", &tenant, "-o", "json"])?;
    let nodes: Vec<Value> = serde_json::from_str(&text).context("read the nodes")?;
    check(nodes.len() == fleet.nodes().count(), text)?;
    let word = |node: &Value, key: &str| node[key].as_str().unwrap_or_default().to_owned();
    Ok(nodes.iter().map(|node| (word(node, "node"), word(node, "agent_version"))).collect())
}

/// Returns the version of an installed package of ours, without the packaging's own number.
pub(crate) fn installed_version(fleet: &Fleet, node: &str, package: &str) -> Result<String> {
    let version = sh(fleet, node, &format!("dpkg-query -W -f '${{Version}}' {package}"))?;
    Ok(version.rsplit_once('-').map_or(version.as_str(), |(upstream, _)| upstream).to_owned())
}
