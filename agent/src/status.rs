//! The agent's last report, kept on the host, where a person can read it although no
//! controller answers.

use std::fmt::Write as _;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;

use oml_common::document::left_out::LeftOut;
use oml_common::document::report::{InstanceReport, Report};
use oml_common::document::status::Health;
use oml_common::document::{self, ReadError};
use oml_common::id::ComponentName;
use oml_common::text::error::chain;
use oml_common::text::printable::printable;
use oml_common::text::problem::Problems;
use oml_common::time::{Span, Timestamp};
use tokio::sync::watch;
use tracing::warn;

use crate::alive::{self, Life};
use crate::documents;
use crate::files;
use crate::identity::{IdentityError, IdentityFiles};
use crate::paths::Paths;

fn file(paths: &Paths) -> PathBuf {
    paths.run.join("report.json")
}

/// The file with what was wrong in the settings when the agent started, one problem a line.
fn left_out(paths: &Paths) -> PathBuf {
    paths.run.join("left-out")
}

/// Says in the log, and keeps for `omlagent status`, what the agent left out of its settings.
pub fn say_left_out(paths: &Paths, problems: &Problems) {
    for problem in &problems.0 {
        warn!(%problem, "a setting is left out, because it cannot be used");
    }
    let kept = LeftOut { problems: problems.0.iter().map(ToString::to_string).collect() };
    if let Err(error) = files::write_volatile(&left_out(paths), kept.write().as_bytes(), 0o644) {
        warn!(error = chain(&error), "cannot write the problems that omlagent status shows");
    }
}

/// Writes the report now and after each visible change, until the loop ends.
pub async fn keep(paths: Paths, mut reports: watch::Receiver<Arc<Report>>) {
    reports.mark_changed();
    while reports.changed().await.is_ok() {
        let text = document::write(&**reports.borrow_and_update());
        if let Err(error) = files::write_volatile(&file(&paths), text.as_bytes(), 0o600) {
            warn!(error = chain(&error), "cannot write the report that omlagent status shows");
        }
    }
}

/// The reason why no report can be shown.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// No agent has run since the boot.
    #[error("no report from the agent since boot; check systemctl status omlagent")]
    Nothing,
    /// The report holds the last log lines of programs, which only root may see.
    #[error("only root may read the agent's report; try `sudo omlagent status`")]
    NotRoot,
    /// The file by which the agent shows that it runs cannot be used.
    #[error("cannot determine whether the agent runs")]
    Alive(#[source] std::io::Error),
    /// The file cannot be read.
    #[error("cannot read the agent's report")]
    File(#[source] files::FileError),
    /// The file is a report of another release, or no report.
    #[error("the agent's report is invalid or from another release")]
    Unreadable(#[from] ReadError),
}

/// The time without a look at the host after which a running agent is taken to hang.
const SILENCE_MAX_MS: u64 = 120_000;

/// Returns what is wrong with the agent itself, in lines for people: it does not run, it hangs,
/// it is unknown whether it runs, the host is not enrolled, or a setting is left out. There are none if all is well.
///
/// # Errors
/// Only root may look, or the sign of life cannot be used.
pub fn show_agent(paths: &Paths, now: Timestamp) -> Result<String, StatusError> {
    let mut lines = Vec::new();
    match IdentityFiles::new(paths).load() {
        Ok(Some(_)) => {}
        Ok(None) => {
            lines.push("this host is not enrolled; enrol it with omlagent enroll".to_owned())
        }
        Err(error) if is_denied(&error) => return Err(StatusError::NotRoot),
        Err(error) => lines.push(format!(
            "the host's identity cannot be used: {}; enrol it again with omlagent enroll --replace",
            chain(&error)
        )),
    }
    let ago = |last: Timestamp| Span(now.since_ms(last));
    match alive::look(paths).map_err(StatusError::Alive)? {
        Life::Runs { last } if now.since_ms(last) > SILENCE_MAX_MS => lines.push(format!(
            "the agent runs, but has not looked at the host for {}; see journalctl -u omlagent; what follows is older",
            ago(last)
        )),
        Life::Stopped { last } => lines.push(format!(
            "the agent does not run; it was last active {} ago; start it with systemctl start omlagent; what follows is what it found then",
            ago(last)
        )),
        // Without a report, its absence is the error of [`show`].
        Life::Unknown => lines.extend(written_at(paths).map(|last| format!(
            "it is unknown whether the agent runs, because its file agent.alive is missing; check systemctl status omlagent; what follows was written {} ago",
            ago(last)
        ))),
        Life::Runs { .. } => {}
    }
    let kept = files::read_if_there(&left_out(paths)).map_err(StatusError::File)?;
    lines.extend(LeftOut::read(&kept.unwrap_or_default()).problems.iter().map(|problem| {
        format!("a setting is left out: {problem}; then run systemctl restart omlagent")
    }));
    Ok(lines.iter().map(|line| format!("{}\n", printable(line))).collect())
}

/// Returns when the report was written; none if there is no report.
fn written_at(paths: &Paths) -> Option<Timestamp> {
    let found = std::fs::metadata(file(paths)).ok()?;
    Some(alive::timestamp(found.modified().ok()?))
}

/// Returns whether a file could not be read because only root may.
fn is_denied(error: &IdentityError) -> bool {
    matches!(error, IdentityError::Files(files) if files.kind() == ErrorKind::PermissionDenied)
}

/// Returns the last report as text for people.
///
/// # Errors
/// Returns an error if there is no report that can be read.
pub fn show(paths: &Paths, now: Timestamp) -> Result<String, StatusError> {
    let is_denied = |error: &files::FileError| error.kind() == ErrorKind::PermissionDenied;
    let read = files::read_if_there(&file(paths));
    let read = read.map_err(|error| {
        if is_denied(&error) { StatusError::NotRoot } else { StatusError::File(error) }
    });
    let text = read?.ok_or(StatusError::Nothing)?;
    Ok(describe(paths, &document::read(&text)?, now))
}

fn describe(paths: &Paths, report: &Report, now: Timestamp) -> String {
    let mut text = String::new();
    let mut line = |line: String| {
        // Writing to a String cannot fail.
        let _infallible = writeln!(text, "{line}");
    };
    match report.applied {
        Some(generation) => line(format!(
            "revision {}, assignment {generation}, changed {} ago",
            report.revision,
            Span(now.since_ms(report.at))
        )),
        None => line("no assignment yet".to_owned()),
    }
    for error in &report.errors {
        line(format!("error: {}", printable(error)));
    }
    for (component, instance) in &report.instances {
        let supervisor = describe_supervisor(paths, component, instance, now);
        line(format!("{component:<16} {}{supervisor}", describe_instance(instance)));
        if let Some(drift) = &instance.drift {
            let age = Span(now.since_ms(drift.at));
            line(format!("{:<16} drift {age} ago: {}", "", printable(&drift.found)));
        }
    }
    text
}

/// Returns that the supervisor of an instance that runs is silent. It is not known to the agent
/// when the agent does not run either.
fn describe_supervisor(
    paths: &Paths,
    component: &ComponentName,
    instance: &InstanceReport,
    now: Timestamp,
) -> String {
    if instance.health == Health::Unknown {
        return String::new();
    }
    match documents::read_status(paths, component) {
        Ok(Some(status)) => {
            let probe = status.probe.map_or(0, |probe| probe.interval_ms + probe.timeout_ms);
            let silence_ms = now.since_ms(status.checked_at);
            if silence_ms <= SILENCE_MAX_MS.max(probe.saturating_mul(4)) {
                return String::new();
            }
            format!("; its supervisor has not reported for {}", Span(silence_ms))
        }
        // The unit of a package has no supervisor.
        Ok(None) => String::new(),
        Err(error) => format!("; its status cannot be read: {}", printable(&chain(&error))),
    }
}

fn describe_instance(instance: &InstanceReport) -> String {
    let health = match instance.health {
        Health::Unknown => "unknown",
        Health::Starting => "starting",
        Health::Healthy => "healthy",
        Health::Unhealthy => "unhealthy",
    };
    let version = instance.version.as_ref().map_or("-", |version| version.as_str());
    let calls = instance.active.map_or_else(String::new, |count| format!(", {count} active"));
    let phase = instance.phase.as_str();
    format!("{phase:<15} {version:<20} {health}{calls}  {}", printable(&instance.reason))
}

#[cfg(test)]
mod tests;
