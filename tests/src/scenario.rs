//! Stories of operators as text: commands with what they print right below,
//! played over `plan`, `step`, `assign` and `reconcile` with simulated hosts.
//!
//! Pure: no clock, no file, no socket. The same script gives the same bytes.

use oml_common::catalog::Catalog;

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
        /// What is wrong.
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
