//! The table that is printed and written to the documentation. This module is pure.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use super::figures::Figures;

const HEAD: &str = "| what | median | p90 | max | aim | met |\n|---|--:|--:|--:|---|---|\n";

/// A table whose rows are in the order in which they were measured.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    what: String,
    values: [String; 3],
    aim: String,
    is_met: Option<bool>,
}

/// The text of an aim, and whether it was met.
#[derive(Debug, Clone)]
pub(crate) struct Aim {
    words: String,
    is_met: Option<bool>,
}

impl Aim {
    /// Returns the aim of a row that has none.
    pub(crate) fn none() -> Self {
        Self { words: String::new(), is_met: None }
    }

    /// Makes an aim with this text. `is_met` is `None` if the value it is compared with is missing.
    pub(crate) fn new(words: impl Into<String>, is_met: Option<bool>) -> Self {
        Self { words: words.into(), is_met }
    }

    /// Makes an aim that a duration must be at most `limit`.
    pub(crate) fn at_most(value: Duration, limit: Duration) -> Self {
        Self::new(format!("≤ {}", millis(limit)), Some(value <= limit))
    }
}

impl Table {
    /// Adds a row with three figures.
    pub(crate) fn figures(&mut self, what: impl Into<String>, figures: &Figures, aim: Aim) {
        let values = [figures.median, figures.p90, figures.max].map(millis);
        self.rows.push(Row { what: what.into(), values, aim: aim.words, is_met: aim.is_met });
    }

    /// Adds a row with one value.
    pub(crate) fn value(&mut self, what: impl Into<String>, value: impl Into<String>, aim: Aim) {
        let values = [value.into(), String::new(), String::new()];
        self.rows.push(Row { what: what.into(), values, aim: aim.words, is_met: aim.is_met });
    }

    /// Adds a row for something that could not be measured, with the reason.
    pub(crate) fn not_measured(&mut self, what: impl Into<String>, why: &str) {
        // The reason must fit into one cell, so it has one line and no column separator.
        let why = why.lines().next().unwrap_or_default().replace('|', "/");
        let aim = Aim::new(format!("not measured: {why}"), None);
        self.value(what, "–", aim);
    }

    /// Returns the names of the rows that missed their aim.
    pub(crate) fn missed_aims(&self) -> impl Iterator<Item = &str> {
        self.rows.iter().filter(|row| row.is_met == Some(false)).map(|row| row.what.as_str())
    }
}

impl Display for Table {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        out.write_str(HEAD)?;
        for Row { what, values: [median, p90, max], aim, is_met } in &self.rows {
            let met = match is_met {
                Some(true) => "met",
                Some(false) => "**not met**",
                None => "",
            };
            writeln!(out, "| {what} | {median} | {p90} | {max} | {aim} | {met} |")?;
        }
        Ok(())
    }
}

/// Formats a duration in milliseconds, or in seconds if it is at least ten seconds.
pub(crate) fn millis(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds >= 10.0 { format!("{seconds:.1} s") } else { format!("{:.0} ms", seconds * 1000.0) }
}

#[cfg(test)]
mod tests;
