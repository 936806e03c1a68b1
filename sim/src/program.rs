//! The behaviour of the programs in images.

/// The behaviour of a program after its start.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Behaviour {
    /// It answers one second after its start and runs until it is stopped.
    #[default]
    Good,
    /// It writes lines to its log and ends before it answers.
    ExitsAtOnce { code: i64, log: Vec<String> },
    /// It runs and never answers.
    Hangs,
    /// It answers `after_ms` after its start.
    AnswersAfter { after_ms: u64 },
    /// It answers, and ends with status 1 `after_ms` after its start.
    DiesAfter { after_ms: u64 },
    /// It answers, and stops answering `after_ms` after its start.
    UnhealthyAfter { after_ms: u64 },
}

/// The result of a command inside a container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExecAnswer {
    pub exit_code: i64,
    pub stdout: String,
}

/// An image as the engine holds it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Image {
    /// The repository that it was pulled from.
    pub repository: String,
    /// The digest of its manifest.
    pub digest: String,
}
