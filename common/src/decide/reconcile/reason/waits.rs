//! What a unit waits for: its restart while its program is unhealthy, and other jobs of systemd.

use std::fmt::{Display, Formatter, Result};

use super::Reason;
use crate::text::plural::counted;
use crate::time::Span;

/// When a program that stays unhealthy is restarted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestartOfUnhealthy {
    /// It is restarted once it has been unhealthy for so long, which grows with each restart.
    After { pause: Span, times: u32 },
    /// It is not restarted, because this probe never had a good answer.
    NeverAnswered,
    /// It would be restarted, and calls are up or cannot be counted.
    CallsUp,
}

/// A job of systemd that has not begun, because others go first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobWait {
    /// Its type, as systemd calls it.
    pub kind: String,
    /// The time for which it waits at least, if that is longer than a start takes.
    pub longer_than: Option<Span>,
}

/// What such a job holds up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldUp {
    /// What is reported beside the job.
    pub change: Option<Reason>,
    pub job: JobWait,
}

impl Display for HeldUp {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match &self.change {
            Some(change) => write!(f, "{change}; {}", self.job),
            None => self.job.fmt(f),
        }
    }
}

impl Display for RestartOfUnhealthy {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::After { pause, times } => {
                write!(f, "it is restarted once it has been unhealthy for {pause}")?;
                match times {
                    0 => Ok(()),
                    times => write!(f, ", {} so far", counted(u64::from(*times), "restarts")),
                }
            }
            Self::NeverAnswered => f.write_str(
                "it is not restarted, because this probe never had a good answer and may itself \
                 be wrong",
            ),
            Self::CallsUp => f.write_str(
                "it is not restarted while calls are up or cannot be counted; to cut them, run \
                 systemctl restart for its unit on the host",
            ),
        }
    }
}

impl Display for JobWait {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "a systemd job ({}) of its unit waits for other jobs", self.kind)?;
        match self.longer_than {
            None => Ok(()),
            Some(time) => {
                write!(f, " for more than {time}; run systemctl list-jobs on the host to see which")
            }
        }
    }
}
