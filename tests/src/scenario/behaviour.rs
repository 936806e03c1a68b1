//! How a version behaves once it is started, and how long things take on a
//! simulated host.

use std::collections::BTreeMap;

use oml_common::document::instance::InstanceDocument;
use oml_common::id::{ComponentName, Version};
use oml_common::time::parse_duration_ms;

/// From its start to a program's first answer.
pub(super) const ANSWER_MS: u64 = 1_000;
/// From its start to the end of a program that ends at once.
pub(super) const EXIT_MS: u64 = 200;
/// From the stop signal to a program's end.
pub(super) const STOP_MS: u64 = 300;
/// From a program's end to its next start by systemd.
pub(super) const RESTART_PAUSE_MS: u64 = 1_000;
/// From power-off to the first unit's start.
pub(super) const BOOT_MS: u64 = 10_000;
/// An image's way from the registry.
pub(super) const PULL_MS: u64 = 4_000;
/// Starts within [`STARTS_INTERVAL_MS`] after which systemd gives up.
pub(super) const STARTS_MAX: usize = 6;
/// The time in which [`STARTS_MAX`] starts are allowed.
pub(super) const STARTS_INTERVAL_MS: u64 = 120_000;

/// What a version does once it is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Behaviour {
    /// Answers, and goes on answering.
    Good,
    /// Ends with status 1 before it answers.
    ExitsAtOnce,
    Hangs,
    /// Answers, and ends with status 1 so long after its start.
    DiesAfter(u64),
    /// Answers, and stops answering so long after its start.
    UnhealthyAfter(u64),
}

impl Behaviour {
    /// Reads `good`, `exits-at-once`, `hangs`, `dies-after 4s` or `unhealthy-after 4s`.
    pub(super) fn parse(words: &[&str]) -> Option<Self> {
        match words {
            ["good"] => Some(Self::Good),
            ["exits-at-once"] => Some(Self::ExitsAtOnce),
            ["hangs"] => Some(Self::Hangs),
            ["dies-after", span] => parse_duration_ms(span).ok().map(Self::DiesAfter),
            ["unhealthy-after", span] => parse_duration_ms(span).ok().map(Self::UnhealthyAfter),
            _ => None,
        }
    }
}

/// What every host finds around it.
#[derive(Debug, Clone, Default)]
pub(super) struct Surroundings {
    /// Versions that are not simply good.
    pub(super) behaviours: BTreeMap<(ComponentName, Version), Behaviour>,
    /// The registry does not answer.
    pub(super) registry_away: bool,
}

impl Surroundings {
    /// How an instance behaves; packaged units are always good.
    pub(super) fn behaviour(&self, instance: &InstanceDocument) -> Behaviour {
        let version = instance.version().cloned();
        let key = version.map(|version| (instance.component.clone(), version));
        key.and_then(|key| self.behaviours.get(&key)).copied().unwrap_or(Behaviour::Good)
    }
}
