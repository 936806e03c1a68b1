//! The tables that `show` prints.

use oml_common::decide::diff::{Change, diff};
use oml_common::decide::observed::{ContainerState, Health};
use oml_common::decide::rollout::State;
use oml_common::document::report::InstanceReport;

use super::controller::Revision;
use super::world::World;

/// One line of a difference, as an operator reads it.
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
    /// A table, or nothing for an unknown name.
    pub(super) fn table(&self, name: &str) -> Option<Vec<String>> {
        match name {
            "rollout" => Some(self.rollout()),
            "nodes" => Some(self.nodes()),
            "containers" => Some(self.containers()),
            "volumes" => Some(self.volumes()),
            "revisions" => Some(self.revisions()),
            "diff" => Some(self.diff()),
            _ => None,
        }
    }

    fn rollout(&self) -> Vec<String> {
        let Some(rollout) = &self.controller.rollout else {
            return vec!["no rollout".to_owned()];
        };
        let from = rollout.from.map_or_else(|| "nothing".to_owned(), |from| from.to_string());
        let why = rollout.state.why();
        let colon = if why.is_empty() { "" } else { ": " };
        let mut lines =
            vec![format!("{from} -> {}  {}{colon}{why}", rollout.to, rollout.state.as_str())];
        for (number, wave) in rollout.waves.iter().enumerate() {
            let nodes: Vec<&str> = wave.iter().map(AsRef::as_ref).collect();
            lines.push(format!("  wave {}: {}", number + 1, nodes.join(" ")));
        }
        if !rollout.is_ended() && !self.controller.waits_for.is_empty() {
            lines.push(format!("  waits for {}", self.controller.waits_for));
        }
        lines
    }

    fn nodes(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (node, agent) in &self.agents {
            let target = self.controller.targets.get(node);
            let target =
                target.map_or_else(|| "no revision".to_owned(), |t| format!("revision {t}"));
            let applied = agent.report.as_ref().and_then(|report| report.applied);
            let applied = applied.map_or_else(|| "none".to_owned(), |a| a.to_string());
            let link = match (agent.running, agent.reachable) {
                (false, _) => "no agent",
                (true, false) => "unreachable",
                (true, true) => "connected",
            };
            lines.push(format!("{node}  {target}, assignment {applied}, {link}"));
            let instances = agent.report.iter().flat_map(|report| &report.instances);
            lines.extend(instances.map(|(component, instance)| {
                format!("  {component:<13} {}", stand(instance)).trim_end().to_owned()
            }));
        }
        lines
    }

    fn containers(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (node, host) in &self.hosts {
            for place in host.places.values() {
                for container in &place.containers {
                    let state = match container.state {
                        ContainerState::Created => "created".to_owned(),
                        ContainerState::Running { since } => format!("up since {}", at(since.0)),
                        ContainerState::Exited { code, .. } => format!("exited {code}"),
                    };
                    let name = shorten(&container.name, container.hash.short());
                    let version = container.version.as_str();
                    lines.push(format!("{node:<11} {name:<30} {version:<12} {state}"));
                }
            }
        }
        if lines.is_empty() { vec!["no containers".to_owned()] } else { lines }
    }

    fn volumes(&self) -> Vec<String> {
        let volumes = |host: &super::host::Host| {
            let names = host.places.values().flat_map(|place| &place.volumes).cloned();
            names.collect::<Vec<String>>().join(" ")
        };
        self.hosts.iter().map(|(node, host)| format!("{node:<11} {}", volumes(host))).collect()
    }

    fn revisions(&self) -> Vec<String> {
        let line = |(index, revision): (usize, &Revision)| {
            let number = index + 1;
            let outcome = match &revision.outcome {
                None => "under way".to_owned(),
                Some(state) if state.why().is_empty() => state.as_str().to_owned(),
                Some(state) => format!("{}: {}", state.as_str(), state.why()),
            };
            let current = self.controller.current.0 == number as u64;
            let mark = if current { '*' } else { ' ' };
            let count = revision.changes.len();
            let verb = revision.verb;
            format!("{mark} {number:>2}  {verb:<12} {count:>2} changes  {outcome}")
        };
        self.controller.revisions.iter().enumerate().map(line).collect()
    }

    /// What differs between the last good revision and the one wanted.
    fn diff(&self) -> Vec<String> {
        let plan = |number| self.controller.revision(number).map(|revision| &revision.plan);
        let good = self.controller.good.and_then(plan);
        let Some(current) = plan(self.controller.current) else {
            return vec!["no revision".to_owned()];
        };
        let lines: Vec<String> = diff(good, current).iter().map(change).collect();
        if lines.is_empty() { vec!["no difference".to_owned()] } else { lines }
    }
}

/// How a rollout stands, in a word or two.
pub(super) fn rollout_word(state: Option<&State>) -> &'static str {
    state.map_or("no rollout", State::as_str)
}

/// How an instance stands.
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

/// Interim names carry a hash; people compare the part before it.
fn shorten(name: &str, hash: &str) -> String {
    name.replace(hash, "…")
}

fn at(ms: u64) -> String {
    super::world::clock(ms.saturating_sub(super::world::BEGIN.0))
}
