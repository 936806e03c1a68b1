//! The agent's page for Prometheus shows the last report as numbers.
//!
//! It keeps no state of its own, so the page and the report cannot differ.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use oml_common::document::report::{InstanceReport, Report};
use oml_common::document::status::Health;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use tokio::sync::watch;

use crate::session::SessionState;

mod page;

pub use page::serve;

type Labels = Vec<(&'static str, String)>;
type Numbers = Family<Labels, Gauge<f64, AtomicU64>>;
type Whole = Family<Labels, Gauge>;
type Counters = Family<Labels, Counter>;

/// The data that the page shows.
#[derive(Debug, Clone)]
pub struct Source {
    pub reports: watch::Receiver<Arc<Report>>,
    pub session: watch::Receiver<SessionState>,
    /// The number of passes of the loop since the agent started.
    pub passes: Arc<AtomicU64>,
    /// The tenant of the host; empty before it is enrolled.
    pub tenant: String,
    pub node: String,
}

impl Source {
    /// Returns the page in the OpenMetrics text format.
    #[must_use]
    pub fn page(&self) -> String {
        let report = self.reports.borrow().clone();
        let mut registry = Registry::with_prefix("oml");
        self.add_agent(&mut registry, &report);
        self.add_host(&mut registry, &report);
        self.add_instances(&mut registry, &report);
        let mut page = String::new();
        // Writing to a String cannot fail.
        let _infallible = encode(&mut page, &registry);
        page
    }

    fn labels(&self) -> Labels {
        vec![("tenant", self.tenant.clone()), ("host", self.node.clone())]
    }

    fn add_agent(&self, registry: &mut Registry, report: &Report) {
        let session = self.session.borrow().clone();
        let info = Whole::default();
        let mut labels = self.labels();
        labels.push(("version", report.agent_version.clone()));
        info.get_or_create(&labels).set(1);
        registry.register("agent_build", "The agent that runs", info);
        let connected = Whole::default();
        connected.get_or_create(&self.labels()).set(i64::from(session.connected_to.is_some()));
        registry.register("agent_session_up", "Whether a controller is connected", connected);
        for (name, help, count) in [
            ("agent_sessions", "Sessions begun since the agent started", session.sessions),
            ("agent_session_failures", "Sessions that ended or never began", session.failures),
            ("agent_passes", "Looks at the host", self.passes.load(Ordering::Relaxed)),
        ] {
            let counter = Counters::default();
            counter.get_or_create(&self.labels()).inc_by(count);
            registry.register(name, help, counter);
        }
        let errors = Whole::default();
        errors.get_or_create(&self.labels()).set(whole(report.errors.len() as u64));
        registry.register("agent_errors", "Errors of the agent itself", errors);
        let generation = Whole::default();
        let applied = report.applied.map_or(0, |generation| generation.number);
        generation.get_or_create(&self.labels()).set(whole(applied));
        registry.register("agent_generation", "Assignment the agent works on", generation);
    }

    fn add_host(&self, registry: &mut Registry, report: &Report) {
        let host = &report.host;
        let share = Numbers::default();
        share.get_or_create(&self.labels()).set(f64::from(host.cpu_permille) / 1000.0);
        registry.register("host_cpu_ratio", "Busy share of all cores", share);
        let (memory, disk) = (host.memory_total_bytes, host.disk_total_bytes);
        for (name, help, value, all) in [
            ("host_memory_used", "Memory in use", host.memory_used_bytes, memory),
            ("host_memory", "Memory in all", memory, memory),
            ("host_disk_used", "Disk in use where images are kept", host.disk_used_bytes, disk),
            ("host_disk", "Disk in all where images are kept", disk, disk),
        ] {
            let gauge = Whole::default();
            // 0 of 0 is what could not be read.
            if all > 0 {
                gauge.get_or_create(&self.labels()).set(whole(value));
            }
            registry.register_with_unit(name, help, Unit::Bytes, gauge);
        }
    }

    fn add_instances(&self, registry: &mut Registry, report: &Report) {
        let up = Whole::default();
        let healthy = Whole::default();
        let active = Whole::default();
        let restarts = Whole::default();
        let started = Numbers::default();
        let info = Whole::default();
        for (component, instance) in &report.instances {
            let mut labels = self.labels();
            labels.push(("component", component.to_string()));
            up.get_or_create(&labels).set(i64::from(instance.started_at.is_some()));
            let is_healthy = instance.health == Health::Healthy;
            healthy.get_or_create(&labels).set(i64::from(is_healthy));
            restarts.get_or_create(&labels).set(i64::from(instance.restarts));
            if let Some(count) = instance.active {
                active.get_or_create(&labels).set(whole(count));
            }
            if let Some(at) = instance.started_at {
                started.get_or_create(&labels).set(at.0 as f64 / 1000.0);
            }
            info.get_or_create(&described(labels, instance)).set(1);
        }
        registry.register("instance_up", "Whether it runs", up);
        registry.register("instance_healthy", "Whether it answers", healthy);
        registry.register("instance_active", "Calls, dialogs or sessions", active);
        registry.register("instance_restarts", "Automatic restarts", restarts);
        registry.register_with_unit(
            "instance_start_time",
            "When it was started",
            Unit::Seconds,
            started,
        );
        registry.register("instance_state", "Version, image and phase", info);
    }
}

fn described(mut labels: Labels, instance: &InstanceReport) -> Labels {
    let text = |id: Option<&str>| id.unwrap_or_default().to_owned();
    labels.push(("version", text(instance.version.as_ref().map(AsRef::as_ref))));
    labels.push(("digest", text(instance.digest.as_ref().map(AsRef::as_ref))));
    labels.push(("phase", instance.phase.as_str().to_owned()));
    labels
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
