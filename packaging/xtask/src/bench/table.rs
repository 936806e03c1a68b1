//! The table that is printed and kept in the documentation. Pure.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use super::figures::Figures;

const HEAD: &str = "| what | median | p90 | max | aim | met |\n|---|--:|--:|--:|---|---|\n";

/// Rows in the order they were measured.
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

/// An aim in words, and whether it was met.
#[derive(Debug, Clone)]
pub(crate) struct Aim {
    words: String,
    is_met: Option<bool>,
}

impl Aim {
    /// Nothing to meet.
    pub(crate) fn none() -> Self {
        Self { words: String::new(), is_met: None }
    }

    /// Told in words; `is_met` is none where what it is compared with is missing.
    pub(crate) fn new(words: impl Into<String>, is_met: Option<bool>) -> Self {
        Self { words: words.into(), is_met }
    }

    /// At most this long.
    pub(crate) fn at_most(value: Duration, limit: Duration) -> Self {
        Self::new(format!("≤ {}", millis(limit)), Some(value <= limit))
    }
}

impl Table {
    /// A row of three figures.
    pub(crate) fn figures(&mut self, what: impl Into<String>, figures: &Figures, aim: Aim) {
        let values = [figures.median, figures.p90, figures.max].map(millis);
        self.rows.push(Row { what: what.into(), values, aim: aim.words, is_met: aim.is_met });
    }

    /// A row of one value.
    pub(crate) fn value(&mut self, what: impl Into<String>, value: impl Into<String>, aim: Aim) {
        let values = [value.into(), String::new(), String::new()];
        self.rows.push(Row { what: what.into(), values, aim: aim.words, is_met: aim.is_met });
    }

    /// A row that could not be measured, and why.
    pub(crate) fn missing(&mut self, what: impl Into<String>, why: &str) {
        // One line, and nothing that ends a cell.
        let why = why.lines().next().unwrap_or_default().replace('|', "/");
        let aim = Aim::new(format!("not measured: {why}"), None);
        self.value(what, "–", aim);
    }

    /// The rows that fall short of their aim.
    pub(crate) fn short(&self) -> impl Iterator<Item = &str> {
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

/// Milliseconds, or seconds from ten of them on.
pub(crate) fn millis(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds >= 10.0 { format!("{seconds:.1} s") } else { format!("{:.0} ms", seconds * 1000.0) }
}

#[cfg(test)]
mod tests;
