//! What tests look at: status as the operator gets it, and the hosts themselves.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use oml_lab::until;
use oml_tests::Fleet;
use serde_json::Value;

/// Longest wait for a condition that nothing heavy stands before.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// The tenant's status, as `omlctl status -o json` prints it.
pub(crate) fn status(fleet: &Fleet) -> Result<Value> {
    let tenant = format!("tenant={}", fleet.tenant());
    let text = fleet.ctl_ok(&["status", &tenant, "-o", "json"])?;
    let reply: Value = serde_json::from_str(&text).context("read the status")?;
    Ok(reply["tenants"][0].clone())
}

/// What a node says of one component.
pub(crate) fn instance(fleet: &Fleet, node: &str, component: &str) -> Result<Value> {
    Ok(node_of(&status(fleet)?, node)["report"]["instances"][component].clone())
}

/// One node of a status.
pub(crate) fn node_of(status: &Value, node: &str) -> Value {
    let nodes = status["nodes"].as_array().cloned().unwrap_or_default();
    nodes.into_iter().find(|entry| entry["node"] == node).unwrap_or_default()
}

/// The moment, by the clock that this machine and its hosts share.
pub(crate) fn now_ms() -> Result<u64> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).context("a clock after 1970")?;
    u64::try_from(since.as_millis()).context("a clock of these millennia")
}

/// Waits until a condition holds for what a node says of one component.
pub(crate) fn wait_instance(
    fleet: &Fleet,
    place: (&str, &str),
    what: &str,
    holds: impl Fn(&Value) -> bool,
) -> Result<Value> {
    wait_instance_within(fleet, place, what, SOON, holds)
}

/// The same with a limit of its own, for what has a long way.
pub(crate) fn wait_instance_within(
    fleet: &Fleet,
    place: (&str, &str),
    what: &str,
    limit: Duration,
    holds: impl Fn(&Value) -> bool,
) -> Result<Value> {
    wait_on_node(fleet, place, (what, limit), |_node, seen| holds(seen))
}

/// As `wait_instance`, of what a connected node says later than `after_ms`: what it said before
/// something was done to it proves nothing.
pub(crate) fn wait_told_after(
    fleet: &Fleet,
    after_ms: u64,
    place: (&str, &str),
    what: &str,
    holds: impl Fn(&Value) -> bool,
) -> Result<Value> {
    wait_on_node(fleet, place, (what, SOON), |node, seen| {
        let is_later = node["report"]["at_ms"].as_u64() > Some(after_ms);
        node["state"] == "connected" && is_later && holds(seen)
    })
}

fn wait_on_node(
    fleet: &Fleet,
    (node, component): (&str, &str),
    (what, limit): (&str, Duration),
    holds: impl Fn(&Value, &Value) -> bool,
) -> Result<Value> {
    let look = || {
        let status = status(fleet).map_err(|error| format!("{error:#}"))?;
        let told = node_of(&status, node);
        let seen = &told["report"]["instances"][component];
        if holds(&told, seen) {
            return Ok(seen.clone());
        }
        let (state, at_ms) = (&told["state"], &told["report"]["at_ms"]);
        Err(format!("{component} on {node} ({state}, report of {at_ms}) is {seen}"))
    };
    Ok(until(what, limit, look)?)
}

/// Waits until a component is ready, and says so itself.
pub(crate) fn wait_ready(fleet: &Fleet, node: &str, component: &str) -> Result<Value> {
    let what = format!("{component} on {node} is ready");
    wait_instance(fleet, (node, component), &what, is_ready)
}

/// The same, said later than `after_ms`.
pub(crate) fn wait_ready_after(
    fleet: &Fleet,
    after_ms: u64,
    (node, component): (&str, &str),
) -> Result<Value> {
    let what = format!("{component} on {node} is ready again");
    wait_told_after(fleet, after_ms, (node, component), &what, is_ready)
}

fn is_ready(seen: &Value) -> bool {
    seen["phase"]["name"] == "ready"
}

/// The tenant's revisions, those that did not hold included.
pub(crate) fn revisions(fleet: &Fleet) -> Result<Vec<Value>> {
    let tenant = format!("tenant={}", fleet.tenant());
    let text = fleet.ctl_ok(&["get", "revisions", &tenant, "-o", "json"])?;
    serde_json::from_str(&text).context("read the revisions")
}

/// The number of the last one.
pub(crate) fn newest_revision(fleet: &Fleet) -> Result<u64> {
    let all = revisions(fleet)?;
    all.iter().filter_map(|revision| revision["number"].as_u64()).max().context("no revision")
}

/// Start time of every container, by name.
pub(crate) fn starts(fleet: &Fleet, node: &str) -> Result<BTreeMap<String, String>> {
    let script = "docker ps -q | xargs -r docker inspect -f '{{.Name}} {{.State.StartedAt}}'";
    let text = fleet.host(node)?.exec_ok(&["sh", "-c", script])?;
    let pairs = text.lines().filter_map(|line| line.split_once(' '));
    Ok(pairs.map(|(name, at)| (name.trim_start_matches('/').to_owned(), at.to_owned())).collect())
}

/// A shell script on a host; any exit code but 0 is an error.
pub(crate) fn sh(fleet: &Fleet, node: &str, script: &str) -> Result<String> {
    Ok(fleet.host(node)?.exec_ok(&["sh", "-c", script])?)
}
