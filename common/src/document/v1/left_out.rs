//! What the agent left out of its settings, as `omlagent status` shows it: `left-out` below the run
//! folder.

/// The problems of the settings with which the agent started. There are none if it left out nothing.
///
/// It has no version of its own: each line is one problem in words for people, which a program of any
/// release shows as it is. Nothing is decided by it, and every start of the agent writes it again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// The problems, each in one line.
    pub problems: Vec<String>,
}

impl LeftOut {
    /// Writes one line for each problem.
    #[must_use]
    pub fn write(&self) -> String {
        self.problems.iter().map(|problem| format!("{problem}\n")).collect()
    }

    /// Reads the lines.
    #[must_use]
    pub fn read(text: &str) -> Self {
        Self { problems: text.lines().map(str::to_owned).collect() }
    }
}

#[cfg(test)]
mod tests;
