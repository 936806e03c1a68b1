//! The agent's page for Prometheus shows the last report as numbers.
//!
//! It keeps no state of its own, so the page and the report cannot differ. Its series do not
//! name the tenant and the host, because the labels of the scraped target do.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use oml_common::document::report::Report;
use oml_daemon::metrics::{
    Counters, Format, Fractions, Gauges, HostMetrics, InstanceMetrics, Labels, signed,
};
use prometheus_client::registry::{Registry, Unit};
use tokio::sync::watch;

use crate::session::SessionState;

mod page;

pub use page::serve;

/// The data that the page shows.
#[derive(Debug, Clone)]
pub struct Source {
    pub reports: watch::Receiver<Arc<Report>>,
    pub session: watch::Receiver<SessionState>,
    /// The number of passes of the loop since the agent started.
    pub passes: Arc<AtomicU64>,
}

impl Source {
    /// Returns the page in that format.
    #[must_use]
    pub fn page(&self, format: Format) -> String {
        let report = self.reports.borrow().clone();
        let mut registry = Registry::with_prefix("oml_agent");
        self.add_agent(&mut registry, &report);
        let (host, none) = (HostMetrics::default(), Labels::new());
        host.add(&none, &report.host);
        host.register(&mut registry);
        let instances = InstanceMetrics::default();
        for (component, instance) in &report.instances {
            instances.add(&none, component, instance);
        }
        instances.register(&mut registry);
        format.page(&registry)
    }

    fn add_agent(&self, registry: &mut Registry, report: &Report) {
        let session = self.session.borrow().clone();
        let build = Gauges::default();
        build.get_or_create(&vec![("version", report.agent_version.clone())]).set(1);
        registry.register("build_info", "Version of the agent", build);
        let applied = report.applied.map_or(0, |generation| generation.number);
        for (name, help, value) in [
            (
                "session_up",
                "Whether a controller is connected",
                session.connected_to.is_some().into(),
            ),
            ("errors", "Errors of the agent itself at present", signed(report.errors.len() as u64)),
            ("generation", "Generation of the assignment that the agent applies", signed(applied)),
        ] {
            let gauges = Gauges::default();
            gauges.get_or_create(&Labels::new()).set(value);
            registry.register(name, help, gauges);
        }
        for (name, help, count) in [
            ("sessions", "Sessions begun since the agent started", session.sessions),
            ("session_failures", "Sessions that failed or never began", session.failures),
            ("passes", "Passes of the loop", self.passes.load(Ordering::Relaxed)),
        ] {
            let counters = Counters::default();
            counters.get_or_create(&Labels::new()).inc_by(count);
            registry.register(name, help, counters);
        }
        let expiry = Fractions::default();
        if let Some(at) = session.certificate_expires {
            expiry.get_or_create(&Labels::new()).set(at.0 as f64 / 1000.0);
        }
        let help = "When the certificate of the host expires";
        registry.register_with_unit("certificate_expiry_timestamp", help, Unit::Seconds, expiry);
    }
}

#[cfg(test)]
mod tests;
