//! Reads the last lines of a packaged unit from the journal. The program `journalctl` reads them,
//! because the format of the journal's files is systemd's own.

use std::process::Stdio;
use std::time::Duration;

use oml_common::text::printable::printable;
use tokio::process::Command;
use tracing::debug;

const LINES_MAX: usize = 20;
const LINE_CHARS_MAX: usize = 400;
/// The longest time for a read, for which nothing waits: a loaded host is slow, and its people need the
/// lines all the more.
const LIMIT: Duration = Duration::from_secs(20);
/// The last lines may reach the journal a little after the program has ended.
const LATE_US: u64 = 100_000;

/// A life of a unit, as far as its log is found by it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct LogSpan {
    /// The unit's `InvocationID`; empty if systemd gave none.
    pub(super) invocation: Vec<u8>,
    /// When it began, in microseconds since 1970.
    pub(super) since: u64,
    /// When it ended, by the same clock.
    pub(super) until: u64,
}

/// Returns the last lines that a program wrote in that life of its unit, oldest first; none if they
/// cannot be read.
pub(super) async fn log_tail(unit: &str, life: &LogSpan) -> Vec<String> {
    let reading = Command::new("journalctl")
        .args(arguments(unit, life))
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .output();
    match tokio::time::timeout(LIMIT, reading).await {
        Ok(Ok(output)) => lines(&String::from_utf8_lossy(&output.stdout)),
        Ok(Err(error)) => {
            debug!(unit, %error, "cannot run journalctl");
            Vec::new()
        }
        Err(_) => Vec::new(),
    }
}

fn arguments(unit: &str, life: &LogSpan) -> Vec<String> {
    let mut arguments: Vec<String> =
        ["--quiet", "--no-pager", "--output=cat"].map(str::to_owned).into();
    arguments.push(format!("--lines={LINES_MAX}"));
    arguments.push(format!("--since={}", time(life.since)));
    arguments.push(format!("--until={}", time(life.until.saturating_add(LATE_US))));
    arguments.push(format!("_SYSTEMD_UNIT={unit}"));
    if !life.invocation.is_empty() {
        let id: String = life.invocation.iter().map(|byte| format!("{byte:02x}")).collect();
        arguments.push(format!("_SYSTEMD_INVOCATION_ID={id}"));
    }
    arguments
}

/// Writes a time as systemd.time(7) reads it.
fn time(us: u64) -> String {
    format!("@{}.{:06}", us / 1_000_000, us % 1_000_000)
}

fn lines(text: &str) -> Vec<String> {
    let shown = |line: &str| printable(line).chars().take(LINE_CHARS_MAX).collect();
    let lines: Vec<String> = text.lines().map(shown).collect();
    lines[lines.len().saturating_sub(LINES_MAX)..].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_one_life_are_asked_for() {
        let life = LogSpan { invocation: vec![0x0a, 0xff], since: 5_000_001, until: 7_000_000 };
        let arguments = arguments("nginx.service", &life);
        assert!(arguments.contains(&"--since=@5.000001".to_owned()), "{arguments:?}");
        assert!(arguments.contains(&"--until=@7.100000".to_owned()), "{arguments:?}");
        assert!(arguments.contains(&"_SYSTEMD_INVOCATION_ID=0aff".to_owned()), "{arguments:?}");
        let unknown = super::arguments("nginx.service", &LogSpan::default());
        assert!(!unknown.iter().any(|it| it.starts_with("_SYSTEMD_INVOCATION")), "{unknown:?}");
    }

    #[test]
    fn only_the_last_lines_are_kept_and_made_safe() {
        let text: String = (0..30).map(|number| format!("line {number}\u{1b}[31m\n")).collect();
        let lines = lines(&text);
        assert_eq!(lines.len(), LINES_MAX);
        assert!(lines[0].starts_with("line 10") && !lines[0].contains('\u{1b}'), "{lines:?}");
    }
}
