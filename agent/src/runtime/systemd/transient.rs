//! The transient units in which operations run once (systemd.unit(5), systemd-run(1)).

use std::time::Duration;

use oml_common::document::operation::RunOrder;
use oml_common::id::RunId;
use zbus::Variant;

use super::Systemd;
use super::calls::TransientUnit;
use crate::runtime::RuntimeError;

/// The time for which such a unit may stop beyond the grace of its container.
const STOP_MARGIN_MS: u64 = 20_000;
/// The time beyond the deadline of the operation after which systemd ends the unit, if its own
/// program did not.
const RUNTIME_MARGIN_MS: u64 = 60_000;
/// The longest time that a unit may need to say that the program has begun.
const START_MS: u64 = 60_000;
/// The memory of the program that holds the container, which is not in the unit.
const MEMORY_BYTES_MAX: u64 = 64 << 20;
const TASKS_MAX: u64 = 32;

/// How the objects of the units of runs begin on the bus, with every sign of their names escaped that
/// is neither a letter nor a digit (sd_bus_path_encode(3)).
pub(super) const OBJECTS: &str = "/org/freedesktop/systemd1/unit/oml_2drun_2d";

/// Returns the name of the unit of a run.
pub(super) fn unit_name(id: RunId) -> String {
    format!("oml-run-{id}.service")
}

impl Systemd {
    /// Starts the unit of a run.
    pub(super) async fn start_unit_of_run(&self, order: &RunOrder) -> Result<(), RuntimeError> {
        let stop_ms = order.instance.timing.stop_grace_ms.saturating_add(STOP_MARGIN_MS);
        let beyond_ms = stop_ms.saturating_add(RUNTIME_MARGIN_MS);
        let (operation, component) = (&order.operation, &order.instance.component);
        let program = self.paths.program.to_string_lossy().into_owned();
        let transient = TransientUnit {
            description: format!("{operation} of {component} (run {})", order.id),
            command: vec![program, "operate".to_owned(), order.id.to_string()],
            stop_ms,
            runtime_ms: order.run.deadline_ms.saturating_add(beyond_ms),
        };
        self.calls.start_transient(&unit_name(order.id), &transient).await.map(drop)
    }
}

/// Returns the properties of a transient unit as systemd takes them (org.freedesktop.systemd1(5)).
pub(super) fn properties(unit: &TransientUnit) -> Vec<(&'static str, Variant<'_>)> {
    let TransientUnit { description, command, stop_ms, runtime_ms } = unit;
    let program = command.first().cloned().unwrap_or_default();
    let start = vec![(program, command.clone(), false)];
    let engine = vec!["docker.service".to_owned()];
    vec![
        ("Description", Variant::from(description.as_str())),
        ("Type", Variant::from("notify")),
        ("NotifyAccess", Variant::from("main")),
        ("ExecStart", Variant::from(start)),
        ("Restart", Variant::from("no")),
        // Nothing of it is left when it has ended: its result is in a file.
        ("CollectMode", Variant::from("inactive-or-failed")),
        // At a shutdown it stops before the engine does.
        ("After", Variant::from(engine)),
        ("TimeoutStartUSec", Variant::from(microseconds(START_MS))),
        ("TimeoutStopUSec", Variant::from(microseconds(*stop_ms))),
        ("RuntimeMaxUSec", Variant::from(microseconds(*runtime_ms))),
        ("MemoryMax", Variant::from(MEMORY_BYTES_MAX)),
        ("TasksMax", Variant::from(TASKS_MAX)),
        ("NoNewPrivileges", Variant::from(true)),
        ("UMask", Variant::from(0o077_u32)),
    ]
}

fn microseconds(ms: u64) -> u64 {
    u64::try_from(Duration::from_millis(ms).as_micros()).unwrap_or(u64::MAX)
}
