//! The kinds of reasons that have several forms.

use std::fmt::{Display, Formatter, Result};

use super::Reason;
use super::waits::JobWait;
use crate::decide::observed::ObservedUnit;
use crate::decide::run_once::RunOnce;
use crate::id::OperationName;
use crate::text::plural::counted;
use crate::time::Span;

/// What is being done to an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Activity {
    Removing,
    Pulling,
    Checking,
    Preparing,
    /// This has to succeed before the new version starts.
    RunningOnce(RunOnce, OperationName),
    Starting,
    /// Its program takes over its files while it runs.
    Reloading,
    RollingBack,
}

/// A thing that is missing on the host, or not as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    /// The image of the desired version was never pulled.
    NewImage,
    /// The desired version has no container yet.
    NewContainer,
    /// The unit is missing or of another version.
    NewUnit,
    Unit,
    /// The instance document or the unit's text is an older one.
    Documents,
    /// A file of the catalog that the container has mounted is not as it was written.
    Files,
    /// Its program has not taken over its files, which it does while it runs.
    Reload,
    Container,
    ContainerAndImage,
    /// The container has another name than its own.
    ContainerName,
    /// More than one container of earlier versions is left.
    Cleanup,
}

/// What is done to an instance that waits for a newer agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meanwhile {
    /// The old version was never stopped, so what was written for the switch is taken back.
    NeverStopped,
    /// The last good version runs.
    LastGood,
    /// The version on the host is started again.
    StartAgain,
    /// The last step could not be done; the next try comes later.
    Retrying(Box<Reason>),
}

impl Display for Meanwhile {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Self::Retrying(reason) => return reason.fmt(f),
            Self::NeverStopped => "the switch was interrupted before the stop",
            Self::LastGood => "the last good version runs until then",
            Self::StartAgain => "its unit is not running",
        })
    }
}

/// How many calls are up, as far as they were counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallCount {
    /// The calls are being counted for the first time.
    Asked,
    Up(u64),
    /// The number cannot be read, and why.
    Unreadable(String),
}

/// The moment at which a switch was interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interruption {
    /// The old version was still running.
    BeforeStop,
    /// The new version was not started.
    BeforeStart,
    /// The new version was started and had not answered yet.
    BeforeAnswer,
}

/// The progress of a version's soak, or the way in which it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SoakState {
    /// The new version answers for the first time.
    Begins,
    /// The desired version runs since a change that was superseded.
    BeginsLate,
    GoesOn {
        left: Span,
    },
    /// The soak time is over, and the last probe failed.
    LastProbeFailed,
    /// The soak time is over, and the health was not observed yet.
    NotObservedYet,
    Passed,
    /// Somebody restarted the unit.
    Restarted,
    /// Somebody is restarting the unit.
    Restarting,
    UnitLost,
    /// The program ended.
    Ended,
    /// The probe failed too often.
    Unhealthy {
        detail: String,
    },
    /// No probe gave a result.
    NeverObserved,
}

/// The act by which somebody on the host keeps an instance from running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ManualStop {
    /// The unit was stopped.
    Stopped,
    /// The unit was stopped, or it ended by itself; systemd does not tell.
    Perhaps,
    /// The unit was masked.
    Masked,
}

impl ManualStop {
    /// Says that the stop came before the soak had finished, and what to do.
    pub(super) fn before_soaked(self) -> &'static str {
        match self {
            Self::Stopped => {
                "stopped on the host by hand before its soak finished; start it there or apply \
                 another change"
            }
            Self::Perhaps => {
                "not running before its soak finished; it is not known whether it was stopped on \
                 the host by hand or ended by itself; start it there or apply another change"
            }
            Self::Masked => {
                "its unit is masked on the host and its soak has not finished; unmask it there or \
                 apply another change"
            }
        }
    }
}

impl ManualStop {
    /// Returns how a unit was stopped that counts as stopped by hand.
    pub(in crate::decide::reconcile) fn of(unit: &ObservedUnit) -> Self {
        if unit.was_stopped() { Self::Stopped } else { Self::Perhaps }
    }
}

/// What the version in use does beside a change that waits or that was rolled back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InUse {
    /// It has ended, and its unit is not active.
    DoesNotRun(InactiveUnit),
    /// Its container runs, and systemd is starting its unit.
    Starts(Box<Reason>),
    /// Its container runs, and its unit has ended.
    RunsAlone(Box<InactiveUnit>),
    EndsAgain(Box<Ends>),
}

/// The ends of a program that ends again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ends {
    pub times: usize,
    /// From the first of these times to the last.
    pub within: Span,
    /// Why it could not be started, if it does not run. Such starts count as ends.
    pub not_started: Option<String>,
    pub exit_code: Option<i64>,
    /// The last lines of its last life.
    pub printed: Vec<String>,
}

/// Why a unit that should be active is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InactiveUnit {
    NotRunning,
    /// systemd has a start job for it.
    Starting,
    /// systemd has a stop job for it.
    Stopping,
    /// systemd is restarting it, and has done so this many times.
    Restarting {
        times: u32,
        /// Why its program could not be started.
        not_started: Option<String>,
    },
    /// systemd skipped its last start.
    NotStarted {
        why: String,
    },
    /// A job of systemd waits for it.
    WaitsForJob(JobWait),
    /// It has failed, for the reason that systemd gives.
    Failed {
        result: String,
    },
    /// systemd gave up restarting its supervisor, and its container runs on.
    SupervisorKeepsEnding {
        times: u32,
    },
    /// systemd gave up restarting it.
    KeepsEnding {
        times: u32,
        last: LastEnd,
    },
}

/// How a program ended that does not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LastEnd {
    /// It could not be started again.
    NotStarted { why: String },
    /// The kernel killed it.
    OutOfMemory,
    /// It ended with this exit status.
    Status(i64),
    /// It has ended or was never one of the unit, which remains active without a process.
    UnitRemains,
    /// It is running, or its end is unknown.
    Unknown,
}

impl Display for Activity {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Self::Removing => "being removed",
            Self::Pulling => "pulling the image",
            Self::Checking => "running its checks, then preparing container and unit",
            Self::Preparing => "preparing container and unit",
            Self::RunningOnce(kind, operation) => {
                return write!(f, "the {} {operation} is running", kind.as_str());
            }
            Self::Starting => "starting",
            Self::Reloading => "being reloaded; its container runs on",
            Self::RollingBack => "rolling back to the version before",
        })
    }
}

impl Display for Lack {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Self::NewImage => "its image is not on the host",
            Self::NewContainer => "its container does not exist yet",
            Self::NewUnit => "its unit is missing or out of date",
            Self::Unit => "its unit is missing",
            Self::Documents => "its documents on the host are out of date",
            Self::Files => "its files on the host were changed",
            Self::Reload => "its program has not taken over its new files",
            Self::Container => "its container is gone",
            Self::ContainerAndImage => "container and image are gone",
            Self::ContainerName => "its container has an interim name",
            Self::Cleanup => "older containers are left",
        })
    }
}

impl Display for Interruption {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Self::BeforeStop => "the switch was interrupted before the stop",
            Self::BeforeStart => "the switch was interrupted before the start",
            Self::BeforeAnswer => "the switch was interrupted before the new version answered",
        })
    }
}

impl Display for SoakState {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Self::Begins => "the new version answers",
            Self::BeginsLate => "already running; its soak has not finished",
            Self::GoesOn { left } => return write!(f, "must stay healthy for another {left}"),
            Self::LastProbeFailed => "its last probe failed",
            Self::NotObservedYet => "its health is not known yet",
            Self::Passed => "stayed healthy through its soak time",
            Self::Restarted => "was restarted on the host; its soak begins again",
            Self::Restarting => "is being restarted on the host",
            Self::UnitLost => "lost its unit during its soak",
            Self::Ended => "ended during its soak",
            Self::Unhealthy { detail } => {
                return write!(f, "stopped answering during its soak: {detail}");
            }
            Self::NeverObserved => "could not be asked for its health",
        })
    }
}

impl Display for ManualStop {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Self::Stopped => "stopped on the host by hand",
            Self::Perhaps => {
                "stopped on the host by hand, or it ended by itself; which of both is not known, so \
                 it is not started; start it there or apply another change"
            }
            Self::Masked => "its unit is masked on the host",
        })
    }
}

impl Display for InactiveUnit {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::NotRunning => f.write_str("its unit is not running"),
            Self::Starting => f.write_str("systemd is starting it"),
            Self::Stopping => f.write_str("systemd is stopping it"),
            Self::Restarting { times, not_started } => {
                let times = counted(u64::from(*times), "times");
                write!(f, "started again by systemd, {times} so far")?;
                not_started
                    .as_ref()
                    .map_or(Ok(()), |why| write!(f, "; the last start failed: {why}"))
            }
            Self::NotStarted { why } => write!(f, "did not start: {why}"),
            Self::WaitsForJob(job) => job.fmt(f),
            Self::Failed { result } => write!(f, "its unit has failed: {result}"),
            Self::SupervisorKeepsEnding { times } => write!(
                f,
                "its supervisor ended {times} times in a row; the container runs on without it"
            ),
            Self::KeepsEnding { times, last: last @ LastEnd::NotStarted { .. } } => {
                write!(f, "ended or could not be started {times} times in a row: {last}")
            }
            Self::KeepsEnding { times, last } => write!(f, "ended {times} times in a row: {last}"),
        }
    }
}

const UNIT_REMAINS: &str = "its unit is active (exited): none of its processes runs, so the health of \
                            its program is not known";

impl Display for LastEnd {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::NotStarted { why } => write!(f, "its last start failed: {why}"),
            Self::OutOfMemory => f.write_str("the kernel killed it: out of memory"),
            Self::Status(code) => write!(f, "its program ended with exit code {code}"),
            Self::UnitRemains => f.write_str(UNIT_REMAINS),
            Self::Unknown => f.write_str("no recent health check"),
        }
    }
}
