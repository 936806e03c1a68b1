//! Writes the log to the journal, or to standard error if there is no journal.

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Starts the log under the name of `program`, with the lines that `filter` admits, such
/// as `info` or `warn,omlagent=debug`. A text that is not a filter counts as `info`.
#[expect(clippy::disallowed_methods, reason = "systemd tells it so, once, at the start")]
pub fn init(program: &str, filter: &str) {
    let fallback = || Targets::new().with_default(LevelFilter::INFO);
    let filter: Targets = filter.parse().unwrap_or_else(|_not_a_filter| fallback());
    let registry = tracing_subscriber::registry().with(filter);
    // If systemd started the program, standard error is the journal's socket, and the
    // journal's own protocol keeps the fields.
    let journal = std::env::var_os("JOURNAL_STREAM").and_then(|_| tracing_journald::layer().ok());
    let started = match journal {
        Some(journal) => {
            registry.with(journal.with_syslog_identifier(program.to_owned())).try_init()
        }
        None => registry.with(fmt::layer().with_writer(std::io::stderr)).try_init(),
    };
    if started.is_err() {
        tracing::debug!("the log was already begun");
    }
}
