//! Shows progress on a terminal with a line for every node, redrawn in place.

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use oml_common::text::printable::printable;
use oml_proto::v1::{NodeStatus, TenantStatus};

use super::Labels;
use crate::describe;

/// The bars on the terminal: one for the rollout and one for every node.
#[derive(Debug)]
pub(crate) struct ProgressBars {
    labels: Labels,
    screen: MultiProgress,
    head: ProgressBar,
    nodes: BTreeMap<String, ProgressBar>,
}

const TICK: Duration = Duration::from_millis(120);
/// The number of instances that are shown for one node.
const INSTANCES_SHOWN_MAX: usize = 3;

impl ProgressBars {
    pub(super) fn new(labels: Labels) -> Self {
        Self::on(MultiProgress::new(), labels)
    }

    fn on(screen: MultiProgress, labels: Labels) -> Self {
        let head = moving(screen.add(ProgressBar::new_spinner()));
        head.set_message("the controller accepted the change");
        Self { labels, screen, head, nodes: BTreeMap::new() }
    }

    pub(super) fn show(&mut self, now_ms: u64, tenant: &TenantStatus) {
        if let Some(rollout) = &tenant.rollout {
            let way = describe::rollout_way(rollout);
            let state = describe::rollout_state(rollout);
            let head = format!("{} {way}: {state}", tenant.tenant);
            self.head.set_message(head);
        }
        let widest = tenant.nodes.iter().map(|node| node.node.len()).max().unwrap_or_default();
        for node in &tenant.nodes {
            let text = self.node_text(now_ms, tenant, node);
            let bar = self.nodes.entry(node.node.clone()).or_insert_with(|| {
                let bar = self.screen.add(ProgressBar::new_spinner());
                bar.set_style(style("    {prefix}  {wide_msg}"));
                bar
            });
            bar.set_prefix(format!("{:widest$}", node.node));
            bar.set_message(text);
        }
    }

    pub(super) fn note(&self, text: &str) {
        self.screen.suspend(|| crate::output::print_note(text));
    }

    pub(super) fn finish(self) {
        self.head.finish_and_clear();
        for bar in self.nodes.values() {
            bar.finish_and_clear();
        }
    }

    fn node_text(&self, now_ms: u64, tenant: &TenantStatus, node: &NodeStatus) -> String {
        if !describe::is_connected(node) {
            return describe::connection(node, now_ms);
        }
        let report = node.report.clone().unwrap_or_default();
        let moving: Vec<String> = report
            .instances
            .iter()
            .filter(|(_, instance)| !describe::is_ready_and_healthy(instance))
            .map(|(component, instance)| {
                let label = self.labels.instance(tenant, node, component);
                format!("{label}: {}", self.labels.phase(node, instance))
            })
            .collect();
        let more = moving.len().saturating_sub(INSTANCES_SHOWN_MAX);
        let mut text =
            moving.iter().take(INSTANCES_SHOWN_MAX).cloned().collect::<Vec<_>>().join("; ");
        match (text.is_empty(), more) {
            (true, _) if report.instances.is_empty() => text.push_str("nothing reported yet"),
            (true, _) => text.push_str("ready"),
            (false, 0) => {}
            (false, more) => text.push_str(&format!("; and {more} more")),
        }
        printable(&text)
    }
}

/// A line with a spinner and the elapsed time.
#[derive(Debug)]
pub(crate) struct Spinner(ProgressBar);

impl Default for Spinner {
    fn default() -> Self {
        Self(moving(ProgressBar::new_spinner()))
    }
}

impl Spinner {
    pub(crate) fn say(&self, line: &str) {
        self.0.set_message(printable(line));
    }

    pub(crate) fn finish(self) {
        self.0.finish_and_clear();
    }
}

fn moving(bar: ProgressBar) -> ProgressBar {
    bar.set_style(style("{spinner} {wide_msg} {elapsed}"));
    bar.enable_steady_tick(TICK);
    bar
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the template is a constant that is valid")
}

#[cfg(test)]
mod tests;
