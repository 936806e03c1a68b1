//! The commands about hosts: what somebody types on one, and what happens to one.

use std::time::Duration;

use oml_common::id::NodeName;

use super::{Done, mistake, name, no_node};
use crate::scenario::sockets::parse_port;
use crate::scenario::stage::{Calls, component_of};
use crate::scenario::world::World;

/// The time from the kill of an agent to its next start, in `at each step`.
const AWAY: Duration = Duration::from_secs(10);
/// The duration of the calls that come after an agent's start, in `at each step`.
const CALLS: Duration = Duration::from_secs(60);

impl World {
    /// Carries out a command about a host.
    pub(super) async fn obey_on_host(&mut self, words: &[&str]) -> Done {
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
            ["docker", verb @ ("copy" | "rename"), node, component, other] => {
                self.docker_to(verb, node, component, other)
            }
            ["systemctl", verb @ ("stop" | "start" | "restart"), node, component] => {
                self.by_hand(node, component)?;
                let unit = format!("{component}.service");
                let asked = self.node(node)?.host.systemctl(verb, &unit);
                asked.map(drop).map_err(|error| mistake(error.to_string()))
            }
            ["foreign", node, component, what @ ..] => self.foreign(node, component, what),
            ["port", node, port, state @ ("taken" | "free")] => {
                let port = parse_port(port).ok_or_else(|| mistake("a port is 5060/udp"))?;
                self.node(node)?.sockets.set_taken(port, *state == "taken");
                Ok(())
            }
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
            ["policy", node, text @ ..] => self.policy(node, text),
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

    /// Runs `docker rm --force`, `stop` or `kill` for the running container of a component.
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
                // The stop takes time, and the story goes on meanwhile.
                _ => drop(tokio::spawn(async move { host.stop_by_hand(&id).await })),
            }
        })
    }

    /// Copies the running container of a component, or gives it another name.
    fn docker_to(&mut self, verb: &str, node: &str, component: &str, other: &str) -> Done {
        let mut done = Ok(());
        self.with_running(node, component, |node, running| {
            done = match verb {
                "copy" => node.host.copy_by_hand(&running.id, other).map(drop),
                _ => node.host.rename_by_hand(&running.id, other),
            };
        })?;
        done.map_err(|error| mistake(error.to_string()))
    }

    /// Records that somebody on the host ends the running container of a component.
    fn by_hand(&mut self, node: &str, component: &str) -> Done {
        let name = name(node)?;
        let running = self.node(node)?.host.containers().into_iter();
        let running = running.filter(|c| c.is_running() && component_of(c) == component);
        for container in running {
            self.watch.ended_by_hand(&name, &container.id);
        }
        Ok(())
    }

    /// Writes what a host allows, or removes the file.
    fn policy(&mut self, node: &str, text: &[&str]) -> Done {
        let path = self.node(node)?.paths.policy();
        let folder = path.parent().unwrap_or(&path);
        let done = match text {
            ["none"] => std::fs::remove_file(&path),
            text => std::fs::create_dir_all(folder)
                .and_then(|()| std::fs::write(&path, format!("{}\n", text.join(" ")))),
        };
        done.map_err(|error| mistake(error.to_string()))
    }

    /// Writes a unit file without our mark, or removes it again.
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
    pub(in crate::scenario) async fn disturb(
        &mut self,
        node: &NodeName,
        component: &str,
        disturbance: &str,
    ) -> Done {
        let (disturbance, then) = disturbance.split_once(", then ").unwrap_or((disturbance, ""));
        match disturbance {
            "kill" => self.node(node.as_str())?.kill(),
            "forget" => self.node(node.as_str())?.forget(),
            "reboot" => {
                self.node(node.as_str())?.kill();
                self.reboot(node).await?;
            }
            _ => {
                return Err(mistake(format!(
                    "a step can be met by kill, forget or reboot, not {disturbance}"
                )));
            }
        }
        if disturbance != "reboot" {
            self.advance(AWAY).await?;
            self.start_agent(node);
        }
        match then.strip_suffix(" calls") {
            Some(calls) => self.hold_calls(node, component, calls).await,
            None if then.is_empty() => Ok(()),
            None => Err(mistake(format!("what comes then can be 12 calls, not {then}"))),
        }
    }

    /// Puts calls on the running container, and ends them a while later.
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
