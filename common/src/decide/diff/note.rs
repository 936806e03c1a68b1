//! What differs between two plans, as people read it.

use std::collections::BTreeSet;
use std::fmt::{Display, Formatter, Result};

use crate::document::assignment::OnDeadline;
use crate::document::plan::OnFailure;
use crate::id::{EnvName, OperationName, Repository, SecretName};
use crate::time::print_duration_ms;

/// A part of an instance that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeNote {
    /// At least one side is of a later release.
    Unreadable,
    /// It may carry calls that nobody counts, and it is stopped.
    CutsCalls,
    UnitSettings,
    Probes,
    /// What is checked in the new image.
    Checks,
    /// These checks run in the new image before anything is stopped, or with the new files before they are
    /// placed.
    CheckedFirst(Vec<OperationName>),
    /// What runs once before its first start.
    Preparations,
    /// These run once before its first start.
    PreparedFirst(Vec<OperationName>),
    /// What runs once before another image starts.
    Migrations,
    /// These run once with the new image while the old version goes on.
    MigratedFirst(Vec<OperationName>),
    /// After these no earlier version can run.
    Irreversible(Vec<OperationName>),
    /// The version is the same, and its tag names another image now.
    OtherImage,
    /// These variables differ. Their values may be private.
    Environment(BTreeSet<EnvName>),
    /// It gets this version of a secret of the controller.
    Secret(SecretName, u64),
    /// Its program takes these files and versions of secrets over while it runs.
    Reloaded {
        /// Their places in the container.
        files: Vec<String>,
        secrets: Vec<(SecretName, u64)>,
        /// Whether it reads them when it is started next, and not before.
        at_next_start: bool,
    },
    /// These files differ, by their places in the container, and it is replaced for something else.
    Files(Vec<String>),
    /// How its program is asked to take over files.
    ReloadCommand,
    ContainerSettings,
    /// Where its image is pulled from.
    PulledFrom(Repository),
    /// The version of the secret with which its image is pulled; none if there is no login any more.
    PulledWith(Option<(SecretName, u64)>),
    /// These options of the container differ, by their words in a catalog.
    Options(Vec<&'static str>),
    Time {
        limit: TimeLimit,
        was_ms: u64,
        is_ms: u64,
    },
    OnDeadline {
        was: OnDeadline,
        is: OnDeadline,
        /// What it means for the instance; none if it is not drained.
        counted: Option<AtDeadline>,
    },
}

/// A limit of an instance that is a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeLimit {
    MinHealthyFor,
    DrainDeadline,
    StartTimeout,
    StopGrace,
}

/// What an instance counts, and how long it is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AtDeadline {
    pub noun: String,
    pub after_ms: u64,
}

/// A setting that differs in how a rollout goes through the nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StrategyChange {
    MaxParallel { was: u32, is: u32 },
    OnFailure { was: OnFailure, is: OnFailure },
}

impl TimeLimit {
    /// Returns the word for it in a specification.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MinHealthyFor => "min_healthy_for",
            Self::DrainDeadline => "drain_deadline",
            Self::StartTimeout => "start_timeout",
            Self::StopGrace => "stop_grace",
        }
    }
}

impl Display for ChangeNote {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Unreadable => f.write_str("only a newer release of the controller can read it"),
            Self::CutsCalls => f.write_str("not drained: calls through it are cut"),
            Self::UnitSettings => f.write_str("unit settings"),
            Self::Probes => f.write_str("probes"),
            Self::Checks => f.write_str("checks"),
            Self::CheckedFirst(names) => first(f, "checked", names),
            Self::Preparations => f.write_str("preparations"),
            Self::PreparedFirst(names) => first(f, "prepared", names),
            Self::Migrations => f.write_str("migrations"),
            Self::MigratedFirst(names) => first(f, "migrated", names),
            Self::Irreversible(names) => {
                let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
                write!(f, "no way back after {}", names.join(" "))
            }
            Self::OtherImage => f.write_str("same tag, another image"),
            Self::Environment(names) => {
                let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
                write!(f, "environment {}", names.join(" "))
            }
            Self::Secret(name, version) => write!(f, "secret {name} version {version}"),
            Self::Reloaded { files, secrets, at_next_start: false } => {
                f.write_str("reloaded without a restart: ")?;
                reloaded(f, files, secrets)
            }
            Self::Reloaded { files, secrets, at_next_start: true } => {
                f.write_str("written without a restart, and read at its next start: ")?;
                reloaded(f, files, secrets)
            }
            Self::Files(paths) => write!(f, "files {}", paths.join(" ")),
            Self::ReloadCommand => f.write_str("reload settings"),
            Self::ContainerSettings => f.write_str("container settings"),
            Self::PulledFrom(repository) => write!(f, "pulled from {repository}"),
            Self::PulledWith(Some((name, version))) => {
                write!(f, "pulled with secret {name} version {version}")
            }
            Self::PulledWith(None) => f.write_str("pulled without a login of the tenant"),
            Self::Options(words) => f.write_str(&words.join(", ")),
            Self::Time { limit, was_ms, is_ms } => {
                let (was, is) = (print_duration_ms(*was_ms), print_duration_ms(*is_ms));
                write!(f, "{} {was} -> {is}", limit.as_str())
            }
            Self::OnDeadline { was, is, counted } => {
                write!(f, "on_deadline {} -> {}", was.as_str(), is.as_str())?;
                counted.as_ref().map_or(Ok(()), |counted| at_deadline(f, *is, counted))
            }
        }
    }
}

/// Says what a program takes over while it runs.
fn reloaded(f: &mut Formatter<'_>, files: &[String], secrets: &[(SecretName, u64)]) -> Result {
    let secrets = secrets.iter().map(|(name, version)| format!("secret {name} version {version}"));
    let files = files.iter().map(|path| format!("file {path}"));
    let parts: Vec<String> = secrets.chain(files).collect();
    f.write_str(&parts.join(" and "))
}

/// Says by what a component is checked or changed before it starts.
fn first(f: &mut Formatter<'_>, what: &str, names: &[OperationName]) -> Result {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    write!(f, "{what} first by {}", names.join(" "))
}

/// Says what happens at the drain deadline to what an instance counts.
fn at_deadline(f: &mut Formatter<'_>, on_deadline: OnDeadline, counted: &AtDeadline) -> Result {
    let (noun, after) = (&counted.noun, print_duration_ms(counted.after_ms));
    match on_deadline {
        OnDeadline::Abort => {
            write!(f, ": if {noun} are still up after {after}, the change fails and cuts none")
        }
        OnDeadline::Wait => {
            write!(f, ": the change waits until all {noun} have ended, also after {after}")
        }
        OnDeadline::Cut => write!(f, ": {noun} that are still up after {after} are cut"),
    }
}

impl Display for StrategyChange {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::MaxParallel { was, is } => write!(f, "max_parallel {was} -> {is}"),
            Self::OnFailure { was, is } => {
                let meaning = match is {
                    OnFailure::Rollback => {
                        "a rollout whose new version fails is rolled back on all its nodes"
                    }
                    OnFailure::Pause => "a rollout whose new version fails pauses, and you decide",
                };
                write!(f, "on_failure {} -> {}: {meaning}", was.as_str(), is.as_str())
            }
        }
    }
}

#[cfg(test)]
mod tests;
