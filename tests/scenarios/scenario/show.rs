//! The tables that `show` prints.

use oml_common::decide::diff::diff;
use oml_common::decide::head::base;
use oml_common::document::report::InstanceReport;
use oml_common::document::revision::Change;
use oml_common::document::rollout::State;
use oml_common::document::status::Health;
use oml_common::time::Timestamp;
use oml_sim::ContainerState;
use omlcontroller::ops::history::PastOutcome;

use super::stage::{component_of, document_of, version_of};
use super::world::World;

/// Returns one change as an operator reads it.
pub(super) fn change(change: &Change) -> String {
    let Change { node, component, kind, from, to, note } = change;
    let versions = match (from.as_str(), to.as_str()) {
        ("", "") => String::new(),
        ("", to) => to.to_owned(),
        (from, "") => from.to_owned(),
        (from, to) if from == to => from.to_owned(),
        (from, to) => format!("{from} -> {to}"),
    };
    let note = if note.is_empty() { String::new() } else { format!(" ({note})") };
    format!("  {node:<11} {component:<13} {:<8} {versions}{note}", kind.as_str())
        .trim_end()
        .to_owned()
}

impl World {
    /// Returns the lines of a table, or `None` for an unknown name.
    pub(super) async fn table(&mut self, name: &str) -> Option<Vec<String>> {
        self.snapshot = self.controller.snapshot().await;
        match name {
            "rollout" => Some(self.rollout()),
            "nodes" => Some(self.nodes()),
            "containers" => Some(self.containers()),
            "volumes" => Some(self.volumes()),
            "revisions" => Some(self.revisions().await),
            "diff" => Some(self.diff().await),
            "spec" => {
                let spec = self.controller.spec().await;
                Some(spec.lines().map(|line| format!("  | {line}")).collect())
            }
            _ => None,
        }
    }

    fn rollout(&self) -> Vec<String> {
        let Some(snapshot) = &self.snapshot else { return vec!["no rollout".to_owned()] };
        let rollout = &snapshot.rollout.value;
        let from = rollout.from.map_or_else(|| "nothing".to_owned(), |from| from.to_string());
        let why = rollout.state.why();
        let colon = if why.is_empty() { "" } else { ": " };
        let mut lines =
            vec![format!("{from} -> {}  {}{colon}{why}", rollout.to, rollout.state.as_str())];
        for (number, wave) in rollout.waves.iter().enumerate() {
            let nodes: Vec<&str> = wave.iter().map(AsRef::as_ref).collect();
            lines.push(format!("  wave {}: {}", number + 1, nodes.join(" ")));
        }
        if let Some(waits_for) = self.waits_for().filter(|waits_for| !waits_for.is_empty()) {
            lines.push(format!("  waits for {waits_for}"));
        }
        lines
    }

    fn nodes(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (name, node) in &self.nodes {
            let targets = self.snapshot.as_ref().map(|snapshot| &snapshot.targets);
            let target = targets.and_then(|targets| targets.get(name));
            let target = target.map_or_else(
                || "no revision".to_owned(),
                |t| format!("revision {}", t.value.revision),
            );
            let applied = node.report.as_ref().and_then(|report| report.applied);
            let applied = applied.map_or_else(|| "none".to_owned(), |a| a.to_string());
            let known = self.snapshot.as_ref().and_then(|snapshot| snapshot.nodes.get(name));
            let is_connected = known.is_some_and(|node| node.presence.connected);
            let link = match (node.is_running(), is_connected) {
                (false, _) => "no agent",
                (true, false) => "unreachable",
                (true, true) => "connected",
            };
            lines.push(format!("{name}  {target}, assignment {applied}, {link}"));
            let instances = node.report.iter().flat_map(|report| &report.instances);
            lines.extend(instances.map(|(component, instance)| {
                format!("  {component:<13} {}", stand(instance)).trim_end().to_owned()
            }));
        }
        lines
    }

    fn containers(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (name, node) in &self.nodes {
            let mut containers = node.host.containers();
            containers.retain(|container| !component_of(container).is_empty());
            containers.sort_by_key(|container| component_of(container).to_owned());
            for container in containers {
                let state = match container.state {
                    ContainerState::Created => "created".to_owned(),
                    ContainerState::Running { since_ms } => {
                        format!("up since {}", self.clock(Timestamp(since_ms)))
                    }
                    ContainerState::Exited { code, .. } => format!("exited {code}"),
                };
                let hash = document_of(&container).map(|document| document.workload_hash());
                let short = hash.as_ref().map_or("", |hash| hash.short());
                let shown = shorten(&container.name, short);
                let version = version_of(&container);
                lines.push(format!("{name:<11} {shown:<30} {version:<12} {state}"));
            }
        }
        if lines.is_empty() { vec!["no containers".to_owned()] } else { lines }
    }

    fn volumes(&self) -> Vec<String> {
        let line = |(name, node): (&oml_common::id::NodeName, &super::node::Node)| {
            format!("{name:<11} {}", node.host.volumes().join(" "))
        };
        self.nodes.iter().map(line).collect()
    }

    async fn revisions(&self) -> Vec<String> {
        let current = self
            .snapshot
            .as_ref()
            .map(|snapshot| base(snapshot.head.value, Some(&snapshot.rollout.value)));
        let entries = self.controller.history().await;
        let lines = entries.iter().map(|entry| {
            let number = entry.number;
            let mark = if current == Some(number) { '*' } else { ' ' };
            let revision = entry.revision.as_ref();
            let count = revision.map_or(0, |revision| revision.changes.len());
            let verb = revision.map_or("unreadable", |revision| revision.kind.as_str());
            let outcome = match &entry.outcome {
                Some(PastOutcome::Known(state)) => state.as_str(),
                Some(PastOutcome::Unreadable) => "unreadable",
                None => "",
            };
            format!("{mark} {:>2}  {verb:<12} {count:>2} changes  {outcome}", number.0)
        });
        lines.collect()
    }

    /// Returns the differences between the last good revision and the current one.
    async fn diff(&self) -> Vec<String> {
        let Some(snapshot) = &self.snapshot else { return vec!["no revision".to_owned()] };
        let head = &snapshot.head.value;
        let good = match head.good {
            Some(good) => self.controller.plan(good).await,
            None => None,
        };
        let current = base(*head, Some(&snapshot.rollout.value));
        let Some(current) = self.controller.plan(current).await else {
            return vec!["no revision".to_owned()];
        };
        let lines: Vec<String> = diff(good.as_deref(), &current).iter().map(change).collect();
        if lines.is_empty() { vec!["no difference".to_owned()] } else { lines }
    }

    /// Returns the state of the rollout and of a component of a node.
    pub(super) fn end_of(&self, node: &oml_common::id::NodeName, component: &str) -> String {
        let report = self.nodes.get(node).and_then(|node| node.report.as_ref());
        let mut instances = report.into_iter().flat_map(|report| &report.instances);
        let instance = instances.find(|(name, _)| name.as_str() == component);
        let stand = instance.map_or_else(|| "gone".to_owned(), |(_, instance)| stand(instance));
        let state = self.snapshot.as_ref().map(|snapshot| &snapshot.rollout.value.state);
        format!("{:<11} {stand}", rollout_word(state))
    }
}

/// Returns the state of a rollout in a word or two.
pub(super) fn rollout_word(state: Option<&State>) -> &'static str {
    state.map_or("no rollout", State::as_str)
}

/// Returns the state of an instance: its phase, version, health and cut calls.
pub(super) fn stand(instance: &InstanceReport) -> String {
    let version = instance.version.as_ref().map_or("-", |version| version.as_str());
    let health = match instance.health {
        Health::Unknown => "not known",
        Health::Starting => "starting",
        Health::Healthy => "healthy",
        Health::Unhealthy => "unhealthy",
    };
    let cut = match instance.calls_cut {
        Some(0) => String::new(),
        Some(calls) => format!(", {calls} calls were cut"),
        None => ", calls may have been cut".to_owned(),
    };
    format!("{:<9} {version:<12} {health}{cut}", instance.phase.as_str())
}

/// Shortens an interim name, whose hash people do not compare.
fn shorten(name: &str, hash: &str) -> String {
    name.replace(hash, "…")
}
