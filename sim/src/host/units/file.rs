//! Unit files and drop-ins, read from the host's folder of units.

use std::path::Path;

use super::ExitCause;
use crate::HostModel;

/// The definition of a unit in its files.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Definition {
    /// The path of the unit file; empty if there is none.
    pub(super) fragment_path: String,
    /// The paths of its drop-ins.
    pub(super) drop_in_paths: Vec<String>,
    /// The unit file and its drop-ins, one after the other.
    text: String,
}

/// The folder of the units that have no file of their own.
const TRANSIENT: &str = "/run/systemd/transient/";

impl Definition {
    /// Returns the definition of a transient unit with that text.
    pub(super) fn transient(name: &str, text: &str) -> Self {
        let fragment_path = format!("{TRANSIENT}{name}");
        Self { fragment_path, drop_in_paths: Vec::new(), text: text.to_owned() }
    }

    /// Returns true if the unit goes when it ends.
    pub(super) fn is_transient(&self) -> bool {
        self.fragment_path.starts_with(TRANSIENT)
    }

    /// Returns true if the unit has a unit file.
    pub(super) fn is_there(&self) -> bool {
        !self.fragment_path.is_empty()
    }

    /// Returns all values of a key, in their order.
    pub(super) fn values(&self, key: &str) -> impl DoubleEndedIterator<Item = &str> {
        let values = self.text.lines().filter_map(move |line| line.strip_prefix(key));
        values.filter_map(|rest| rest.strip_prefix('='))
    }

    /// Returns the last value of a key.
    fn value(&self, key: &str) -> Option<&str> {
        self.values(key).next_back()
    }

    /// Returns the units that it requires.
    pub(super) fn requires(&self) -> Vec<String> {
        self.values("Requires").flat_map(str::split_whitespace).map(str::to_owned).collect()
    }

    /// Returns its type, which is "simple" if the files name none.
    pub(super) fn kind(&self) -> &str {
        self.value("Type").unwrap_or("simple")
    }

    /// Returns the command of the main process; none for a unit that the model runs by itself.
    pub(super) fn command(&self) -> Option<Vec<String>> {
        let command = self.value("ExecStart")?;
        Some(command.split_whitespace().map(str::to_owned).collect())
    }

    /// Returns true if the unit is active only after its main process has sent `READY=1`.
    pub(super) fn is_notify(&self) -> bool {
        self.kind() == "notify"
    }

    /// Returns true if systemd starts the unit again after its main process ended in that way.
    pub(super) fn restarts_after(&self, cause: ExitCause) -> bool {
        let prevented = self.value("RestartPreventExitStatus").unwrap_or_default();
        let mut prevented = prevented.split_whitespace().filter_map(|code| code.parse().ok());
        let is_prevented = prevented.any(|code| cause == ExitCause::Exited(code));
        !is_prevented && self.value("Restart").is_some_and(|value| value != "no")
    }

    pub(super) fn restart_pause_ms(&self) -> u64 {
        self.span_ms("RestartSec", 100)
    }

    pub(super) fn start_timeout_ms(&self) -> u64 {
        self.span_ms("TimeoutStartSec", 90_000)
    }

    pub(super) fn stop_timeout_ms(&self) -> u64 {
        self.span_ms("TimeoutStopSec", 90_000)
    }

    /// Returns the largest number of starts and the interval in milliseconds for which it holds.
    pub(super) fn start_limit(&self) -> (usize, u64) {
        let burst = self.value("StartLimitBurst").and_then(|value| value.parse().ok());
        (burst.unwrap_or(5), self.span_ms("StartLimitIntervalSec", 10_000))
    }

    /// Returns the name of the signal that a stop sends.
    pub(super) fn stop_signal(&self) -> &str {
        self.value("KillSignal").unwrap_or("SIGTERM")
    }

    /// Parses `90s`, `90000ms`, or a bare number of seconds (systemd.time(7)).
    fn span_ms(&self, key: &str, default_ms: u64) -> u64 {
        let Some(value) = self.value(key) else { return default_ms };
        let (number, factor) = match value.strip_suffix("ms") {
            Some(number) => (number, 1),
            None => (value.strip_suffix('s').unwrap_or(value), 1_000),
        };
        number.trim().parse::<u64>().map_or(default_ms, |number| number.saturating_mul(factor))
    }
}

impl HostModel {
    /// Reads the files of a unit. A file that cannot be read counts as missing.
    pub(super) fn read_definition(&self, name: &str) -> Definition {
        let folder = &self.settings().unit_files;
        let read = |path: &Path| std::fs::read_to_string(path).ok();
        let own = folder.join(name);
        let (fragment_path, mut text) = match read(&own) {
            Some(text) => (own.to_string_lossy().into_owned(), text),
            None if self.state().units.vendor.contains(name) => {
                (format!("/lib/systemd/system/{name}"), String::new())
            }
            None => Default::default(),
        };
        let Ok(drop_ins) = std::fs::read_dir(folder.join(format!("{name}.d"))) else {
            return Definition { fragment_path, drop_in_paths: Vec::new(), text };
        };
        let mut paths: Vec<_> = drop_ins.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        for more in paths.iter().filter_map(|path| read(path)) {
            text.push('\n');
            text.push_str(&more);
        }
        let shown = |path: &std::path::PathBuf| path.to_string_lossy().into_owned();
        Definition { fragment_path, drop_in_paths: paths.iter().map(shown).collect(), text }
    }
}
