//! The commands of scripts.

use std::collections::BTreeSet;
use std::time::Duration;

use oml_common::id::{NodeName, RevisionNumber};
use oml_common::text::problem::Problems;
use oml_common::time::parse_duration_ms;
use oml_sim::Container;
use omlcontroller::ops::OpsError;
use omlcontroller::ops::change::ChangeRequest;
use tokio::time::Instant;

use super::ScenarioError;
use super::controller::Versions;
use super::node::Node;
use super::script::Command;
use super::show;
use super::stage::{component_of, parse_behaviour, parse_operations};
use super::world::{Rest, World};

/// `run` ends after so much time without a new line.
const QUIET: Duration = Duration::from_secs(600);
/// The same time when no instance is being changed.
const QUIET_AT_REST: Duration = Duration::from_secs(60);
/// The same time when everything runs as it should.
const QUIET_WHEN_READY: Duration = Duration::from_secs(12);
/// Units that packages of the distribution bring to every host.
const PACKAGED: [&str; 1] = ["prometheus-node-exporter.service"];

mod host;
mod reload;

type Done = Result<(), ScenarioError>;

pub(super) fn mistake(message: impl Into<String>) -> ScenarioError {
    ScenarioError::Mistake { line: 0, message: message.into() }
}

pub(super) fn name<T>(word: &str) -> Result<T, ScenarioError>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    word.parse().map_err(|error: T::Err| mistake(error.to_string()))
}

fn span(word: &str) -> Result<Duration, ScenarioError> {
    let ms = parse_duration_ms(word).map_err(|error| mistake(error.to_string()))?;
    Ok(Duration::from_millis(ms))
}

impl World {
    /// Carries out a command; its output is in `lines`.
    pub(super) async fn obey(&mut self, command: &Command) -> Done {
        let words: Vec<&str> = command.text.split_whitespace().collect();
        match words.as_slice() {
            ["nodes", nodes @ ..] => self.nodes_are(nodes).await,
            ["tenant"] => {
                self.spec = command.document.clone().unwrap_or_default();
                Ok(())
            }
            ["apply"] => {
                let spec_yaml = self.spec.clone();
                self.change(ChangeRequest::Apply { spec_yaml }).await
            }
            ["set", versions @ ..] => self.set(versions).await,
            ["rollback", number] => {
                let to = RevisionNumber(number.parse().map_err(|_| mistake("no number"))?);
                let tenant = self.controller.tenant.clone();
                self.change(ChangeRequest::Rollback { tenant, to }).await
            }
            ["version", component, version, behaviour @ ..] => {
                let behaviour = parse_behaviour(behaviour).ok_or_else(|| {
                    mistake(
                        "a version is good, exits-at-once, hangs, dies-after SPAN or \
                         unhealthy-after SPAN",
                    )
                })?;
                self.around.behaviours.set(component, version, behaviour);
                Ok(())
            }
            ["operations", "of", component, word] => {
                let behaviour = parse_operations(word)
                    .ok_or_else(|| mistake("operations succeed, fail or hang"))?;
                self.around.behaviours.set_operations(component, behaviour);
                Ok(())
            }
            ["registry", "away"] => {
                self.around.registry.set_away(true);
                Ok(())
            }
            ["registry", "back"] => {
                self.around.registry.set_away(false);
                Ok(())
            }
            ["tick", length] => self.advance(span(length)?).await,
            ["run"] => self.run().await,
            ["run", "quietly"] => self.run_quietly().await,
            ["show", table] => {
                let lines = self.table(table).await;
                let lines = lines.ok_or_else(|| mistake(format!("no table {table}")))?;
                self.lines.extend(lines);
                Ok(())
            }
            _ => self.obey_about_reloads(&words).await,
        }
    }

    async fn nodes_are(&mut self, words: &[&str]) -> Done {
        for (index, word) in words.iter().enumerate() {
            let Some((node, roles)) = word.split_once('=') else {
                return Err(mistake(format!("{word:?} is not NODE=ROLE")));
            };
            let roles = roles.split(',').map(name).collect::<Result<_, _>>()?;
            let node: NodeName = name(node)?;
            let address = format!("10.0.0.{}", index + 11);
            let folder = self.folder.path().join(node.as_str());
            let made = Node::new(node.clone(), address, &folder, &self.around);
            for unit in PACKAGED {
                made.host.install_package(unit);
            }
            self.watch.strangers_changed(&made);
            self.nodes.insert(node.clone(), made);
            self.roles.insert(node.clone(), roles);
            self.join(&node).await?;
        }
        Ok(())
    }

    /// Enrols a host, for the first time or again, with everything that is on it.
    async fn join(&mut self, name: &NodeName) -> Done {
        let roles = self.roles.get(name).cloned().unwrap_or_default();
        let node = self.nodes.get_mut(name).ok_or_else(|| no_node(name.as_str()))?;
        let joined = self.controller.enroll(name, roles, node.address()).await;
        let (certificate, key_pem) = joined.map_err(mistake)?;
        node.enroll(&certificate, &key_pem);
        self.start_agent(name);
        Ok(())
    }

    async fn remove_node(&mut self, name: &NodeName) -> Done {
        self.watch.forget(name);
        self.controller.remove(name).await.map_err(|error| mistake(error.to_string()))
    }

    async fn set(&mut self, words: &[&str]) -> Done {
        let mut versions = Versions::new();
        for word in words {
            let Some((component, version)) = word.split_once('=') else {
                return Err(mistake(format!("{word:?} is not COMPONENT=VERSION")));
            };
            versions.insert(name(component)?, name(version)?);
        }
        let tenant = self.controller.tenant.clone();
        self.change(ChangeRequest::SetVersion { tenant, versions }).await
    }

    async fn change(&mut self, request: ChangeRequest) -> Done {
        match self.controller.change(&request).await {
            Ok(result) if result.text_changed => {
                self.lines.push(format!("only the text of revision {}", result.revision));
            }
            Ok(result) if !result.changed => self.lines.push("nothing to change".to_owned()),
            Ok(result) => {
                self.lines.push(format!("revision {}", result.revision));
                self.lines.extend(result.changes.iter().map(show::change));
                self.lines.extend(result.notes.iter().map(|note| format!("  note: {note}")));
                let watched = self.controller.watch_change(result.revision).await;
                self.changes.push(watched);
            }
            Err(OpsError::Problems(problems)) => self.refused(&Problems::to_string(&problems)),
            Err(error) => self.refused(&oml_common::text::error::chain(&error)),
        }
        Ok(())
    }

    fn refused(&mut self, problems: &str) {
        self.lines.push("refused".to_owned());
        self.lines.extend(problems.lines().map(|line| format!("  {line}")));
    }

    /// Lets time pass until nothing new is seen, and then prints what the rollout waits for.
    pub(super) async fn run(&mut self) -> Done {
        let mut seen = self.kinds();
        let mut quiet_since = Instant::now();
        let mut silent_since = self.now();
        loop {
            let quiet = match self.rest() {
                Rest::Ready => QUIET_WHEN_READY,
                Rest::Idle => QUIET_AT_REST,
                Rest::UnderWay => QUIET,
            };
            let printed = self.lines.len();
            let looked = self.next_look(quiet_since + quiet).await?;
            if self.lines.len() > printed {
                silent_since = self.now();
            }
            let kinds = self.kinds();
            if kinds.len() > seen.len() {
                (seen, quiet_since) = (kinds, Instant::now());
            }
            if self.has_crashed() {
                return Ok(());
            }
            if !looked {
                break;
            }
        }
        self.look().await?;
        self.snapshot = self.controller.snapshot().await;
        self.check_changes()?;
        self.leave_out(silent_since);
        if let Some(waits_for) = self.waits_for() {
            self.lines.push(format!("         waits for {waits_for}"));
        }
        Ok(())
    }

    /// Does the same as `run`, but prints only the last line.
    async fn run_quietly(&mut self) -> Done {
        self.run().await?;
        let last = self.lines.len().saturating_sub(1);
        self.lines.drain(..last);
        Ok(())
    }

    /// Returns the lines without their time.
    fn kinds(&self) -> BTreeSet<String> {
        let untimed = |line: &String| line.split_once(' ').map(|(_, rest)| rest.to_owned());
        self.lines.iter().filter_map(untimed).collect()
    }

    fn node(&mut self, name: &str) -> Result<&mut Node, ScenarioError> {
        let node = self.nodes.iter_mut().find(|(found, _)| found.as_str() == name);
        node.map(|(_, node)| node).ok_or_else(|| no_node(name))
    }

    fn with_running(
        &mut self,
        node: &str,
        component: &str,
        act: impl FnOnce(&Node, &Container),
    ) -> Done {
        let node = self.node(node)?;
        let containers = node.host.containers();
        let mut running = containers.iter().filter(|container| container.is_running());
        if let Some(running) = running.find(|container| component_of(container) == component) {
            act(node, running);
        }
        Ok(())
    }
}

fn no_node(name: &str) -> ScenarioError {
    mistake(format!("there is no node {name}"))
}
