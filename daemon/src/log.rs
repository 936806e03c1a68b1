//! Writes the log to the journal, or to standard error if there is no journal.

use std::io::{self, Write};

use oml_common::text::printable::printable_lines;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Escapes what a terminal would act on. The log repeats words of other programs.
struct Printable<W>(W);

impl<W: Write> Write for Printable<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // The layer writes a whole event at once, so no character is in two parts.
        let text = printable_lines(&String::from_utf8_lossy(bytes));
        self.0.write_all(text.as_bytes()).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Starts the log under the name of `program`, with the lines that `filter` admits, such
/// as `info` or `warn,omlagent=debug`. A text that is not a filter counts as `info`.
#[expect(
    clippy::disallowed_methods,
    reason = "systemd announces the journal in a variable, read once at the start"
)]
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
        None => {
            let layer = fmt::layer().with_ansi(false).with_writer(|| Printable(std::io::stderr()));
            registry.with(layer).try_init()
        }
    };
    if started.is_err() {
        tracing::debug!("the log was already begun");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_log_cannot_act_on_a_terminal() {
        let mut written = Printable(Vec::new());
        written.write_all("reason=\u{1b}[2Jdenied\u{202e}\n".as_bytes()).unwrap();
        assert_eq!(written.0, b"reason=\\u{1b}[2Jdenied\\u{202e}\n");
    }
}
