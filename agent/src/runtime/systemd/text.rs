//! Renders our unit files and drop-ins.

use oml_common::document::instance::{Instance, InstanceDocument, PackagedUnit, Workload};
use oml_common::document::unit_mark::UnitMark;
use oml_common::id::UnitName;
use oml_common::text::printable::{is_hidden, name_of};

use crate::paths::Paths;
use crate::runtime::RuntimeError;

/// A unit's programs may end this often before systemd gives up; the agent
/// starts it again later, with longer and longer pauses.
const STARTS: &str = "StartLimitIntervalSec=300\nStartLimitBurst=30\n";
/// From a program's end to its next start.
const RESTART_PAUSE: &str = "RestartSec=1s\n";
/// Only systemd's own stop is one of the component: an ordinary `kill` of a
/// supervisor, or of every process of its name, leaves what runs to the next.
const STOP: &str = "KillSignal=SIGUSR2\nSuccessExitStatus=SIGUSR2\n";
/// The status with which a supervisor ends that does not run in the unit of its component
/// (`EX_CONFIG` of sysexits.h): another start would find the same.
pub const OTHER_UNIT_STATUS: u8 = 78;
/// Beyond the limits of the instance itself: room for the engine.
const MARGIN_MS: u64 = 20_000;
const WATCHDOG: &str = "WatchdogSec=60s\n";
/// The supervisor needs the engine's socket, the network and its own files.
/// Nothing here makes a mount namespace, and the calls are those that are refused and not the
/// many more that are allowed: both would cost milliseconds at every start, while nobody answers.
const HARDENING: &str = "\
MemoryMax=64M
TasksMax=32
OOMScoreAdjust=-500
CapabilityBoundingSet=
NoNewPrivileges=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
DevicePolicy=closed
SystemCallArchitectures=native
SystemCallFilter=~@clock @cpu-emulation @debug @module @mount @obsolete @privileged @raw-io @reboot
SystemCallFilter=~@resources @swap
SystemCallErrorNumber=EPERM
UMask=0077
";

/// Renders the unit file or drop-in of the instance. The text names no version, so it
/// changes only when the unit does.
pub(super) fn render(instance: &InstanceDocument, after: &[UnitName], paths: &Paths) -> String {
    let text = match &*instance.workload {
        Workload::Container(_) => unit(instance, after, paths),
        Workload::Unit(packaged) => drop_in(instance, after, packaged),
    };
    UnitMark::seal(&text)
}

/// Refuses a text with characters that systemd, or the terminal of `systemctl cat`, would read
/// in a way that is not seen. A controller of this release makes no such text.
pub(super) fn check(text: &str, unit: &str) -> Result<(), RuntimeError> {
    let hidden = text.chars().find(|c| is_hidden(*c) && !matches!(c, '\n' | '\t'));
    hidden.map_or(Ok(()), |c| {
        let detail = format!("its text contains {}", name_of(c));
        let object = unit.to_owned();
        Err(RuntimeError::Refused { verb: "write", object, detail, transient: false })
    })
}

fn header(instance: &InstanceDocument) -> String {
    let mark = UnitMark::lines(&instance.tenant, &instance.component, &instance.unit);
    format!("# Managed by omlagent. Manual changes are overwritten.\n[Unit]\n{mark}")
}

fn order(after: &[UnitName]) -> String {
    after.iter().map(|unit| format!(" {unit}")).collect()
}

fn unit(instance: &InstanceDocument, after: &[UnitName], paths: &Paths) -> String {
    let Instance { tenant, component, timing, .. } = &**instance;
    let header = header(instance);
    let order = order(after);
    let program = paths.program.display();
    let stop_ms = timing.stop_grace_ms.saturating_add(MARGIN_MS);
    let start_ms = timing.start_timeout_ms.saturating_add(stop_ms);
    format!(
        "{header}Description={component} of tenant {tenant}\n\
         Wants=docker.service network-online.target\n\
         After=docker.service network-online.target{order}\n\
         {STARTS}\n\
         [Service]\n\
         Type=notify\n\
         NotifyAccess=main\n\
         ExecStart={program} supervise {component}\n\
         ExecReload=/bin/kill -HUP $MAINPID\n\
         {STOP}\
         Restart=always\n\
         {RESTART_PAUSE}\
         RestartPreventExitStatus={OTHER_UNIT_STATUS}\n\
         TimeoutStartSec={start_ms}ms\n\
         TimeoutStopSec={stop_ms}ms\n\
         {WATCHDOG}\
         {HARDENING}\n\
         [Install]\n\
         WantedBy=multi-user.target\n"
    )
}

fn drop_in(instance: &InstanceDocument, after: &[UnitName], packaged: &PackagedUnit) -> String {
    let header = header(instance);
    let order = order(after);
    let after = if order.is_empty() { String::new() } else { format!("After={}\n", order.trim()) };
    let lines = packaged.drop_in.trim_end();
    format!("{header}{after}\n[Service]\n{lines}\n")
}

#[cfg(test)]
pub(super) mod tests;
