//! What an agent has to be able to do for an instance.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use crate::document::instance::{Check, Container, Instance, Workload};

/// One thing that an agent of some release learned to do.
///
/// An agent says in its greeting which ones it knows, and the controller plans
/// nothing for its node that needs another. A name, once released, keeps its
/// meaning for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Feature {
    Container,
    /// Passes arguments in place of those of the image.
    ContainerCommand,
    /// Limits the memory of a container.
    MemoryLimit,
    /// Mounts volumes and folders.
    Volumes,
    /// Puts secrets of the host into a container's environment.
    HostSecrets,
    /// Runs units that a package brought.
    PackagedUnit,
    /// Asks over HTTP.
    ProbeHttp,
    /// Asks by opening a TCP connection.
    ProbeTcp,
    /// Asks by SIP OPTIONS over UDP.
    ProbeSipOptions,
    /// Asks by Redis PING.
    ProbeRedis,
    /// Asks by a PostgreSQL start-up message.
    ProbePostgres,
    /// Asks by a command inside the container.
    ProbeExec,
    /// Asks systemd for the state of the unit.
    ProbeUnitActive,
    /// Counts calls by a command inside the container.
    ActiveCount,
}

/// A word that names no feature known to this release.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a feature known to this release")]
pub struct UnknownFeature(String);

impl Feature {
    /// Every feature that this release knows.
    pub const ALL: [Self; 14] = [
        Self::Container,
        Self::ContainerCommand,
        Self::MemoryLimit,
        Self::Volumes,
        Self::HostSecrets,
        Self::PackagedUnit,
        Self::ProbeHttp,
        Self::ProbeTcp,
        Self::ProbeSipOptions,
        Self::ProbeRedis,
        Self::ProbePostgres,
        Self::ProbeExec,
        Self::ProbeUnitActive,
        Self::ActiveCount,
    ];

    /// Its name in greetings and messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::ContainerCommand => "container-command",
            Self::MemoryLimit => "memory-limit",
            Self::Volumes => "volumes",
            Self::HostSecrets => "host-secrets",
            Self::PackagedUnit => "packaged-unit",
            Self::ProbeHttp => "probe-http",
            Self::ProbeTcp => "probe-tcp",
            Self::ProbeSipOptions => "probe-sip-options",
            Self::ProbeRedis => "probe-redis",
            Self::ProbePostgres => "probe-postgres",
            Self::ProbeExec => "probe-exec",
            Self::ProbeUnitActive => "probe-unit-active",
            Self::ActiveCount => "active-count",
        }
    }

    /// The features that a word list names; words of later releases are left out.
    #[must_use]
    pub fn known<'a>(words: impl IntoIterator<Item = &'a str>) -> BTreeSet<Self> {
        words.into_iter().filter_map(|word| word.parse().ok()).collect()
    }
}

impl FromStr for Feature {
    type Err = UnknownFeature;

    fn from_str(word: &str) -> Result<Self, UnknownFeature> {
        let found = Self::ALL.into_iter().find(|feature| feature.as_str() == word);
        found.ok_or_else(|| UnknownFeature(word.chars().take(80).collect()))
    }
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Instance {
    /// What an agent has to be able to do to run this instance.
    #[must_use]
    pub fn needs(&self) -> BTreeSet<Feature> {
        let mut needs = match &*self.workload {
            Workload::Container(container) => of_container(container),
            Workload::Unit(_) => BTreeSet::from([Feature::PackagedUnit]),
        };
        needs.insert(of_check(&self.probe.check));
        if self.active.is_some() {
            needs.insert(Feature::ActiveCount);
        }
        needs
    }
}

fn of_container(container: &Container) -> BTreeSet<Feature> {
    // Whoever adds a field decides here whether it takes a feature.
    let Container {
        name: _,
        version: _,
        repository: _,
        digest: _,
        env: _,
        secrets,
        volumes,
        command,
        memory_bytes_max,
    } = container;
    let asked = [
        (true, Feature::Container),
        (!secrets.is_empty(), Feature::HostSecrets),
        (!volumes.is_empty(), Feature::Volumes),
        (!command.is_empty(), Feature::ContainerCommand),
        (memory_bytes_max.is_some(), Feature::MemoryLimit),
    ];
    asked.into_iter().filter_map(|(is_asked, feature)| is_asked.then_some(feature)).collect()
}

fn of_check(check: &Check) -> Feature {
    match check {
        Check::Http { .. } => Feature::ProbeHttp,
        Check::Tcp { .. } => Feature::ProbeTcp,
        Check::SipOptions { .. } => Feature::ProbeSipOptions,
        Check::Redis { .. } => Feature::ProbeRedis,
        Check::Postgres { .. } => Feature::ProbePostgres,
        Check::Exec { .. } => Feature::ProbeExec,
        Check::UnitActive => Feature::ProbeUnitActive,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feature_is_read_by_the_name_it_is_written_with() {
        for feature in Feature::ALL {
            assert_eq!(feature.as_str().parse(), Ok(feature));
        }
        let unique: BTreeSet<&str> = Feature::ALL.iter().map(|feature| feature.as_str()).collect();
        assert_eq!(unique.len(), Feature::ALL.len());
    }

    #[test]
    fn words_of_later_releases_are_left_out() {
        let known = Feature::known(["container", "teleport", "probe-tcp"]);
        assert_eq!(known, BTreeSet::from([Feature::Container, Feature::ProbeTcp]));
    }
}
