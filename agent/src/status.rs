//! The agent's last report, kept on the host, where a person can read it although no
//! controller answers.

use std::fmt::Write as _;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;

use oml_common::document::report::{InstanceReport, Report};
use oml_common::document::status::Health;
use oml_common::document::{self, ReadError};
use oml_common::text::error::chain;
use oml_common::text::printable::printable;
use oml_common::time::{Span, Timestamp};
use tokio::sync::watch;
use tracing::warn;

use crate::files;
use crate::paths::Paths;

fn file(paths: &Paths) -> PathBuf {
    paths.run.join("report.json")
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
    /// The file cannot be read.
    #[error("cannot read the agent's report")]
    File(#[source] files::FileError),
    /// The file is a report of another release, or no report.
    #[error("the agent's report is invalid or from another release")]
    Unreadable(#[from] ReadError),
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
    Ok(describe(&document::read(&text)?, now))
}

fn describe(report: &Report, now: Timestamp) -> String {
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
        line(format!("{component:<16} {}", describe_instance(instance)));
        if let Some(drift) = &instance.drift {
            let age = Span(now.since_ms(drift.at));
            line(format!("{:<16} drift {age} ago: {}", "", printable(&drift.found)));
        }
    }
    text
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
