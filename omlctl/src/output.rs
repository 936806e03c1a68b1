//! Prints data to standard output and messages to standard error. No other file prints.

use std::io::{IsTerminal as _, Write as _};

use oml_common::text::error::chain;
use oml_common::text::printable::{is_hidden, printable_lines};
use serde::Serialize;

use crate::clock::Clock;
use crate::error::CommandError;
use crate::table::TableStyle;
use crate::variables;

/// The format in which data is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// For programs
    Json,
    /// For both
    Yaml,
}

/// The settings with which this run prints.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) format: Format,
    pub(crate) clock: Clock,
    pub(crate) tables: TableStyle,
    /// Whether a person reads the output as it is printed.
    pub(crate) is_terminal: bool,
}

impl Output {
    /// Makes the settings that suit the standard streams.
    pub(crate) fn new(format: Format) -> Self {
        let is_terminal = std::io::stdout().is_terminal();
        Self { format, clock: Clock::local(), tables: TableStyle::of_stdout(), is_terminal }
    }

    /// Prints data as JSON or YAML, or as `text` for people.
    pub(crate) fn data<T, F>(&self, value: &T, text: F) -> Result<(), CommandError>
    where
        T: Serialize + ?Sized,
        F: FnOnce() -> String,
    {
        let text = match self.format {
            Format::Table => self.for_people(text()),
            Format::Json => serde_json::to_string_pretty(value)
                .map(|text| escaped_json(&text))
                .map_err(|error| CommandError::Format("JSON", error.into()))?,
            Format::Yaml => self.for_people(yaml(value)?),
        };
        print(&text)
    }

    /// Prints a list. An empty list is a message for people, instead of a header without rows.
    pub(crate) fn list<T, F>(&self, rows: &[T], text: F) -> Result<(), CommandError>
    where
        T: Serialize,
        F: FnOnce() -> String,
    {
        if rows.is_empty() && self.format == Format::Table {
            print_note("none found");
            return Ok(());
        }
        self.data(rows, text)
    }

    /// Prints one document of a stream: a line of JSON, or a YAML document.
    pub(crate) fn datum<T, F>(&self, value: &T, text: F) -> Result<(), CommandError>
    where
        T: Serialize + ?Sized,
        F: FnOnce() -> String,
    {
        let text = match self.format {
            Format::Table => self.for_people(text()),
            Format::Json => serde_json::to_string(value)
                .map(|text| escaped_json(&text))
                .map_err(|error| CommandError::Format("JSON", error.into()))?,
            Format::Yaml => self.for_people(format!("---\n{}", yaml(value)?)),
        };
        print(&text)
    }

    /// Prints data that has only one format.
    pub(crate) fn text(&self, text: &str) -> Result<(), CommandError> {
        print(&self.for_people(text.to_owned()))
    }

    /// Escapes what a terminal would act on, except for the colours of tables. A file or
    /// another program gets a text as it is, because a specification may be applied again.
    fn for_people(&self, text: String) -> String {
        if self.is_terminal { shown_on_terminal(&text, self.tables.coloured) } else { text }
    }
}

/// Escapes what a terminal would act on. Our own tables hold colours, which stay.
fn shown_on_terminal(text: &str, coloured: bool) -> String {
    if !coloured {
        return printable_lines(text);
    }
    let mut parts = text.split("\u{1b}[");
    let mut shown = printable_lines(parts.next().unwrap_or_default());
    for part in parts {
        let length = part.bytes().take_while(|b| b.is_ascii_digit() || *b == b';').count();
        let is_colour = part[length..].starts_with('m');
        shown.push_str(if is_colour { "\u{1b}[" } else { "\\u{1b}[" });
        shown.push_str(&printable_lines(part));
    }
    shown
}

/// Escapes what a terminal would act on in the strings of a JSON text, which then mean the same.
fn escaped_json(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        // A line feed is between values; within strings the library has escaped it.
        if is_hidden(c) && c != '\n' {
            shown.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            shown.push(c);
        }
    }
    shown
}

fn yaml<T: Serialize + ?Sized>(value: &T) -> Result<String, CommandError> {
    serde_saphyr::to_string(&value).map_err(|error| CommandError::Format("YAML", error.into()))
}

fn print(text: &str) -> Result<(), CommandError> {
    let mut out = std::io::stdout().lock();
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    write!(out, "{text}{end}").and_then(|()| out.flush()).map_err(CommandError::Output)
}

/// Prints a message for the operator to standard error.
pub(crate) fn print_note(line: &str) {
    // If standard error is closed, nobody reads the message.
    let _unread = writeln!(std::io::stderr().lock(), "{}", printable_lines(line));
}

/// Prints an error and its causes in one line.
pub(crate) fn print_error(error: &CommandError) {
    print_note(&format!("error: {}", chain(error)));
}

/// Whether standard error is a terminal on which lines can be redrawn.
pub(crate) fn is_live() -> bool {
    let is_dumb = variables::is_dumb_terminal();
    std::io::stderr().is_terminal() && !is_dumb
}

#[cfg(test)]
mod tests;
