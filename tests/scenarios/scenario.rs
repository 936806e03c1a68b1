//! Stories of operators as text: commands, each with its output below. They are played
//! by the real controller, agents and supervisors, all in one thread, on models of
//! hosts. The clock advances only when there is nothing else to do.
//!
//! | command | what it does |
//! |---|---|
//! | `nodes acme-data=data acme-voice=voice` | enrols nodes with their roles |
//! | `tenant <<END` … `END`, `apply` | the specification, and sending it |
//! | `set asterisk=230215.01`, `rollback 3` | the other changes of an operator |
//! | `version asterisk 230215.01 hangs` | also `exits-at-once`, `dies-after 4s`, `unhealthy-after 4s`, `good` |
//! | `operations of web fail` | those that run from now on; also `hang`, `succeed` |
//! | `reload of web fails` | the next one |
//! | `certificate renewed` | the tenant's, by its operator |
//! | `calls acme-voice asterisk 12` | the result of a count; also `unknown` |
//! | `registry away`, `registry back` | pulls fail, and work again |
//! | `node acme-voice lost`, `… back` | its network; also `removed`, `joins again` |
//! | `agent acme-voice killed`, `… started`, `… forgets` | its process; its state folder |
//! | `reboot acme-voice` | the host |
//! | `docker rm acme-voice asterisk` | also `stop`, `kill`: by hand, on the host |
//! | `docker copy acme-voice asterisk dbg` | a copy of the running container, as by `commit` and `run`; also `rename` |
//! | `systemctl stop acme-voice asterisk` | also `start`, `restart`: by hand, on the host |
//! | `foreign acme-voice asterisk unit asterisk.service`, `… gone` | something that is not ours |
//! | `port acme-voice 5060/udp taken`, `… free` | a program that is not ours listens there |
//! | `policy acme-voice realtime = true`, `… none` | the file in which the host says what containers may have |
//! | `tick 30s`, `run`, `run quietly` | time passes: so long, or until nothing new is seen |
//! | `at each step of acme-voice: kill` | the story so far and what follows, once for every failpoint that its agent reaches, killed there; also `forget`, `reboot`, `kill, then 12 calls` |
//! | `show rollout` | also `nodes`, `containers`, `volumes`, `revisions`, `diff`, `spec` |

use std::time::Duration;

use oml_common::id::NodeName;
use tokio::task::LocalSet;

mod change_watch;
mod controller;
mod invariants;
mod node;
mod script;
mod seen;
mod show;
mod sockets;
mod stage;
mod verbs;
mod watchdog;
mod world;

pub(crate) use invariants::planted::{Planted, histories};
use script::{Command, Part};
use seen::Seen;
use watchdog::Watchdog;
use world::World;

/// The most steps that one change may have; a change with more is taken to be endless.
const STEPS_MAX: usize = 200;

/// Why a script could not be played to its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ScenarioError {
    /// The script itself is wrong.
    #[error("line {line}: {message}")]
    Mistake {
        /// The line in the script, counted from 1.
        line: usize,
        message: String,
    },
    /// Something happened that must never happen.
    #[error("what must never happen has happened: {0}")]
    Broken(String),
}

/// Plays a script; returns it with what its commands print now.
///
/// # Errors
/// A script that cannot be played, or a broken invariant.
pub(crate) fn play(name: &str, script: &str) -> Result<String, ScenarioError> {
    let parts = script::parse(script)?;
    in_a_world(name, async |world| {
        let mut played = String::new();
        let mut before = Vec::new();
        for part in &parts {
            match part {
                Part::Prose(text) => played += &format!("{text}\n"),
                Part::Command(command) => {
                    played += &script::print(command);
                    world.lines.clear();
                    let obeyed = match at_each_step(command)? {
                        Some((node, disturbance)) => {
                            let replays = Replays {
                                name,
                                before: &before,
                                node: &node,
                                disturbance: &disturbance,
                            };
                            disturb(world, replays).await
                        }
                        None => world.obey(command).await,
                    };
                    obeyed.map_err(|error| error.below(command.line, &world.lines))?;
                    for line in &world.lines {
                        played += &format!("{line}\n");
                    }
                    before.push(command.clone());
                }
            }
        }
        Ok(played)
    })
}

/// Runs a story in a world of its own. It has one thread, whose clock advances only when
/// there is nothing else to do.
fn in_a_world<T>(
    name: &str,
    story: impl AsyncFnOnce(&mut World) -> Result<T, ScenarioError>,
) -> Result<T, ScenarioError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .map_err(|error| verbs::mistake(error.to_string()))?;
    let seen = Seen::new();
    let last_seen = seen.clone();
    let _watchdog =
        Watchdog::of(runtime.handle().clone(), name.to_owned(), move || last_seen.last());
    LocalSet::new().block_on(&runtime, async {
        let mut world = World::new(seen).await;
        story(&mut world).await
    })
}

/// Makes the time of a world stand still, and returns when the watchdog has found it.
pub(crate) fn finds_a_livelock() -> bool {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let Ok(runtime) = runtime.start_paused(true).enable_all().build() else { return false };
    let (found, mut is_found) = tokio::sync::oneshot::channel();
    let watchdog = Watchdog::with_limit(
        runtime.handle().clone(),
        Duration::from_millis(200),
        // The loop below holds the receiver until it has heard this.
        move || {
            let _heard = found.send(()).is_ok();
        },
    );
    runtime.block_on(async {
        while is_found.try_recv() == Err(tokio::sync::oneshot::error::TryRecvError::Empty) {
            tokio::task::yield_now().await;
        }
    });
    drop(watchdog);
    true
}

/// Returns the node and the disturbance of `at each step of NODE: DISTURBANCE`, or `None` for another
/// command.
fn at_each_step(command: &Command) -> Result<Option<(NodeName, String)>, ScenarioError> {
    let Some(rest) = command.text.strip_prefix("at each step of ") else { return Ok(None) };
    let (node, disturbance) =
        rest.split_once(": ").ok_or_else(|| verbs::mistake("no disturbance"))?;
    Ok(Some((verbs::name(node)?, disturbance.to_owned())))
}

/// A story that is played again, and disturbed at one failpoint each time.
#[derive(Debug, Clone, Copy)]
struct Replays<'a> {
    /// The name of the story.
    name: &'a str,
    /// The commands so far.
    before: &'a [Command],
    /// The node whose agent is disturbed.
    node: &'a NodeName,
    /// What happens to the node, as [`World::disturb`] reads it.
    disturbance: &'a str,
}

/// Plays the story so far, and what follows, once for every failpoint that the
/// node's agent reaches, each time disturbed there. Then the story itself goes on
/// undisturbed.
async fn disturb(world: &mut World, replays: Replays<'_>) -> Result<(), ScenarioError> {
    let mut lines = Vec::new();
    for number in 0..STEPS_MAX {
        let replay = || replay(replays, number);
        // A thread of its own, because a world needs one.
        let replayed = std::thread::scope(|scope| scope.spawn(replay).join());
        let replayed = replayed.map_err(|_panic| verbs::mistake("a replay ended with a panic"))?;
        let Some(line) = replayed? else { break };
        lines.push(line);
    }
    world.run().await?;
    world.lines = lines;
    Ok(())
}

/// Plays one disturbed replay and returns its line, or `None` if the agent reaches no
/// failpoint of that number.
fn replay(replays: Replays<'_>, number: usize) -> Result<Option<String>, ScenarioError> {
    let Replays { name, before, node, disturbance } = replays;
    in_a_world(&format!("{name}, disturbed at step {number}"), async |world| {
        for command in before {
            match at_each_step(command)? {
                Some(_) => world.run().await?,
                None => world.obey(command).await?,
            }
        }
        world.lines.clear();
        let failpoints = world.nodes.get(node).map(|node| node.failpoints.clone());
        let failpoints = failpoints.ok_or_else(|| verbs::mistake(format!("no node {node}")))?;
        failpoints.arm(number);
        world.run().await?;
        let Some((place, component)) = failpoints.hit() else { return Ok(None) };
        let there = async {
            failpoints.disarm();
            world.disturb(node, &component, disturbance).await?;
            // What was under way may need its time before anything new is seen.
            world.advance(Duration::from_secs(1)).await?;
            world.run().await
        };
        there.await.map_err(|error| error.while_("at", &place))?;
        let end = world.end_of(node, &component);
        Ok(Some(format!("  {place:<3} {:<13} {:<36} {end}", component, meaning(&place))))
    })
}

/// Returns what an agent has done when it reaches a place.
fn meaning(place: &str) -> &'static str {
    match place {
        "A0" => "intent recorded",
        "A1" => "image pulled",
        "A2" => "about to create the container",
        "A3" => "container created",
        "A4" => "next document written",
        "A5" => "unit written and loaded",
        "A6" => "drain begun",
        "A7" => "gate passed",
        "A8" => "about to switch",
        "A9" => "old version stopped",
        "A10" => "start has ended",
        "A11" => "soak is over",
        "A12" => "commit recorded",
        "A13" => "older containers removed",
        "L1" => "files written",
        "L2" => "program has taken them over",
        "L3" => "document of the new files written",
        "L4" => "former files written",
        "M1" => "container of a run created",
        "M2" => "order of the run written",
        "M3" => "run begun",
        "M4" => "result of the run written",
        "R1" => "about to roll back",
        "R2" => "previous document is current again",
        "R3" => "start of the previous version ended",
        "R4" => "rollback recorded",
        _ => "",
    }
}

impl ScenarioError {
    /// Adds the line of the script, and what was printed before.
    fn below(self, line: usize, printed: &[String]) -> Self {
        match self {
            Self::Mistake { message, .. } => Self::Mistake { line, message },
            Self::Broken(what) => {
                let tail = &printed[printed.len().saturating_sub(12)..];
                Self::Broken(format!("line {line}: {what}\n{}", tail.join("\n")))
            }
        }
    }

    /// Adds the circumstances.
    fn while_(self, preposition: &str, circumstances: &str) -> Self {
        match self {
            Self::Mistake { line, message } => Self::Mistake { line, message },
            Self::Broken(what) => {
                Self::Broken(format!("{what} (disturbed {preposition} {circumstances})"))
            }
        }
    }
}
