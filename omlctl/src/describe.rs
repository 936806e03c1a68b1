//! Describes the states of the protocol in words for people.

use oml_common::decide::rights::UnusablePolicy;
use oml_common::text::printable::printable;
use oml_proto::enums::{EnumName as _, name_of};
use oml_proto::v1::{
    Failure, Health, InstanceReport, LastExit, NodeState, NodeStatus, PhaseName, Rollout,
    RolloutFailure, RolloutState,
};

use crate::clock::{self, Clock};
use crate::table::Style;

/// Describes the phase of an instance: `pulling 12.3 of 40.0 MiB`, `blocked: port 80 is taken`.
pub(crate) fn phase(clock: &Clock, host: &NodeStatus, instance: &InstanceReport) -> String {
    let phase = instance.phase.unwrap_or_default();
    let because = |word: &str| match instance.reason.as_str() {
        "" => word.to_owned(),
        reason => format!("{word}: {reason}"),
    };
    let name = phase_name(instance);
    match name {
        PhaseName::Pending => because("waiting"),
        PhaseName::Pulling => pulling(phase.bytes_done, phase.bytes_total),
        // A deadline is shown only if it lies ahead.
        PhaseName::Draining if !is_ahead(host, phase.at_ms) => because("draining"),
        PhaseName::Draining => because(&format!("draining until {}", clock.time(phase.at_ms))),
        PhaseName::Soaking => format!("soaking until {}", clock.time(phase.at_ms)),
        // The reason says by what, as far as it is known.
        PhaseName::StoppedByHand => {
            because(&match phase.at_ms {
                // systemd has unloaded the unit, and nothing saw the stop.
                0 => "not running".to_owned(),
                at_ms => format!("not running since {}", clock.date_time(at_ms)),
            })
        }
        PhaseName::RolledBack if !instance.version.is_empty() => {
            because(&format!("rolled back to {}", instance.version))
        }
        PhaseName::Unspecified => "not reported".to_owned(),
        PhaseName::Unhealthy
        | PhaseName::CrashLooping
        | PhaseName::RolledBack
        | PhaseName::Failed
        | PhaseName::Blocked
        | PhaseName::Unknown => because(&name.as_str().replace('-', " ")),
        PhaseName::Preparing | PhaseName::Starting | PhaseName::Ready | PhaseName::Removing => {
            name.as_str().to_owned()
        }
    }
}

/// Describes what a node allows to containers; none if it is the default or not known.
pub(crate) fn policy(node: &NodeStatus) -> Option<String> {
    let policy = node.policy.as_ref()?;
    let name = printable(&node.node);
    if !policy.problem.is_empty() {
        let problem = printable(&policy.problem);
        return Some(format!("{name}: {}", UnusablePolicy(&problem)));
    }
    let flags = [
        (policy.privileged, "privileged"),
        (policy.realtime, "real-time priority"),
        (policy.no_host_network, "no network of the host"),
        (policy.only_host_paths, "only these host paths"),
    ];
    let flags = flags.into_iter().filter(|(is_set, _)| *is_set).map(|(_, word)| word.to_owned());
    let names = [&policy.capabilities, &policy.devices, &policy.sysctls, &policy.host_paths];
    let allowed: Vec<String> =
        flags.chain(names.into_iter().flatten().map(|name| printable(name))).collect();
    (!allowed.is_empty()).then(|| format!("{name} allows: {}", allowed.join(", ")))
}

/// Whether a time by the clock of the host was ahead when the host reported. A wait without
/// a deadline has a time that no calendar can show.
fn is_ahead(host: &NodeStatus, at_ms: u64) -> bool {
    let reported_ms = host.report.as_ref().map(|report| report.at_ms).unwrap_or_default();
    at_ms > reported_ms && i64::try_from(at_ms).is_ok()
}

/// Returns the style for the phase of an instance.
pub(crate) fn style(instance: &InstanceReport) -> Style {
    match phase_name(instance) {
        PhaseName::Ready => Style::Good,
        PhaseName::Unhealthy
        | PhaseName::CrashLooping
        | PhaseName::RolledBack
        | PhaseName::Failed
        | PhaseName::Blocked
        | PhaseName::Unknown => Style::Bad,
        PhaseName::Unspecified => Style::Plain,
        PhaseName::Pending
        | PhaseName::Pulling
        | PhaseName::Preparing
        | PhaseName::Draining
        | PhaseName::Starting
        | PhaseName::Soaking
        | PhaseName::StoppedByHand
        | PhaseName::Removing => Style::Moving,
    }
}

/// Returns the phase of an instance; a phase that only a newer controller knows is `Unknown`.
fn phase_name(instance: &InstanceReport) -> PhaseName {
    let name = instance.phase.as_ref().map(|phase| phase.name).unwrap_or_default();
    PhaseName::try_from(name).unwrap_or(PhaseName::Unknown)
}

/// Whether an instance runs as desired and needs no description.
pub(crate) fn is_ready_and_healthy(instance: &InstanceReport) -> bool {
    phase_name(instance) == PhaseName::Ready && instance.health() == Health::Healthy
}

/// Describes the state of a rollout: `progressing (wave 1 of 3)`.
pub(crate) fn rollout_state(rollout: &Rollout) -> String {
    if rollout.state() != RolloutState::Progressing || rollout.waves <= 1 {
        return state_words(rollout.state);
    }
    // The protocol counts the waves that have ended; the current one is the next.
    let wave = (rollout.wave + 1).min(rollout.waves);
    format!("progressing (wave {wave} of {})", rollout.waves)
}

/// Returns the words for the state of a rollout, such as `rolled back`.
pub(crate) fn state_words(state: i32) -> String {
    name_of::<RolloutState>(state).replace('-', " ")
}

/// Describes the revisions of a rollout: `revision 7 → 8`, or `revision 1` for the first of
/// a tenant.
pub(crate) fn rollout_way(rollout: &Rollout) -> String {
    match rollout.from {
        0 => format!("revision {}", rollout.to),
        from => format!("revision {from} → {}", rollout.to),
    }
}

/// Returns the style for the state of a rollout.
pub(crate) fn rollout_style(state: RolloutState) -> Style {
    match state {
        RolloutState::Completed => Style::Good,
        RolloutState::Paused | RolloutState::RolledBack | RolloutState::RollingBack => Style::Bad,
        RolloutState::Progressing => Style::Moving,
        RolloutState::Superseded | RolloutState::Unknown | RolloutState::Unspecified => {
            Style::Plain
        }
    }
}

/// Describes the connection of a node, with its age if the node is unreachable.
pub(crate) fn connection(node: &NodeStatus, now_ms: u64) -> String {
    match node.state() {
        NodeState::Unreachable => {
            format!("unreachable, last seen {}", clock::age(now_ms, node.last_seen_ms))
        }
        NodeState::NeverSeen => "never seen".to_owned(),
        NodeState::Connected | NodeState::Unspecified => {
            name_of::<NodeState>(node.state).to_owned()
        }
    }
}

/// Whether a node is connected to its controller.
pub(crate) fn is_connected(node: &NodeStatus) -> bool {
    node.state() == NodeState::Connected
}

/// Returns the style for the connection of a node.
pub(crate) fn connection_style(state: NodeState) -> Style {
    match state {
        NodeState::Connected => Style::Good,
        NodeState::Unreachable => Style::Bad,
        NodeState::NeverSeen | NodeState::Unspecified => Style::Moving,
    }
}

/// Converts a time by the clock of the host to the clock of the controller, so that different
/// clocks do no harm. Returns 0 if there is no time.
fn by_controller(node: &NodeStatus, at_ms: u64) -> u64 {
    match node.report.as_ref().filter(|_| at_ms > 0) {
        Some(report) => {
            let before_report_ms = report.at_ms.saturating_sub(at_ms);
            node.last_seen_ms.saturating_sub(before_report_ms)
        }
        None => 0,
    }
}

/// Formats the age of a time by the clock of the host, such as `12s ago`. The text is empty
/// if there is no time.
pub(crate) fn host_age(node: &NodeStatus, now_ms: u64, at_ms: u64) -> String {
    match host_age_ms(node, now_ms, at_ms) {
        None => String::new(),
        Some(age_ms) => format!("{} ago", clock::span(age_ms)),
    }
}

/// Returns the age of a time by the clock of the host, in milliseconds.
pub(crate) fn host_age_ms(node: &NodeStatus, now_ms: u64, at_ms: u64) -> Option<u64> {
    match by_controller(node, at_ms) {
        0 => None,
        at_ms => Some(now_ms.saturating_sub(at_ms)),
    }
}

/// Formats a failure, the exit code of the program and its last log lines, one string per
/// line. Some messages contain the exit code too, depending on the agent that wrote them.
pub(crate) fn failure_lines(failure: &Failure) -> Vec<String> {
    let mut lines = vec![failure.message.clone()];
    lines.extend(failure.exit_code.map(|code| format!("    exit code {code}")));
    lines.extend(failure.log_tail.iter().map(|line| format!("    | {line}")));
    lines
}

/// Formats the last exit of a program: its exit code and its last lines, one string per line.
pub(crate) fn exit_lines(exit: &LastExit, when: &str) -> Vec<String> {
    let mut lines = vec![match exit.exit_code {
        Some(code) => format!("ended {when} with exit code {code}"),
        None => format!("ended {when}; its exit code is not known"),
    }];
    lines.extend(exit.log_tail.iter().map(|line| format!("    | {line}")));
    lines
}

/// Formats a failure with its place: `voice-1 asterisk 230215.01: did not answer within 60s`.
pub(crate) fn rollout_failure_lines(failed: &RolloutFailure) -> Vec<String> {
    let failure = failed.failure.clone().unwrap_or_default();
    let mut place = format!("{} {}", failed.node, failed.component);
    if !failure.version.is_empty() {
        place.push_str(&format!(" {}", failure.version));
    }
    let mut lines = failure_lines(&failure);
    lines[0] = format!("{place}: {}", lines[0]);
    lines
}

fn pulling(done: u64, total: u64) -> String {
    match total {
        0 if done == 0 => "pulling".to_owned(),
        0 => format!("pulling, {} MiB so far", mib(done)),
        total => format!("pulling {} of {} MiB", mib(done), mib(total)),
    }
}

/// Formats bytes as mebibytes with one decimal.
fn mib(bytes: u64) -> String {
    let tenths = bytes.saturating_mul(10) >> 20;
    format!("{}.{}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests;
