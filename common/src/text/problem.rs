//! Problems: mistakes of an operator, each with its place, what is wrong and what to type.
//!
//! A check collects every problem that it finds and does not stop at the first.

use super::plural::counted;
use super::printable::printable;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The number of problems that are listed; those beyond it are only counted.
pub const PROBLEMS_SHOWN_MAX: usize = 50;

/// A mistake in what an operator wrote.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Problem {
    /// The path of the field, such as `components.asterisk.version`; empty for the whole document.
    pub path: String,
    /// The line in the document, counted from 1, if it is known.
    pub line: Option<u32>,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What to write instead, if that is known.
    pub hint: Option<String>,
}

impl Problem {
    /// Makes a problem at `path`, without line and hint.
    #[must_use]
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), line: None, message: message.into(), hint: None }
    }

    /// Adds the line in the document.
    #[must_use]
    pub fn at_line(mut self, line: u32) -> Self {
        self.line = Some(line);
        self
    }

    /// Adds what to write instead.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds a hint: "did you mean …?" if one of `known` is similar to `word`, else the list of them.
    #[must_use]
    pub fn suggest<'a>(self, word: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        let known: Vec<&str> = known.into_iter().collect();
        match nearest(word, &known) {
            Some(near) => self.hint(format!("did you mean {near}?")),
            None if known.is_empty() => self,
            None => {
                let shown = known.iter().take(20).copied().collect::<Vec<_>>().join(", ");
                let more = if known.len() > 20 { ", …" } else { "" };
                self.hint(format!("known: {shown}{more}"))
            }
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", printable(&self.path))?;
        }
        f.write_str(&printable(&self.message))?;
        if let Some(hint) = &self.hint {
            write!(f, " ({})", printable(hint))?;
        }
        Ok(())
    }
}

/// The problems of one document.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{}", self.summary())]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// Adds a problem to the list.
    pub fn push(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    /// Returns `value` if there are no problems.
    ///
    /// # Errors
    /// Returns the problems, sorted and cut as [`Problems::sorted`] does.
    pub fn into_result<T>(self, value: T) -> Result<T, Problems> {
        if self.0.is_empty() { Ok(value) } else { Err(self.sorted()) }
    }

    /// Sorts by line, then path, and removes duplicates.
    #[must_use]
    pub fn in_order(mut self) -> Self {
        self.0.sort_by(|a, b| {
            let line = |p: &Problem| p.line.unwrap_or(u32::MAX);
            line(a).cmp(&line(b)).then_with(|| a.cmp(b))
        });
        self.0.dedup();
        self
    }

    /// Sorts as [`Self::in_order`] does, and cuts after [`PROBLEMS_SHOWN_MAX`].
    #[must_use]
    pub fn sorted(self) -> Self {
        let mut all = self.in_order();
        let hidden = all.0.len().saturating_sub(PROBLEMS_SHOWN_MAX);
        if hidden > 0 {
            all.0.truncate(PROBLEMS_SHOWN_MAX);
            all.0.push(Problem::new("", format!("{hidden} more problems are not shown")));
        }
        all
    }

    /// Returns the first problem in one line, with the number of the others.
    #[must_use]
    pub fn first_line(&self) -> String {
        let first = self.0.first().map(ToString::to_string).unwrap_or_default();
        match u64::try_from(self.0.len()).unwrap_or(u64::MAX).saturating_sub(1) {
            0 => first,
            more => format!("{first} (and {})", counted(more, "more problems")),
        }
    }

    fn summary(&self) -> String {
        let lines: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        lines.join("\n")
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl FromIterator<Problem> for Problems {
    fn from_iter<I: IntoIterator<Item = Problem>>(iter: I) -> Self {
        Self(iter.into_iter().collect())
    }
}

/// Returns the known word that is most similar to `word`, if any is similar enough.
#[must_use]
pub fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let score = |candidate: &str| strsim::jaro_winkler(word, candidate);
    known
        .iter()
        .map(|candidate| (score(candidate), *candidate))
        .filter(|(similarity, _)| *similarity > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests;
