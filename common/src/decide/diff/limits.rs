//! Names the limits and rollout settings that differ between two plans, each with its value
//! before and after.

use crate::document::assignment::{Desired, OnDeadline};
use crate::document::plan::{OnFailure, Plan};
use crate::time::print_duration_ms;

/// Returns a part for every limit of an instance that differs.
pub(super) fn limits(old: &Desired, new: &Desired) -> Vec<String> {
    let (was, is) = (&old.policy, &new.policy);
    let (timed, times) = (&old.instance.timing, &new.instance.timing);
    let spans = [
        ("min_healthy_for", was.soak_ms, is.soak_ms),
        ("drain_deadline", was.drain_deadline_ms, is.drain_deadline_ms),
        ("start_timeout", timed.start_timeout_ms, times.start_timeout_ms),
        ("stop_grace", timed.stop_grace_ms, times.stop_grace_ms),
    ];
    let differing = spans.into_iter().filter(|(_, was, is)| was != is);
    let mut parts: Vec<String> = differing
        .map(|(name, was, is)| {
            format!("{name} {} -> {}", print_duration_ms(was), print_duration_ms(is))
        })
        .collect();
    if was.on_deadline != is.on_deadline {
        let (was, now) = (was.on_deadline.as_str(), is.on_deadline.as_str());
        parts.push(format!("on_deadline {was} -> {now}{}", meaning(new)));
    }
    parts
}

/// Returns what happens at the drain deadline to what an instance counts. There is nothing to
/// say about an instance that counts nothing, because it is not drained.
fn meaning(new: &Desired) -> String {
    let Some(active) = &new.instance.active else { return String::new() };
    let (noun, after) = (&active.noun, print_duration_ms(new.policy.drain_deadline_ms));
    match new.policy.on_deadline {
        OnDeadline::Abort => {
            format!(": if {noun} are still up after {after}, the change fails and cuts none")
        }
        OnDeadline::Wait => {
            format!(": the change waits until all {noun} have ended, also after {after}")
        }
        OnDeadline::Cut => format!(": {noun} that are still up after {after} are cut"),
    }
}

/// Returns a line for every setting that differs in how a rollout goes through the nodes.
#[must_use]
pub fn strategy(from: Option<&Plan>, to: &Plan) -> Vec<String> {
    let Some(from) = from else { return Vec::new() };
    let (was, is) = (&from.strategy, &to.strategy);
    let mut lines = Vec::new();
    if was.max_parallel != is.max_parallel {
        lines.push(format!("max_parallel {} -> {}", was.max_parallel, is.max_parallel));
    }
    if was.on_failure != is.on_failure {
        let meaning = match is.on_failure {
            OnFailure::Rollback => {
                "a rollout whose new version fails is rolled back on all its nodes"
            }
            OnFailure::Pause => "a rollout whose new version fails pauses, and you decide",
        };
        lines.push(format!(
            "on_failure {} -> {}: {meaning}",
            was.on_failure.as_str(),
            is.on_failure.as_str()
        ));
    }
    lines
}
