//! The metrics page. It is rendered for every request, so that it has no stale series.
//! A node that is not connected, or has not reported since, has no metrics of its host and its
//! instances, because their state is unknown.

use oml_common::document::node::NodeRecord;
use oml_common::time::Timestamp;
use oml_daemon::metrics::{
    Counters, Format, Fractions, Gauges, HostMetrics, InstanceMetrics, Labels, signed,
};
use prometheus_client::registry::{Registry, Unit};

use super::Pages;
use crate::ops::presence::NodePresence;
use crate::ops::status::TenantStatus;

/// All metrics of tenants, nodes and instances on one page.
#[derive(Default)]
struct Metrics {
    revision: Gauges,
    rollout: Gauges,
    connected: Gauges,
    last_seen: Gauges,
    expiry: Fractions,
    tenant_expiry: Fractions,
    hosts: HostMetrics,
    instances: InstanceMetrics,
}

/// Renders the metrics page in that format.
pub(super) fn page(status: &[TenantStatus], pages: &Pages, format: Format) -> String {
    let metrics = Metrics::default();
    for tenant in status {
        metrics.add_tenant(tenant, pages.status.now());
    }
    let mut registry = Registry::with_prefix("oml");
    metrics.register(&mut registry);
    register_certificates(&mut registry, pages);
    register_store(&mut registry, pages);
    register_tasks(&mut registry, pages);
    format.page(&registry)
}

impl Metrics {
    fn add_tenant(&self, status: &TenantStatus, now: Timestamp) {
        let tenant: Labels = vec![("tenant", status.tenant.to_string())];
        self.revision.get_or_create(&tenant).set(signed(status.revision.0));
        if let Some(shown) = &status.rollout {
            let mut labels = tenant.clone();
            labels.push(("state", shown.rollout.state.as_str().to_owned()));
            self.rollout.get_or_create(&labels).set(1);
        }
        if let Some(certificate) = &status.certificate {
            self.tenant_expiry.get_or_create(&tenant).set(seconds(certificate.facts.expires));
        }
        for (name, node) in &status.nodes {
            let mut host = tenant.clone();
            host.push(("host", name.to_string()));
            self.add_node(&host, &node.snapshot.node);
            self.add_presence(&host, &node.snapshot.presence, now);
        }
    }

    fn add_node(&self, host: &Labels, node: &NodeRecord) {
        let expires = seconds(node.certificates.current.expires);
        self.expiry.get_or_create(host).set(expires);
    }

    fn add_presence(&self, host: &Labels, presence: &NodePresence, now: Timestamp) {
        self.connected.get_or_create(host).set(i64::from(presence.connected));
        if let Some(seen) = presence.last_seen {
            self.last_seen.get_or_create(host).set(signed(now.since_ms(seen) / 1000));
        }
        let is_known = presence.connected && presence.has_reported;
        let Some(report) = presence.report.as_ref().filter(|_| is_known) else { return };
        self.hosts.add(host, &report.host);
        for (component, instance) in &report.instances {
            self.instances.add(host, component, instance);
        }
    }

    fn register(self, registry: &mut Registry) {
        for (name, help, gauges) in [
            ("tenant_revision", "Revision that the tenant should run", self.revision),
            ("rollout_state", "State of the tenant's rollout", self.rollout),
            ("node_connected", "Whether the node has an open session", self.connected),
        ] {
            registry.register(name, help, gauges);
        }
        let help = "Time since the last message of the node";
        registry.register_with_unit("node_last_seen_age", help, Unit::Seconds, self.last_seen);
        let (name, help) =
            ("node_certificate_expiry_timestamp", "When the certificate of the node expires");
        registry.register_with_unit(name, help, Unit::Seconds, self.expiry);
        let name = "tenant_certificate_expiry_timestamp";
        let help = "When the certificate of the tenant's web servers expires";
        registry.register_with_unit(name, help, Unit::Seconds, self.tenant_expiry);
        self.hosts.register(registry);
        self.instances.register(registry);
    }
}

fn register_certificates(registry: &mut Registry, pages: &Pages) {
    let expiry = Fractions::default();
    for (certificate, expires) in [
        ("server", pages.certificates.expires()),
        ("authority", pages.certificates.authority_expires()),
    ] {
        let labels = vec![("certificate", certificate.to_owned())];
        expiry.get_or_create(&labels).set(seconds(expires));
    }
    let help = "When a certificate of the controller expires";
    let name = "controller_certificate_expiry_timestamp";
    registry.register_with_unit(name, help, Unit::Seconds, expiry);
}

fn register_store(registry: &mut Registry, pages: &Pages) {
    let commits = pages.status.commits();
    for (name, help, value) in [
        ("store_commits", "Successful commits to the store", commits.successful),
        ("store_commits_refused", "Commits that failed or were refused", commits.refused),
    ] {
        let counters = Counters::default();
        counters.get_or_create(&Labels::new()).inc_by(value);
        registry.register(name, help, counters);
    }
}

fn register_tasks(registry: &mut Registry, pages: &Pages) {
    let [passes, failures, panics] = [(); 3].map(|()| Counters::default());
    for (task, counters) in pages.counters.iter() {
        let (labels, stats) = (vec![("task", (*task).to_owned())], counters.read());
        passes.get_or_create(&labels).inc_by(stats.passes);
        failures.get_or_create(&labels).inc_by(stats.failures);
        panics.get_or_create(&labels).inc_by(stats.panics);
    }
    registry.register("task_passes", "Passes of a task", passes);
    registry.register("task_failures", "Decisions and passes that ended with an error", failures);
    registry.register("task_panics", "Decisions and passes that ended with a panic", panics);
}

fn seconds(time: Timestamp) -> f64 {
    time.0 as f64 / 1000.0
}
