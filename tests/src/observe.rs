//! Functions with which tests observe the status that an operator sees, and the hosts themselves.
//! Each fails if `omlctl` fails, if a command on a host fails, or if a wait takes too long.
#![expect(clippy::missing_errors_doc, reason = "the head of this module says it for all")]

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use oml_lab::until;
use serde_json::Value;

use crate::Fleet;

/// The longest wait for a condition that needs no long operation.
pub const SOON: Duration = Duration::from_secs(60);

/// Returns the tenant's status as `omlctl status -o json` prints it.
pub fn status(fleet: &Fleet) -> Result<Value> {
    let tenant = format!("tenant={}", fleet.tenant());
    let text = fleet.ctl_ok(&["status", &tenant, "-o", "json"])?;
    let reply: Value = serde_json::from_str(&text).context("read the status")?;
    Ok(reply["tenants"][0].clone())
}

/// Returns what a node reports about one component.
pub fn instance(fleet: &Fleet, node: &str, component: &str) -> Result<Value> {
    Ok(node_of(&status(fleet)?, node)["report"]["instances"][component].clone())
}

/// Returns the entry of one node in a status.
pub fn node_of(status: &Value, node: &str) -> Value {
    let nodes = status["nodes"].as_array().cloned().unwrap_or_default();
    nodes.into_iter().find(|entry| entry["node"] == node).unwrap_or_default()
}

/// Returns the current time by the clock that this machine and its hosts share, in milliseconds since 1970.
pub fn now_ms() -> Result<u64> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?;
    u64::try_from(since.as_millis()).context("the clock is too far in the future")
}

/// Waits until a condition holds for what a node reports about one component.
pub fn wait_instance(
    fleet: &Fleet,
    instance: (&str, &str),
    what: &str,
    holds: impl Fn(&Value) -> bool,
) -> Result<Value> {
    wait_instance_within(fleet, instance, what, SOON, holds)
}

/// Does the same as `wait_instance` with another time limit, for long operations.
pub fn wait_instance_within(
    fleet: &Fleet,
    instance: (&str, &str),
    what: &str,
    limit: Duration,
    holds: impl Fn(&Value) -> bool,
) -> Result<Value> {
    wait_on_node(fleet, instance, (what, limit), |_node, seen| holds(seen))
}

/// Does the same as `wait_instance`, but only counts reports of a connected node that were made after `after_ms`. A
/// report from before an action does not show the action's effect.
pub fn wait_reported_after(
    fleet: &Fleet,
    after_ms: u64,
    instance: (&str, &str),
    what: &str,
    holds: impl Fn(&Value) -> bool,
) -> Result<Value> {
    wait_on_node(fleet, instance, (what, SOON), |node, seen| {
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
    let observe = || {
        let status = status(fleet).map_err(|error| format!("{error:#}"))?;
        let entry = node_of(&status, node);
        let seen = &entry["report"]["instances"][component];
        if holds(&entry, seen) {
            return Ok(seen.clone());
        }
        let (state, at_ms) = (&entry["state"], &entry["report"]["at_ms"]);
        Err(format!("{component} on {node} ({state}, report of {at_ms}) is {seen}"))
    };
    Ok(until(what, limit, observe)?)
}

/// Waits until a node reports that a component is ready.
pub fn wait_ready(fleet: &Fleet, node: &str, component: &str) -> Result<Value> {
    let what = format!("{component} on {node} is ready");
    wait_instance(fleet, (node, component), &what, is_ready)
}

/// Waits until a node reports, after `after_ms`, that a component is ready.
pub fn wait_ready_after(
    fleet: &Fleet,
    after_ms: u64,
    (node, component): (&str, &str),
) -> Result<Value> {
    let what = format!("{component} on {node} is ready again");
    wait_reported_after(fleet, after_ms, (node, component), &what, is_ready)
}

fn is_ready(seen: &Value) -> bool {
    seen["phase"]["name"] == "ready"
}

/// Returns the tenant's revisions, including those that were rolled back.
pub fn revisions(fleet: &Fleet) -> Result<Vec<Value>> {
    let tenant = format!("tenant={}", fleet.tenant());
    let text = fleet.ctl_ok(&["get", "revisions", &tenant, "-o", "json"])?;
    serde_json::from_str(&text).context("read the revisions")
}

/// Returns the number of the newest revision.
pub fn newest_revision(fleet: &Fleet) -> Result<u64> {
    let all = revisions(fleet)?;
    let numbers = all.iter().filter_map(|revision| revision["number"].as_u64());
    numbers.max().context("the tenant has no revision")
}

/// Returns the start time of every running container on a node, by the container's name.
pub fn start_times(fleet: &Fleet, node: &str) -> Result<BTreeMap<String, String>> {
    let script = "docker ps -q | xargs -r docker inspect -f '{{.Name}} {{.State.StartedAt}}'";
    let text = fleet.host(node)?.exec_ok(&["sh", "-c", script])?;
    let pairs = text.lines().filter_map(|line| line.split_once(' '));
    Ok(pairs.map(|(name, at)| (name.trim_start_matches('/').to_owned(), at.to_owned())).collect())
}

/// Runs a shell script on a host and returns its standard output. Any exit code except 0 is an error.
pub fn sh(fleet: &Fleet, node: &str, script: &str) -> Result<String> {
    Ok(fleet.host(node)?.exec_ok(&["sh", "-c", script])?)
}
