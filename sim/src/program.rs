//! What the programs of images do over time.

/// What a program does once it is started.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Behaviour {
    /// It answers after a while and runs until it is stopped.
    #[default]
    Good,
    /// It writes lines to its log and ends before it answers.
    ExitsAtOnce {
        code: i64,
        /// The lines it writes.
        log: Vec<String>,
    },
    /// It runs and never answers.
    Hangs,
    /// It answers, and ends with status 1 so long after its start.
    DiesAfter {
        /// Milliseconds from its start.
        after_ms: u64,
    },
    /// It answers, and stops answering so long after its start.
    UnhealthyAfter {
        /// Milliseconds from its start.
        after_ms: u64,
    },
}

/// What a command inside a container gives.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExecAnswer {
    pub exit_code: i64,
    pub stdout: String,
}

/// An image as the engine holds it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Image {
    /// Repository it was pulled from.
    pub repository: String,
    /// Digest of its manifest.
    pub digest: String,
}
