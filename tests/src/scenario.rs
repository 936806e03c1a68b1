//! Stories of operators as text: commands with what they print right below,
//! played over `plan`, `step`, `assign` and `reconcile` with simulated hosts.
//!
//! Pure: no clock, no file, no socket. The same script gives the same bytes.
//!
//! | command | what it does |
//! |---|---|
//! | `nodes acme-data=data acme-voice=voice` | enrols nodes with their roles |
//! | `tenant <<END` … `END`, `apply` | the specification, and sending it |
//! | `set asterisk=230215.01`, `rollback 3` | the other changes of an operator |
//! | `version asterisk 230215.01 hangs` | also `exits-at-once`, `dies-after 4s`, `unhealthy-after 4s`, `good` |
//! | `calls acme-voice asterisk 12` | what a count would give; also `unknown` |
//! | `registry away`, `registry back` | fetches fail, and work again |
//! | `node acme-voice lost`, `… back` | its network |
//! | `agent acme-voice killed`, `… started`, `… forgets` | its process; its state folder |
//! | `reboot acme-voice` | the host |
//! | `docker rm acme-voice asterisk` | also `stop`, `kill`: by hand, on the host |
//! | `systemctl stop acme-voice asterisk` | also `start`, `restart`: by hand, on the host |
//! | `foreign acme-voice asterisk unit asterisk.service`, `… gone` | something that is not ours |
//! | `tick 30s`, `run`, `run quietly` | time passes: so long, or until nothing new is seen |
//! | `at each step of acme-voice: kill` | what follows, once for every effect of its agent, killed before it; also `forget`, `reboot`, `kill, then 12 calls` |
//! | `show rollout` | also `nodes`, `containers`, `volumes`, `revisions`, `diff` |

use oml_common::document::catalog::Catalog;

mod agent;
mod behaviour;
mod controller;
mod flight;
mod host;
mod invariants;
mod script;
mod show;
mod verbs;
mod world;

use script::Part;
use world::World;

/// The catalog that tenants of scripts are made from.
const CATALOG: &str = include_str!("../../catalog/omnileads.yaml");

/// Why a script could not be played to its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScenarioError {
    /// The script itself is wrong.
    #[error("line {line}: {message}")]
    Mistake {
        /// Its line, counted from 1.
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
pub fn play(script: &str) -> Result<String, ScenarioError> {
    let catalog = Catalog::parse(CATALOG).map_err(|problems| ScenarioError::Mistake {
        line: 0,
        message: format!("the catalog: {problems}"),
    })?;
    let mut world = World::new(catalog);
    let mut played = String::new();
    for part in script::parse(script)? {
        match part {
            Part::Prose(text) => played += &format!("{text}\n"),
            Part::Command(command) => {
                played += &script::print(&command);
                world.lines.clear();
                let obeyed = world.obey(&command);
                obeyed.map_err(|error| error.below(command.line, &world.lines))?;
                for line in &world.lines {
                    played += &format!("{line}\n");
                }
            }
        }
    }
    Ok(played)
}

impl ScenarioError {
    /// Adds where in the script it was, and what was printed before.
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
