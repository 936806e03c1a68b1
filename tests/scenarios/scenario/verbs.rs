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
use super::stage::{Calls, component_of, parse_behaviour};
use super::world::{Rest, World};

/// `run` ends when this long nothing new was printed.
const QUIET: Duration = Duration::from_secs(600);
/// The same, where nothing more is to be expected.
const QUIET_AT_REST: Duration = Duration::from_secs(60);
/// The same, where everything runs as it should.
const QUIET_WHEN_READY: Duration = Duration::from_secs(12);
/// From the kill of an agent to its next start, in `at each step`.
const AWAY: Duration = Duration::from_secs(10);
/// How long calls are up that come after an agent's start, in `at each step`.
const CALLS: Duration = Duration::from_secs(60);
/// Units that packages of the distribution bring to every host.
const PACKAGED: [&str; 1] = ["prometheus-node-exporter.service"];

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
    /// Does what a command says; what it prints is in `lines`.
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
            _ => self.obey_on_host(&words).await,
        }
    }

    /// Commands that somebody would type on a host, or that happen to one.
    async fn obey_on_host(&mut self, words: &[&str]) -> Done {
        match words {
            ["calls", node, component, calls] => {
                let calls = match *calls {
                    "unknown" => Calls::Unreadable,
                    number => Calls::Up(number.parse().map_err(|_| mistake("no number"))?),
                };
                self.with_running(node, component, |node, running| {
                    node.stage.set_calls(running, calls);
                })
            }
            ["docker", verb @ ("rm" | "stop" | "kill"), node, component] => {
                self.docker(verb, node, component)
            }
            ["systemctl", verb @ ("stop" | "start" | "restart"), node, component] => {
                self.by_hand(node, component)?;
                let unit = format!("{component}.service");
                let asked = self.node(node)?.host.systemctl(verb, &unit);
                asked.map(drop).map_err(|error| mistake(error.to_string()))
            }
            ["foreign", node, component, what @ ..] => self.foreign(node, component, what),
            ["node", node, "lost"] => {
                self.node(node)?.reachable.send_replace(false);
                Ok(())
            }
            ["node", node, "back"] => {
                self.node(node)?.reachable.send_replace(true);
                Ok(())
            }
            ["node", node, "removed"] => self.remove_node(&name(node)?).await,
            ["node", node, "joins", "again"] => self.join(&name(node)?).await,
            ["agent", node, "killed"] => {
                self.node(node)?.kill();
                Ok(())
            }
            ["agent", node, "started"] => {
                self.start_agent(&name(node)?);
                Ok(())
            }
            ["agent", node, "forgets"] => {
                self.node(node)?.forget();
                self.start_agent(&name(node)?);
                Ok(())
            }
            ["reboot", node] => self.reboot(&name(node)?).await,
            _ => Err(mistake(format!("there is no command {:?}", words.join(" ")))),
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

    /// A host joins, for the first time or again, with all that is on it.
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
            Ok(result) if !result.changed => self.lines.push("nothing to change".to_owned()),
            Ok(result) => {
                self.lines.push(format!("revision {}", result.revision));
                self.lines.extend(result.changes.iter().map(show::change));
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

    /// Lets time pass until nothing new is seen, and then says what is waited for.
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
        self.leave_out(silent_since);
        if let Some(waits_for) = self.waits_for() {
            self.lines.push(format!("         waits for {waits_for}"));
        }
        Ok(())
    }

    /// The same, of which only the last line is printed.
    async fn run_quietly(&mut self) -> Done {
        self.run().await?;
        let last = self.lines.len().saturating_sub(1);
        self.lines.drain(..last);
        Ok(())
    }

    /// The lines without their time.
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
        deed: impl FnOnce(&Node, &Container),
    ) -> Done {
        let node = self.node(node)?;
        let containers = node.host.containers();
        let mut running = containers.iter().filter(|container| container.is_running());
        if let Some(running) = running.find(|container| component_of(container) == component) {
            deed(node, running);
        }
        Ok(())
    }

    /// `docker rm --force`, `stop` or `kill` of what runs of a component.
    fn docker(&mut self, verb: &str, node: &str, component: &str) -> Done {
        self.by_hand(node, component)?;
        if verb == "rm" {
            self.watch.removed_by_hand(&name(node)?, component);
        }
        self.with_running(node, component, |node, running| {
            let (host, id) = (node.host.clone(), running.id.clone());
            match verb {
                "rm" => host.remove_by_hand(&id),
                "kill" => host.kill_by_hand(&id),
                // Its end is seen like everything else.
                _ => drop(tokio::spawn(async move { host.stop_by_hand(&id).await })),
            }
        })
    }

    /// Somebody on the host ends what runs of a component.
    fn by_hand(&mut self, node: &str, component: &str) -> Done {
        let name = name(node)?;
        let running = self.node(node)?.host.containers().into_iter();
        let running = running.filter(|c| c.is_running() && component_of(c) == component);
        for container in running {
            self.watch.ended_by_hand(&name, &container.id);
        }
        Ok(())
    }

    /// Somebody writes a unit file without our mark, or takes it away again.
    fn foreign(&mut self, node: &str, component: &str, what: &[&str]) -> Done {
        let name = name::<NodeName>(node)?;
        let node = self.node(node)?;
        let path = node.paths.units.join(format!("{component}.service"));
        let done = match what {
            ["gone"] => std::fs::remove_file(path),
            ["unit", _unit] => std::fs::write(path, "[Service]\nExecStart=/usr/sbin/program\n"),
            _ => return Err(mistake("what is foreign is a unit, or gone")),
        };
        let host = node.host.clone();
        // As an administrator does after such a change.
        drop(tokio::spawn(async move { host.reload_units().await }));
        done.map_err(|error| mistake(error.to_string()))?;
        self.watch.strangers_changed(&self.nodes[&name]);
        Ok(())
    }

    async fn reboot(&mut self, name: &NodeName) -> Done {
        let node = self.nodes.get_mut(name).ok_or_else(|| no_node(name.as_str()))?;
        let pause = node.reboot();
        self.watch.rebooted(node);
        self.advance(pause).await?;
        self.start_agent(name);
        Ok(())
    }

    /// Disturbs a node whose agent has ended at a step.
    pub(super) async fn disturb(&mut self, node: &NodeName, component: &str, deed: &str) -> Done {
        let (deed, then) = deed.split_once(", then ").unwrap_or((deed, ""));
        match deed {
            "kill" => self.node(node.as_str())?.kill(),
            "forget" => self.node(node.as_str())?.forget(),
            "reboot" => {
                self.node(node.as_str())?.kill();
                self.reboot(node).await?;
            }
            _ => {
                return Err(mistake(format!(
                    "a step can be met by kill, forget or reboot, not {deed}"
                )));
            }
        }
        if deed != "reboot" {
            self.advance(AWAY).await?;
            self.start_agent(node);
        }
        match then.strip_suffix(" calls") {
            Some(calls) => self.hold_calls(node, component, calls).await,
            None if then.is_empty() => Ok(()),
            None => Err(mistake(format!("what comes then can be 12 calls, not {then}"))),
        }
    }

    /// So many calls come up on what runs, and end a while later.
    async fn hold_calls(&mut self, node: &NodeName, component: &str, calls: &str) -> Done {
        let calls = calls.parse().map_err(|_| mistake("no number"))?;
        for calls in [calls, 0] {
            self.with_running(node.as_str(), component, |node, running| {
                node.stage.set_calls(running, Calls::Up(calls));
            })?;
            self.advance(CALLS).await?;
        }
        Ok(())
    }
}

fn no_node(name: &str) -> ScenarioError {
    mistake(format!("there is no node {name}"))
}
