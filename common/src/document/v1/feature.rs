//! The features that an agent needs to run an instance.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use crate::document::Document;
use crate::document::instance::{
    ActiveProbe, ActiveSource, ActiveTotal, Check, Container, HttpDetails, Instance,
    OperationCommand, OperationStep, PackagedUnit, Port, Probe, Protocol, RegistryLogin, Timing,
    Volume, WebSocketDetails, Workload,
};
use crate::text::printable::shortened;

mod options;
mod policy;

/// An ability of an agent that earlier releases of it lack.
///
/// An agent sends the features that it knows in its greeting. The controller
/// refuses to plan an instance for a node whose agent lacks a feature that the
/// instance needs. The meaning of a released name never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Feature {
    Container,
    /// Replaces the arguments of the image.
    ContainerCommand,
    MemoryLimit,
    /// Mounts volumes and folders of the host.
    Volumes,
    /// Passes secrets of the host to a container in its environment.
    HostSecrets,
    /// Runs units that a package installed.
    PackagedUnit,
    ProbeHttp,
    /// Opens a TCP connection.
    ProbeTcp,
    /// Sends SIP OPTIONS over UDP.
    ProbeSipOptions,
    /// Sends a Redis `PING`.
    ProbeRedis,
    /// Sends a PostgreSQL start-up message.
    ProbePostgres,
    /// Runs a command inside the container.
    ProbeExec,
    /// Reads the state of the unit from systemd.
    ProbeUnitActive,
    /// Counts calls with a command inside the container.
    ActiveCount,
    /// Asks at the address that a probe says.
    ProbeAddress,
    /// Sends a host name in HTTP or TLS, or expects certain statuses.
    ProbeHttpDetails,
    /// Sends SIP OPTIONS over TCP or WebSocket.
    ProbeSipStream,
    /// Sends a ping of rtpengine's ng protocol.
    ProbeRtpengine,
    /// Asks Gearman's server for its version.
    ProbeGearman,
    /// Begins a connection of AMQP 0-9-1.
    ProbeRabbitmq,
    /// Pulls an image from another repository than its name says.
    PullFrom,
    /// Replaces the program of the image.
    Entrypoint,
    /// Runs the program as another user than the image says.
    ContainerUser,
    /// Gives a container a network of its own, with published ports.
    BridgeNetwork,
    /// Knows ranges of ports.
    PortRanges,
    /// Gives a container every right of the host.
    Privileged,
    /// Adds and drops capabilities.
    Capabilities,
    /// Gives a container devices of the host.
    Devices,
    /// Limits the processes of a container (getrlimit(2)).
    Ulimits,
    /// Gives real-time threads processor time.
    RealtimeRuntime,
    /// Sets the size of `/dev/shm`.
    ShmSize,
    /// Mounts folders in memory.
    Tmpfs,
    /// Sets the kernel settings of a container.
    Sysctls,
    /// Stops a program by another signal than the image says.
    StopSignal,
    /// Adds lines to `/etc/hosts` of a container.
    ExtraHosts,
    /// Limits what is kept of a container's output.
    LogLimits,
    /// Passes secrets of the controller to a container, in its environment or as files.
    ControllerSecrets,
    /// Runs operations once, when the controller says so.
    Operations,
    /// Runs the checks of an update before it stops anything.
    UpdateChecks,
    /// Writes files and mounts them into a container.
    ContainerFiles,
    /// Runs preparations and migrations once, before a version starts.
    Migrations,
    /// Counts calls with several commands.
    ActiveSources,
    /// Gives the files of a container to other users than root.
    FileOwners,
    /// Pulls an image with a login of the tenant, whose password the controller keeps.
    PullLogin,
    /// Lets a program take over files while it runs.
    Reload,
    /// Does not go back over a step without a way back once the new version has answered.
    ForwardOnly,
}

/// The error of a word that names no feature of this release.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a feature known to this release")]
pub struct UnknownFeature(String);

impl Feature {
    /// Every feature that this release knows.
    pub const ALL: [Self; 46] = [
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
        Self::ProbeAddress,
        Self::ProbeHttpDetails,
        Self::ProbeSipStream,
        Self::ProbeRtpengine,
        Self::ProbeGearman,
        Self::ProbeRabbitmq,
        Self::PullFrom,
        Self::Entrypoint,
        Self::ContainerUser,
        Self::BridgeNetwork,
        Self::PortRanges,
        Self::Privileged,
        Self::Capabilities,
        Self::Devices,
        Self::Ulimits,
        Self::RealtimeRuntime,
        Self::ShmSize,
        Self::Tmpfs,
        Self::Sysctls,
        Self::StopSignal,
        Self::ExtraHosts,
        Self::LogLimits,
        Self::ControllerSecrets,
        Self::Operations,
        Self::UpdateChecks,
        Self::ContainerFiles,
        Self::Migrations,
        Self::ActiveSources,
        Self::FileOwners,
        Self::PullLogin,
        Self::Reload,
        Self::ForwardOnly,
    ];

    /// Returns the name of the feature in greetings and messages.
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
            Self::ProbeAddress => "probe-address",
            Self::ProbeHttpDetails => "probe-http-details",
            Self::ProbeSipStream => "probe-sip-stream",
            Self::ProbeRtpengine => "probe-rtpengine",
            Self::ProbeGearman => "probe-gearman",
            Self::ProbeRabbitmq => "probe-rabbitmq",
            Self::PullFrom => "pull-from",
            Self::Entrypoint => "container-entrypoint",
            Self::ContainerUser => "container-user",
            Self::BridgeNetwork => "network-bridge",
            Self::PortRanges => "port-ranges",
            Self::Privileged => "privileged",
            Self::Capabilities => "capabilities",
            Self::Devices => "devices",
            Self::Ulimits => "ulimits",
            Self::RealtimeRuntime => "cpu-rt-runtime",
            Self::ShmSize => "shm-size",
            Self::Tmpfs => "tmpfs",
            Self::Sysctls => "sysctls",
            Self::StopSignal => "stop-signal",
            Self::ExtraHosts => "extra-hosts",
            Self::LogLimits => "log-limits",
            Self::ControllerSecrets => "controller-secrets",
            Self::Operations => "operations",
            Self::UpdateChecks => "update-checks",
            Self::ContainerFiles => "container-files",
            Self::Migrations => "migrations",
            Self::ActiveSources => "active-sources",
            Self::FileOwners => "file-owners",
            Self::PullLogin => "pull-login",
            Self::Reload => "reload",
            Self::ForwardOnly => "forward-only",
        }
    }

    /// Returns the features that the words name. Words of later releases are left out.
    #[must_use]
    pub fn known<'a>(words: impl IntoIterator<Item = &'a str>) -> BTreeSet<Self> {
        words.into_iter().filter_map(|word| word.parse().ok()).collect()
    }
}

impl FromStr for Feature {
    type Err = UnknownFeature;

    fn from_str(word: &str) -> Result<Self, UnknownFeature> {
        let found = Self::ALL.into_iter().find(|feature| feature.as_str() == word);
        found.ok_or_else(|| UnknownFeature(shortened(word, 80)))
    }
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A later version is a feature too: an older agent holds an instance that needs it.
const _: () = assert!(
    matches!(Instance::VERSION, Some(1)),
    "`needs` has to return a feature for an instance that version 1 cannot carry"
);

impl Instance {
    /// Returns the features that an agent needs to run this instance.
    #[must_use]
    pub fn needs(&self) -> BTreeSet<Feature> {
        // Here and below every field is named, so that a new one does not compile before
        // somebody has chosen whether it needs a feature.
        let Self {
            tenant: _,
            component: _,
            unit: _,
            workload,
            pull_from,
            pull_login,
            after: _,
            ports,
            ranges,
            probe,
            active,
            timing: Timing { start_timeout_ms: _, stop_grace_ms: _ },
            metrics: _,
            // An agent that does not know it restarts nothing.
            restart_unhealthy: _,
            checks,
            preparations,
            migrations,
            reload,
        } = self;
        let of_workload = match &**workload {
            Workload::Container(container) => of_container(container),
            Workload::Unit(PackagedUnit { drop_in: _ }) => BTreeSet::from([Feature::PackagedUnit]),
        };
        let Probe { check, address, interval_ms: _, timeout_ms: _, failures_max: _ } = probe;
        let of_active = active.iter().flat_map(of_active);
        let of_ports = ports.iter().flat_map(of_port);
        let of_ranges = (!ranges.is_empty()).then_some(Feature::PortRanges);
        let of_address = address.as_ref().map(|_| Feature::ProbeAddress);
        let of_probe = [of_check(check)].into_iter().chain(of_address);
        let of_source = pull_from.as_ref().map(|_| Feature::PullFrom);
        let of_source = of_source.into_iter().chain(pull_login.as_ref().map(of_login));
        let of_checks = checks.iter().map(|step| of_step(step, Feature::UpdateChecks));
        let once = preparations.iter().chain(migrations);
        let of_once = once.map(|step| of_step(step, Feature::Migrations));
        let of_reload = reload.iter().flat_map(options::of_reload);
        let of_workload = of_workload.into_iter().chain(of_source).chain(of_checks).chain(of_once);
        let of_workload = of_workload.chain(of_reload);
        let of_ports = of_ports.chain(of_ranges);
        of_workload.chain(of_probe).chain(of_active).chain(of_ports).collect()
    }
}

fn of_container(container: &Container) -> BTreeSet<Feature> {
    let Container {
        name: _,
        version: _,
        repository: _,
        digest: _,
        env: _,
        secrets,
        kept_secrets,
        volumes,
        command,
        memory_bytes_max,
        pids_limit: _,
        may_gain_privileges: _,
        options,
    } = container;
    let asked = [
        (true, Feature::Container),
        (!secrets.is_empty(), Feature::HostSecrets),
        (!kept_secrets.is_empty(), Feature::ControllerSecrets),
        (!command.is_empty(), Feature::ContainerCommand),
        (memory_bytes_max.is_some(), Feature::MemoryLimit),
    ];
    let asked = asked.into_iter().filter_map(|(is_asked, feature)| is_asked.then_some(feature));
    asked.chain(volumes.iter().map(of_volume)).chain(options::of(options)).collect()
}

fn of_login(login: &RegistryLogin) -> Feature {
    let RegistryLogin { user: _, password: _ } = login;
    Feature::PullLogin
}

fn of_step(step: &OperationStep, feature: Feature) -> Feature {
    let OperationStep { operation: _, run, irreversible: _ } = step;
    let OperationCommand { command: _, entrypoint: _, env: _, deadline_ms: _ } = run;
    feature
}

fn of_volume(volume: &Volume) -> Feature {
    let Volume { source: _, target: _, read_only: _ } = volume;
    Feature::Volumes
}

fn of_port(port: &Port) -> BTreeSet<Feature> {
    let Port { number: _, protocol: Protocol::Tcp | Protocol::Udp } = port;
    BTreeSet::new()
}

fn of_active(active: &ActiveProbe) -> BTreeSet<Feature> {
    let ActiveProbe { command: _, before: _, noun: _, several, total } = active;
    let (ActiveTotal::Sum | ActiveTotal::Max) = total;
    let of_source = |source: &ActiveSource| {
        let ActiveSource { command: _, before: _ } = source;
        Feature::ActiveSources
    };
    [Feature::ActiveCount].into_iter().chain(several.iter().map(of_source)).collect()
}

fn of_check(check: &Check) -> Feature {
    match check {
        Check::Http { port: _, path: _, tls: _ } => Feature::ProbeHttp,
        Check::HttpDetailed { port: _, path: _, tls: _, details } => {
            let HttpDetails { host: _, statuses: _, tls_name: _ } = details;
            Feature::ProbeHttpDetails
        }
        Check::SipOptions { port: _ } => Feature::ProbeSipOptions,
        Check::SipStream { port: _, transport: _, details } => {
            let WebSocketDetails { path: _, host: _, tls_name: _ } = details;
            Feature::ProbeSipStream
        }
        Check::Tcp { port: _ } => Feature::ProbeTcp,
        Check::Redis { port: _ } => Feature::ProbeRedis,
        Check::Postgres { port: _, user: _ } => Feature::ProbePostgres,
        Check::Exec { command: _ } => Feature::ProbeExec,
        Check::UnitActive => Feature::ProbeUnitActive,
        Check::Rtpengine { port: _ } => Feature::ProbeRtpengine,
        Check::Gearman { port: _ } => Feature::ProbeGearman,
        Check::Rabbitmq { port: _ } => Feature::ProbeRabbitmq,
    }
}

#[cfg(test)]
mod tests;
