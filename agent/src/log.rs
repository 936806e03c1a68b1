//! Where log lines go: the journal where there is one, else standard error.

use std::error::Error;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Begins to log what `filter` lets through (`info`, `omlagent=debug,warn` …).
pub fn init(filter: &str) {
    let fallback = || Targets::new().with_default(LevelFilter::INFO);
    let filter = filter.parse().unwrap_or_else(|_not_a_filter| fallback());
    let registry = tracing_subscriber::registry().with(filter);
    // Started by systemd, standard error is the journal's socket: then the
    // journal's own protocol keeps the fields.
    let journal = std::env::var_os("JOURNAL_STREAM").and_then(|_| tracing_journald::layer().ok());
    let started = match journal {
        Some(journal) => {
            registry.with(journal.with_syslog_identifier("omlagent".into())).try_init()
        }
        None => registry.with(fmt::layer().with_writer(std::io::stderr)).try_init(),
    };
    if started.is_err() {
        tracing::debug!("the log was already begun");
    }
}

/// An error and everything behind it, in one line.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let message = error.to_string();
        // Some libraries repeat their source's words.
        if !text.ends_with(&message) {
            text.push_str(": ");
            text.push_str(&message);
        }
        source = error.source();
    }
    text
}
