//! The metrics page. It is rendered for every request, so that it has no stale series.
//! A node that is not connected has no instance metrics, because the state of its
//! instances is unknown.

use std::sync::atomic::AtomicU64;

use oml_common::document::report::{InstanceReport, Phase};
use oml_common::document::status::Health;
use oml_common::time::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::CountersByTask;
use crate::ops::reader::CommitCounts;
use crate::ops::status::{NodeStatus, RolloutStatus, TenantStatus};

type Gauges<L> = Family<L, Gauge>;
type Counters<L> = Family<L, Counter<u64, AtomicU64>>;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Tenant {
    tenant: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RolloutState {
    tenant: String,
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Host {
    tenant: String,
    host: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Instance {
    tenant: String,
    host: String,
    component: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InstanceInfo {
    tenant: String,
    host: String,
    component: String,
    version: String,
    phase: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TaskName {
    task: &'static str,
}

/// All metrics of tenants, nodes and instances on one page.
#[derive(Default)]
struct Metrics {
    revision: Gauges<Tenant>,
    rollout: Gauges<RolloutState>,
    connected: Gauges<Host>,
    last_seen: Gauges<Host>,
    up: Gauges<Instance>,
    healthy: Gauges<Instance>,
    active: Gauges<Instance>,
    restarts: Counters<Instance>,
    info: Gauges<InstanceInfo>,
}

/// Renders the metrics page.
pub(super) fn page(
    status: &[TenantStatus],
    now: Timestamp,
    commits: CommitCounts,
    counters: &CountersByTask,
) -> String {
    let metrics = Metrics::default();
    for tenant in status {
        metrics.add_tenant(tenant, now);
    }
    let mut registry = Registry::with_prefix("oml");
    metrics.register(&mut registry);
    register_own(&mut registry, commits, counters);
    let mut text = String::new();
    // Writing to a String cannot fail, and encoding our metrics has no other errors.
    let _infallible = encode(&mut text, &registry);
    text
}

impl Metrics {
    fn add_tenant(&self, status: &TenantStatus, now: Timestamp) {
        let tenant = status.tenant.to_string();
        let label = Tenant { tenant: tenant.clone() };
        self.revision.get_or_create(&label).set(signed(status.revision.0));
        if let Some(RolloutStatus { rollout, .. }) = &status.rollout {
            let label = RolloutState { tenant: tenant.clone(), state: rollout.state.as_str() };
            self.rollout.get_or_create(&label).set(1);
        }
        for (name, node) in &status.nodes {
            self.add_node(Host { tenant: tenant.clone(), host: name.to_string() }, node, now);
        }
    }

    fn add_node(&self, host: Host, status: &NodeStatus, now: Timestamp) {
        let presence = &status.snapshot.presence;
        self.connected.get_or_create(&host).set(i64::from(presence.connected));
        if let Some(seen) = presence.last_seen {
            let age_ms = now.since_ms(seen);
            self.last_seen.get_or_create(&host).set(signed(age_ms / 1000));
        }
        let report = presence.report.as_ref().filter(|_| presence.connected);
        for (component, instance) in report.iter().flat_map(|report| &report.instances) {
            let Host { tenant, host } = host.clone();
            self.add_instance(
                Instance { tenant, host, component: component.to_string() },
                instance,
            );
        }
    }

    fn add_instance(&self, label: Instance, instance: &InstanceReport) {
        let is_up = matches!(instance.phase, Phase::Ready);
        self.up.get_or_create(&label).set(i64::from(is_up));
        let is_healthy = matches!(instance.health, Health::Healthy);
        self.healthy.get_or_create(&label).set(i64::from(is_healthy));
        if let Some(active) = instance.active {
            self.active.get_or_create(&label).set(signed(active));
        }
        self.restarts.get_or_create(&label).inc_by(u64::from(instance.restarts));
        let Instance { tenant, host, component } = label;
        let version = instance.version.as_ref().map(ToString::to_string).unwrap_or_default();
        let phase = instance.phase.as_str();
        let info = InstanceInfo { tenant, host, component, version, phase };
        self.info.get_or_create(&info).set(1);
    }

    fn register(self, registry: &mut Registry) {
        registry.register("tenant_revision", "Revision that the tenant should run", self.revision);
        registry.register("rollout_state", "State of the tenant's rollout", self.rollout);
        registry.register("node_connected", "Whether the node has an open session", self.connected);
        let help = "Time since the last message of the node";
        registry.register("node_last_seen_age_seconds", help, self.last_seen);
        registry.register("instance_up", "Whether the instance runs as desired", self.up);
        registry.register(
            "instance_healthy",
            "Whether the health check of the instance passes",
            self.healthy,
        );
        let help = "Active calls, dialogs or sessions of the instance";
        registry.register("instance_active", help, self.active);
        registry.register("instance_restarts", "Automatic restarts of the instance", self.restarts);
        registry.register("instance_info", "Version and phase of the instance", self.info);
    }
}

fn register_own(registry: &mut Registry, commits: CommitCounts, counters: &CountersByTask) {
    let counter = |value: u64| {
        let counter: Counter<u64, AtomicU64> = Counter::default();
        counter.inc_by(value);
        counter
    };
    registry.register(
        "store_commits",
        "Successful commits to the store",
        counter(commits.successful),
    );
    let help = "Commits that failed or were refused";
    registry.register("store_commits_refused", help, counter(commits.refused));
    let passes: Counters<TaskName> = Family::default();
    let failures: Counters<TaskName> = Family::default();
    let panics: Counters<TaskName> = Family::default();
    for (task, count) in counters {
        let (label, stats) = (TaskName { task }, count.read());
        passes.get_or_create(&label).inc_by(stats.passes);
        failures.get_or_create(&label).inc_by(stats.failures);
        panics.get_or_create(&label).inc_by(stats.panics);
    }
    registry.register("task_passes", "Passes of a task", passes);
    registry.register("task_failures", "Decisions and passes that ended with an error", failures);
    registry.register("task_panics", "Decisions and passes that ended with a panic", panics);
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
