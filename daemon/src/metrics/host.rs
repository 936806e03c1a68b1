//! The numbers of a host.

use oml_common::document::report::HostUsage;
use prometheus_client::registry::{Registry, Unit};

use super::{Fractions, Gauges, Labels, signed};

/// The use of hosts: processor, memory and the disk that stores images.
#[derive(Debug, Default)]
pub struct HostMetrics {
    cpu: Fractions,
    memory_used: Gauges,
    memory: Gauges,
    disk_used: Gauges,
    disk: Gauges,
}

impl HostMetrics {
    /// Adds a host. What its agent does not know (0 of 0 for memory and disk) gets no series.
    pub fn add(&self, labels: &Labels, usage: &HostUsage) {
        if !usage.cpu_unknown {
            self.cpu.get_or_create(labels).set(f64::from(usage.cpu_permille) / 1000.0);
        }
        let numbers = [
            (&self.memory_used, usage.memory_used_bytes, usage.memory_total_bytes),
            (&self.memory, usage.memory_total_bytes, usage.memory_total_bytes),
            (&self.disk_used, usage.disk_used_bytes, usage.disk_total_bytes),
            (&self.disk, usage.disk_total_bytes, usage.disk_total_bytes),
        ];
        for (gauges, value, total) in numbers {
            if total > 0 {
                gauges.get_or_create(labels).set(signed(value));
            }
        }
    }

    /// Registers the numbers below the prefix of the registry.
    pub fn register(self, registry: &mut Registry) {
        registry.register("host_cpu_ratio", "Busy share of all cores, from 0 to 1", self.cpu);
        for (name, help, gauges) in [
            ("host_memory_used", "Memory in use", self.memory_used),
            ("host_memory", "Memory of the host", self.memory),
            ("host_disk_used", "Used space of the disk that stores images", self.disk_used),
            ("host_disk", "Size of the disk that stores images", self.disk),
        ] {
            registry.register_with_unit(name, help, Unit::Bytes, gauges);
        }
    }
}
