//! The numbers of instances.

use oml_common::document::report::{InstanceReport, Phase};
use oml_common::document::status::Health;
use oml_common::id::ComponentName;
use prometheus_client::registry::{Registry, Unit};

use super::{Counters, Fractions, Gauges, Labels, signed};

/// The state of instances, as their agents report it.
#[derive(Debug, Default)]
pub struct InstanceMetrics {
    up: Gauges,
    ready: Gauges,
    healthy: Gauges,
    active: Gauges,
    calls_cut: Gauges,
    restarts: Counters,
    started: Fractions,
    info: Gauges,
}

impl InstanceMetrics {
    /// Adds an instance of a host, whose labels these are. What is unknown gets no series.
    pub fn add(&self, host: &Labels, component: &ComponentName, instance: &InstanceReport) {
        let mut labels = host.clone();
        labels.push(("component", component.to_string()));
        let truth = |gauges: &Gauges, is_true| {
            gauges.get_or_create(&labels).set(i64::from(is_true));
        };
        truth(&self.up, instance.started_at.is_some());
        truth(&self.ready, instance.phase == Phase::Ready);
        truth(&self.healthy, instance.health == Health::Healthy);
        if let Some(active) = instance.active {
            self.active.get_or_create(&labels).set(signed(active));
        }
        if let Some(cut) = instance.calls_cut {
            self.calls_cut.get_or_create(&labels).set(signed(cut));
        }
        self.restarts.get_or_create(&labels).inc_by(u64::from(instance.restarts));
        if let Some(at) = instance.started_at {
            self.started.get_or_create(&labels).set(at.0 as f64 / 1000.0);
        }
        let text = |id: Option<&str>| id.unwrap_or_default().to_owned();
        labels.push(("version", text(instance.version.as_ref().map(AsRef::as_ref))));
        labels.push(("phase", instance.phase.as_str().to_owned()));
        labels.push(("digest", text(instance.digest.as_ref().map(AsRef::as_ref))));
        self.info.get_or_create(&labels).set(1);
    }

    /// Registers the numbers below the prefix of the registry.
    pub fn register(self, registry: &mut Registry) {
        for (name, help, gauges) in [
            ("instance_up", "Whether the program of the instance runs", self.up),
            ("instance_ready", "Whether the desired version is committed and healthy", self.ready),
            ("instance_healthy", "Whether the probe of the instance passes", self.healthy),
            ("instance_active", "Active calls, dialogs or sessions", self.active),
            ("instance_calls_cut", "Calls that the stop of the last change cut", self.calls_cut),
            ("instance_info", "Version, phase and image of the instance", self.info),
        ] {
            registry.register(name, help, gauges);
        }
        let help = "Restarts of the instance by systemd";
        registry.register("instance_restarts", help, self.restarts);
        let help = "When the program was started";
        registry.register_with_unit("instance_start_time", help, Unit::Seconds, self.started);
    }
}
