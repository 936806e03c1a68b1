//! Functions with which tests observe the status that an operator sees, and the hosts themselves.
//! Each fails if `omlctl` fails, if a command on a host fails, or if a wait takes too long.
#![expect(clippy::missing_errors_doc, reason = "the head of this module says it for all")]

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, anyhow};
use oml_lab::until;
use serde_json::Value;

use crate::Fleet;

/// The longest wait for a condition that needs no long operation.
pub const SOON: Duration = Duration::from_secs(60);

/// An agent pauses for a minute at most before it tries anything again; within this time it has.
const LONGEST_PAUSE: Duration = Duration::from_secs(75);

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

/// A wait for what a node reports about one component.
#[derive(Debug, Clone, Copy)]
pub struct InstanceWait<'a> {
    fleet: &'a Fleet,
    node: &'a str,
    component: &'a str,
    limit: Duration,
    after_ms: Option<u64>,
}

impl<'a> InstanceWait<'a> {
    /// Returns a wait of at most [`SOON`] in which every report counts.
    #[must_use]
    pub fn new(fleet: &'a Fleet, node: &'a str, component: &'a str) -> Self {
        Self { fleet, node, component, limit: SOON, after_ms: None }
    }

    /// Sets another time limit, for long operations.
    #[must_use]
    pub fn within(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// Counts only reports of a connected node that were made after `after_ms`. A report from
    /// before an action does not show the action's effect.
    #[must_use]
    pub fn reported_after(self, after_ms: u64) -> Self {
        Self { after_ms: Some(after_ms), ..self }
    }

    /// Waits until a condition, which `what` names, holds for the report.
    pub fn until(self, what: &str, holds: impl Fn(&Value) -> bool) -> Result<Value> {
        let Self { fleet, node, component, limit, after_ms } = self;
        let counts = |entry: &Value| {
            let is_later = |after_ms| entry["report"]["at_ms"].as_u64() > Some(after_ms);
            after_ms.is_none_or(|ms| entry["state"] == "connected" && is_later(ms))
        };
        let observe = || {
            let status = status(fleet).map_err(|error| format!("{error:#}"))?;
            let entry = node_of(&status, node);
            let seen = &entry["report"]["instances"][component];
            if counts(&entry) && holds(seen) {
                return Ok(seen.clone());
            }
            let (state, at_ms) = (&entry["state"], &entry["report"]["at_ms"]);
            Err(format!("{component} on {node} ({state}, report of {at_ms}) is {seen}"))
        };
        Ok(until(what, limit, observe)?)
    }
}

/// Checks that a condition, which `what` names, holds for every report of a node about one component, until the
/// agent has reported it for longer than it ever pauses.
pub fn stays(
    fleet: &Fleet,
    node: &str,
    component: &str,
    what: &str,
    holds: impl Fn(&Value) -> bool,
) -> Result<()> {
    let begun_ms = now_ms()?;
    let enough_ms = begun_ms + u64::try_from(LONGEST_PAUSE.as_millis())?;
    let observe = || {
        let status = status(fleet).map_err(|error| format!("{error:#}"))?;
        let report = &node_of(&status, node)["report"];
        let (at_ms, seen) =
            (report["at_ms"].as_u64().unwrap_or(0), &report["instances"][component]);
        if at_ms > begun_ms && !holds(seen) {
            return Ok(Err(anyhow!("{what}, and then: {seen}")));
        }
        if at_ms > enough_ms { Ok(Ok(())) } else { Err(format!("{seen}, report of {at_ms}")) }
    };
    until(what, LONGEST_PAUSE + SOON, observe)?
}

/// Waits until a condition holds for what a node reports about one component.
pub fn wait_instance(
    fleet: &Fleet,
    node: &str,
    component: &str,
    what: &str,
    holds: impl Fn(&Value) -> bool,
) -> Result<Value> {
    InstanceWait::new(fleet, node, component).until(what, holds)
}

/// Waits until a node reports that a component is ready.
pub fn wait_ready(fleet: &Fleet, node: &str, component: &str) -> Result<Value> {
    let what = format!("{component} on {node} is ready");
    wait_instance(fleet, node, component, &what, is_ready)
}

/// Waits until a node reports, after `after_ms`, that a component is ready.
pub fn wait_ready_after(
    fleet: &Fleet,
    after_ms: u64,
    node: &str,
    component: &str,
) -> Result<Value> {
    let what = format!("{component} on {node} is ready again");
    let wait = InstanceWait::new(fleet, node, component);
    wait.reported_after(after_ms).until(&what, is_ready)
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

/// Returns the start of every unit of a package that the agent manages on a node, by the unit's name: when it
/// became active, and its main process.
pub fn packaged_starts(fleet: &Fleet, node: &str) -> Result<BTreeMap<String, String>> {
    let script = "for file in /etc/systemd/system/*.service.d/50-oml.conf; do
                      [ -e \"$file\" ] || continue
                      unit=$(basename \"${file%.d/50-oml.conf}\")
                      since=$(systemctl show -P ActiveEnterTimestampMonotonic \"$unit\")
                      echo \"$unit $since $(systemctl show -P MainPID \"$unit\")\"
                  done";
    let text = sh(fleet, node, script)?;
    let pairs = text.lines().filter_map(|line| line.split_once(' '));
    Ok(pairs.map(|(unit, start)| (unit.to_owned(), start.to_owned())).collect())
}

/// Runs a shell script on a host and returns its standard output. Any exit code except 0 is an error.
pub fn sh(fleet: &Fleet, node: &str, script: &str) -> Result<String> {
    Ok(fleet.host(node)?.exec_ok(&["sh", "-c", script])?)
}
