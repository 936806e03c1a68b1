//! The commands of scripts.

use std::collections::BTreeMap;

use oml_common::decide::plan::NodeFacts;
use oml_common::document::spec::with_versions;
use oml_common::id::{ComponentName, NodeName, RevisionNumber, Version};
use oml_common::time::parse_duration_ms;

use super::ScenarioError;
use super::behaviour::{BOOT_MS, Behaviour};
use super::controller::Accepted;
use super::host::{Calls, Moment, Place};
use super::script::Command;
use super::show;
use super::world::World;

/// `run` ends when this long nothing new was printed.
const QUIET_MS: u64 = 600_000;
/// From the kill of an agent to its next start, in `at each step`.
const AWAY_MS: u64 = 10_000;
/// How long calls are up that come after an agent's start, in `at each step`.
const CALLS_MS: u64 = 60_000;

type Done = Result<(), ScenarioError>;

fn mistake(message: impl Into<String>) -> ScenarioError {
    ScenarioError::Mistake { line: 0, message: message.into() }
}

fn name<T>(word: &str) -> Result<T, ScenarioError>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    word.parse().map_err(|error: T::Err| mistake(error.to_string()))
}

fn span_ms(word: &str) -> Result<u64, ScenarioError> {
    parse_duration_ms(word).map_err(|error| mistake(error.to_string()))
}

impl World {
    /// Does what a command says; what it prints is in `lines`.
    pub(super) fn obey(&mut self, command: &Command) -> Done {
        let words: Vec<&str> = command.text.split_whitespace().collect();
        self.stirred = true;
        match words.as_slice() {
            ["nodes", nodes @ ..] => self.nodes_are(nodes),
            ["tenant"] => {
                self.spec = command.document.clone().unwrap_or_default();
                Ok(())
            }
            ["apply"] => self.apply(),
            ["set", versions @ ..] => self.set(versions),
            ["rollback", number] => self.roll_back(number),
            ["version", component, version, behaviour @ ..] => {
                self.version_is(component, version, behaviour)
            }
            ["registry", "away"] => self.registry(true),
            ["registry", "back"] => self.registry(false),
            ["tick", span] => {
                let until = self.now.plus_ms(span_ms(span)?);
                self.advance(until)
            }
            ["run"] => self.run(),
            ["run", "quietly"] => self.run_quietly(),
            ["show", table] => self.show_table(table),
            ["at", "each", "step", "of", node, deed @ ..] => {
                let node = name(node.trim_end_matches(':'))?;
                self.at_each_step(&node, &deed.join(" "))
            }
            _ => self.obey_on_host(&words),
        }
    }

    /// Commands that somebody would type on a host, or that befall one.
    fn obey_on_host(&mut self, words: &[&str]) -> Done {
        match words {
            ["calls", node, component, calls] => {
                let calls = match *calls {
                    "unknown" => Calls::Unreadable,
                    number => Calls::Up(number.parse().map_err(|_| mistake("no number"))?),
                };
                self.on_place(node, component, |place, _| place.calls = calls)
            }
            ["docker", "rm", node, component] => self.on_place(node, component, remove_by_hand),
            ["docker", "stop", node, component] => {
                self.on_place(node, component, |place, m| place.rob("stopped on the host", 0, m))
            }
            ["docker", "kill", node, component] => {
                self.on_place(node, component, |place, m| place.rob("killed on the host", 137, m))
            }
            ["systemctl", "stop", node, component] => self.on_place(node, component, Place::stop),
            ["systemctl", "start" | "restart", node, component] => {
                self.on_place(node, component, Place::restart)
            }
            ["foreign", node, component, what @ ..] => {
                let what = Some(what.join(" ")).filter(|what| what != "gone");
                self.on_place(node, component, |place, _| place.foreign = what)
            }
            ["node", node, "lost"] => self.on_agent(node, |agent| agent.reachable = false),
            ["node", node, "back"] => self.on_agent(node, |agent| agent.reachable = true),
            ["node", node, "removed"] => self.remove_node(&name(node)?),
            ["node", node, "joins", "again"] => self.join_again(&name(node)?),
            ["agent", node, "killed"] => self.on_agent(node, super::agent::Agent::kill),
            ["agent", node, "started"] => self.on_agent(node, |agent| agent.running = true),
            ["agent", node, "forgets"] => self.forget(&name(node)?),
            ["reboot", node] => self.reboot(&name(node)?),
            _ => Err(mistake(format!("there is no command {:?}", words.join(" ")))),
        }
    }

    fn nodes_are(&mut self, words: &[&str]) -> Done {
        for (index, word) in words.iter().enumerate() {
            let Some((node, roles)) = word.split_once('=') else {
                return Err(mistake(format!("{word:?} is not NODE=ROLE")));
            };
            let roles = roles.split(',').map(name).collect::<Result<_, _>>()?;
            let facts = NodeFacts { roles, address: format!("10.0.0.{}", index + 11), agent: None };
            let node: NodeName = name(node)?;
            self.controller.nodes.insert(node.clone(), facts);
            self.add_node(node);
        }
        Ok(())
    }

    fn apply(&mut self) -> Done {
        let known = self.controller.digests(self.controller.base());
        self.change("apply", self.spec.clone(), &known);
        Ok(())
    }

    fn set(&mut self, words: &[&str]) -> Done {
        let mut versions: BTreeMap<ComponentName, Version> = BTreeMap::new();
        for word in words {
            let Some((component, version)) = word.split_once('=') else {
                return Err(mistake(format!("{word:?} is not COMPONENT=VERSION")));
            };
            versions.insert(name(component)?, name(version)?);
        }
        let Some(spec) = self.controller.base_spec() else {
            return Err(mistake("there is no tenant yet"));
        };
        match with_versions(spec, &versions) {
            Ok(spec) => {
                let known = self.controller.digests(self.controller.base());
                self.change("set-version", spec, &known);
            }
            Err(problems) => self.refused(&problems.to_string()),
        }
        Ok(())
    }

    fn roll_back(&mut self, number: &str) -> Done {
        let number = RevisionNumber(number.parse().map_err(|_| mistake("no number"))?);
        let known = self.controller.digests(number);
        match self.controller.revision(number).map(|revision| revision.spec.clone()) {
            Some(spec) => self.change("rollback", spec, &known),
            None => self.refused(&format!("there is no revision {number}")),
        }
        Ok(())
    }

    fn change(
        &mut self,
        verb: &'static str,
        spec: String,
        known: &BTreeMap<oml_common::decide::plan::ImageName, oml_common::id::Digest>,
    ) {
        let moment = (self.around.registry_away, self.now);
        match self.controller.change(verb, spec, known, moment) {
            Ok(Accepted::Nothing) => self.lines.push("nothing to change".to_owned()),
            Ok(Accepted::Revision(number)) => {
                self.lines.push(format!("revision {number}"));
                let revision = self.controller.revision(number);
                let changes = revision.iter().flat_map(|revision| &revision.changes);
                self.lines.extend(changes.map(show::change));
            }
            Err(problems) => self.refused(&problems),
        }
    }

    fn refused(&mut self, problems: &str) {
        self.lines.push("refused".to_owned());
        self.lines.extend(problems.lines().map(|line| format!("  {line}")));
    }

    fn version_is(&mut self, component: &str, version: &str, words: &[&str]) -> Done {
        let behaviour = Behaviour::parse(words);
        let behaviour = behaviour.ok_or_else(|| {
            mistake(
                "a version is good, exits-at-once, hangs, dies-after SPAN or unhealthy-after SPAN",
            )
        })?;
        self.around.behaviours.insert((name(component)?, name(version)?), behaviour);
        Ok(())
    }

    fn registry(&mut self, away: bool) -> Done {
        self.around.registry_away = away;
        Ok(())
    }

    /// Lets time pass until nothing new is seen, and then says what is waited for.
    pub(super) fn run(&mut self) -> Done {
        let mut seen = self.kinds();
        let mut quiet_since = self.now;
        self.settle()?;
        while let Some(next) = self.next_at().filter(|_| !self.halted()) {
            let kinds = self.kinds();
            if kinds.len() > seen.len() {
                (seen, quiet_since) = (kinds, self.now);
            }
            if next.since_ms(quiet_since) > QUIET_MS {
                break;
            }
            self.advance(next)?;
        }
        let waits = self.controller.rollout.as_ref().is_some_and(|rollout| !rollout.is_ended());
        if waits && !self.halted() {
            self.lines.push(format!("         waits for {}", self.controller.waits_for));
        }
        Ok(())
    }

    /// The same, of which only the last line is printed.
    fn run_quietly(&mut self) -> Done {
        self.run()?;
        let last = self.lines.len().saturating_sub(1);
        self.lines.drain(..last);
        Ok(())
    }

    /// The lines without their time.
    fn kinds(&self) -> std::collections::BTreeSet<String> {
        let untimed = |line: &String| line.split_once(' ').map(|(_, rest)| rest.to_owned());
        self.lines.iter().filter_map(untimed).collect()
    }

    fn show_table(&mut self, table: &str) -> Done {
        let lines = self.table(table).ok_or_else(|| mistake(format!("no table {table}")))?;
        self.lines.extend(lines);
        Ok(())
    }

    fn on_place(
        &mut self,
        node: &str,
        component: &str,
        deed: impl FnOnce(&mut Place, Moment<'_>),
    ) -> Done {
        let host = self.hosts.get_mut(&name::<NodeName>(node)?);
        let host = host.ok_or_else(|| mistake(format!("there is no node {node}")))?;
        let place = host.places.entry(name(component)?).or_default();
        deed(place, Moment { now: self.now, around: &self.around });
        Ok(())
    }

    fn on_agent(&mut self, node: &str, deed: impl FnOnce(&mut super::agent::Agent)) -> Done {
        let agent = self.agents.get_mut(&name::<NodeName>(node)?);
        deed(agent.ok_or_else(|| mistake(format!("there is no node {node}")))?);
        Ok(())
    }

    /// The agent's state folder is deleted and the agent started anew.
    fn forget(&mut self, node: &NodeName) -> Done {
        let (Some(agent), Some(host)) = (self.agents.get_mut(node), self.hosts.get_mut(node))
        else {
            return Err(mistake(format!("there is no node {node}")));
        };
        agent.forget();
        agent.running = true;
        for place in host.places.values_mut() {
            place.documents = super::host::Documents::default();
        }
        Ok(())
    }

    fn reboot(&mut self, node: &NodeName) -> Done {
        let (Some(agent), Some(host)) = (self.agents.get_mut(node), self.hosts.get_mut(node))
        else {
            return Err(mistake(format!("there is no node {node}")));
        };
        agent.kill();
        let up_at = self.now.plus_ms(BOOT_MS);
        let moment = Moment { now: self.now, around: &self.around };
        host.places.values_mut().for_each(|place| place.boot(moment, up_at));
        agent.running = true;
        Ok(())
    }

    /// Plays what follows once for every effect of the node's agent, each time
    /// with the deed befalling it right before that effect; then goes on as if
    /// nothing had befallen it.
    fn at_each_step(&mut self, node: &NodeName, deed: &str) -> Done {
        let mut lines = Vec::new();
        let begun = self.effects.get(node).map_or(0, Vec::len);
        for number in begun.. {
            self.halt_before = Some((node.clone(), number));
            self.run()?;
            let Some((component, effect)) = self.due_effect(node).filter(|_| self.halted()) else {
                break;
            };
            let mut disturbed = self.clone();
            disturbed.halt_before = None;
            let befallen = disturbed.befall(node, &component, deed).and_then(|()| disturbed.run());
            befallen.map_err(|error| error.while_("before", effect.words()))?;
            let end = disturbed.end_of(node, &component);
            lines.push(format!("  before {:<42} {end}", effect.words()));
        }
        self.halt_before = None;
        self.lines = lines;
        Ok(())
    }

    fn befall(&mut self, node: &NodeName, component: &ComponentName, deed: &str) -> Done {
        self.stirred = true;
        let (deed, then) = deed.split_once(", then ").unwrap_or((deed, ""));
        match deed {
            "kill" => self.on_agent(node.as_str(), super::agent::Agent::kill)?,
            "forget" => self.forget(node)?,
            "reboot" => self.reboot(node)?,
            _ => {
                return Err(mistake(format!(
                    "a step can be met by kill, forget or reboot, not {deed}"
                )));
            }
        }
        self.advance(self.now.plus_ms(AWAY_MS))?;
        self.on_agent(node.as_str(), |agent| agent.running = true)?;
        self.stirred = true;
        match then.strip_suffix(" calls") {
            Some(calls) => self.hold_calls(node, component, calls),
            None if then.is_empty() => Ok(()),
            None => Err(mistake(format!("what comes then can be 12 calls, not {then}"))),
        }
    }

    /// So many calls come up on what runs, and end a while later.
    fn hold_calls(&mut self, node: &NodeName, component: &ComponentName, calls: &str) -> Done {
        let calls = calls.parse().map_err(|_| mistake("no number"))?;
        for calls in [calls, 0] {
            self.on_place(node.as_str(), component.as_str(), |place, _| {
                if place.running().is_some() {
                    place.calls = Calls::Up(calls);
                }
            })?;
            self.stirred = true;
            self.advance(self.now.plus_ms(CALLS_MS))?;
        }
        Ok(())
    }

    fn end_of(&self, node: &NodeName, component: &ComponentName) -> String {
        let report = self.agents.get(node).and_then(|agent| agent.report.as_ref());
        let instance = report.and_then(|report| report.instances.get(component));
        let stand = instance.map_or_else(|| "gone".to_owned(), show::stand);
        let state = self.controller.rollout.as_ref().map(|rollout| &rollout.state);
        format!("{:<11} {stand}", show::rollout_word(state))
    }
}

/// `docker rm --force` of the running container.
fn remove_by_hand(place: &mut Place, moment: Moment<'_>) {
    let Some(id) = place.running().map(|running| running.id.clone()) else { return };
    place.rob("removed", 137, moment);
    place.containers.retain(|container| container.id != id);
}
