//! Everything the program prints: data to standard output, the rest to
//! standard error. No other file prints.

use std::io::{IsTerminal as _, Write as _};

use oml_common::text::error::chain;
use serde::Serialize;

use crate::clock::Clock;
use crate::error::CommandError;
use crate::table::TableStyle;
use crate::variables;

/// How data is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// For programs
    Json,
    /// For both
    Yaml,
}

/// Where and how this run prints.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) format: Format,
    pub(crate) clock: Clock,
    pub(crate) tables: TableStyle,
}

impl Output {
    /// What the standard streams allow.
    pub(crate) fn new(format: Format) -> Self {
        Self { format, clock: Clock::local(), tables: TableStyle::of_stdout() }
    }

    /// Prints data: as the document asked for, or as `text` for people.
    pub(crate) fn data<T, F>(&self, value: &T, text: F) -> Result<(), CommandError>
    where
        T: Serialize + ?Sized,
        F: FnOnce() -> String,
    {
        let text = match self.format {
            Format::Table => text(),
            Format::Json => serde_json::to_string_pretty(value)
                .map_err(|error| CommandError::Format("JSON", error.into()))?,
            Format::Yaml => yaml(value)?,
        };
        print(&text)
    }

    /// Prints a list; for people an empty one is a sentence, not a bare header.
    pub(crate) fn list<T, F>(&self, rows: &[T], text: F) -> Result<(), CommandError>
    where
        T: Serialize,
        F: FnOnce() -> String,
    {
        if rows.is_empty() && self.format == Format::Table {
            tell("there are none");
            return Ok(());
        }
        self.data(rows, text)
    }

    /// Prints one of many documents: a line of JSON, or a YAML document.
    pub(crate) fn datum<T, F>(&self, value: &T, text: F) -> Result<(), CommandError>
    where
        T: Serialize + ?Sized,
        F: FnOnce() -> String,
    {
        let text = match self.format {
            Format::Table => text(),
            Format::Json => serde_json::to_string(value)
                .map_err(|error| CommandError::Format("JSON", error.into()))?,
            Format::Yaml => format!("---\n{}", yaml(value)?),
        };
        print(&text)
    }

    /// Prints data that has only one form.
    pub(crate) fn text(&self, text: &str) -> Result<(), CommandError> {
        print(text)
    }
}

fn yaml<T: Serialize + ?Sized>(value: &T) -> Result<String, CommandError> {
    serde_saphyr::to_string(&value).map_err(|error| CommandError::Format("YAML", error.into()))
}

fn print(text: &str) -> Result<(), CommandError> {
    let mut out = std::io::stdout().lock();
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    write!(out, "{text}{end}").and_then(|()| out.flush()).map_err(CommandError::Output)
}

/// Tells the operator something that is not data.
pub(crate) fn tell(line: &str) {
    // Whoever closed standard error does not want to know.
    let _unheard = writeln!(std::io::stderr().lock(), "{line}");
}

/// Prints an error and what led to it, in one sentence.
pub(crate) fn tell_error(error: &CommandError) {
    tell(&format!("error: {}", chain(error)));
}

/// Whether a moving display can be shown.
pub(crate) fn is_live() -> bool {
    let is_dumb = variables::is_dumb_terminal();
    std::io::stderr().is_terminal() && !is_dumb
}
