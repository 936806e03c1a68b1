//! The reasons for phases and steps, as people read them in reports and logs.

use std::collections::BTreeSet;
use std::fmt::{Display, Formatter, Result};

use crate::decide::difference::ForeignObject;
use crate::decide::rights::NotAllowed;
use crate::document::instance::KeptSecret;
use crate::document::update::Backoff;
use crate::id::{ComponentName, Version};

mod calls;
mod ends;
mod failed_start;
mod key;
mod parts;
mod waits;

use self::calls::{cut_at_deadline, draining};
use self::ends::{ends_again, now_is};
pub use self::parts::{
    Activity, CallCount, Ends, InUse, InactiveUnit, Interruption, Lack, LastEnd, ManualStop,
    Meanwhile, SoakState,
};
pub use self::waits::{JobWait, RestartOfUnhealthy};

const LAST_GOOD_MEANWHILE: &str = "the superseded version is not running; the last known-good \
                                   version runs until this one is ready";
const STOPS_LEFTOVER: &str = "stopped on the host by hand while its supervisor did not run; its \
                              container is being stopped too";
const WAITS_FOR_UNMASK: &str = "its unit runs and is masked on the host; the change waits until \
                                somebody runs systemctl unmask for its unit there";

/// The reason of a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    NeedsNewerAgent {
        why: String,
        /// The step until the agent is upgraded; none if the running version is left as it is.
        meanwhile: Option<Meanwhile>,
    },
    /// A unit or container of its name on the host does not carry our mark.
    Foreign {
        object: ForeignObject,
    },
    /// It asks for rights that the host does not allow.
    NotAllowed(NotAllowed),
    /// The engine or systemd does not answer.
    DaemonAway {
        message: String,
    },
    /// The engine answers, but does not tell the state of one of its containers.
    Unseen {
        container: String,
        why: String,
    },
    /// The last step could not be done; the next try comes later.
    Retrying {
        message: String,
        /// What the message is about, if its numbers are others at every try.
        about: Option<String>,
        /// What the present try has pulled.
        pulled_bytes: u64,
    },
    /// The engine or the registry refused what the new version needs, again and again.
    Refused {
        message: String,
    },
    NotDesired,
    /// It is no longer desired, and goes when what may take its place can start.
    RemovedFor {
        component: ComponentName,
    },
    RemovalFailed {
        message: String,
    },
    /// A step is in progress.
    Doing(Activity),
    /// Something is not on the host as it should be.
    Lacks(Lack),
    WaitsFor {
        component: ComponentName,
    },
    /// The controller has not sent the values of these secrets yet.
    WaitsForSecrets(BTreeSet<KeptSecret>),
    Draining {
        noun: String,
        count: CallCount,
        /// The deadline has passed, and the operator wants to wait all the same.
        is_overdue: bool,
    },
    FirstStart,
    /// The desired version or configuration differs from what runs.
    Changed,
    /// The drain deadline has passed; without a number the calls cannot be counted.
    CutAtDeadline {
        calls: Option<u64>,
    },
    /// The drain deadline has passed, and the operator wants no call to be cut.
    NotBegun {
        calls: Box<Reason>,
    },
    Interrupted(Interruption),
    /// The new version did not start; `result` is the term of systemd.
    DidNotStart {
        result: String,
    },
    /// The superseded version is not running, so the last good one is started.
    LastGoodMeanwhile,
    Soak(SoakState),
    /// The change failed.
    Failed {
        message: String,
        stop: Option<ManualStop>,
    },
    /// The change failed, and the previous version runs or should.
    RolledBack {
        version: Option<Version>,
        message: String,
        stop: Option<ManualStop>,
    },
    /// The change failed, and the version has become healthy since.
    HealthyAfterAll,
    /// It was stopped or masked on the host.
    StoppedByHand(ManualStop),
    /// It was stopped or masked on the host before its soak finished.
    StoppedBeforeSoaked(ManualStop),
    /// Its unit runs and was masked on the host, so it cannot be changed.
    WaitsForUnmask,
    /// It was stopped on the host while its supervisor did not run, so its container still does.
    StopsLeftover,
    /// The unit is not active.
    Unit(InactiveUnit),
    /// A job of systemd for its unit has not begun.
    WaitsForJob {
        /// What is said beside it.
        change: Option<Box<Reason>>,
        job: JobWait,
    },
    /// The version in use is not well while the change waits, or after it was rolled back.
    Beside {
        change: Box<Reason>,
        version: Option<Version>,
        state: InUse,
    },
    /// The result of the probe.
    Probe {
        detail: String,
    },
    /// The program is being started and has not answered yet.
    Starting {
        activity: Box<Reason>,
        /// The result of the last probe.
        detail: String,
        /// The last lines that it printed.
        printed: Vec<String>,
    },
    /// The probe fails.
    Unhealthy {
        probe: Box<Reason>,
        remedy: RestartOfUnhealthy,
    },
    /// The program ends again and again.
    CrashLoop {
        ends: Box<Ends>,
        now: Box<Reason>,
    },
    /// The probe was changed and has no result yet.
    ProbeChanged,
    /// Its supervisor still runs the program of another release, which cannot do what is needed.
    OldSupervisor,
    /// Its program did not take over its new files while it ran, and has the former ones again.
    ReloadFailed {
        message: String,
    },
    /// There is no recent health check.
    Unobserved(LastEnd),
}

/// The pulled bytes of another try are reported in steps of this size: 100 MiB.
const PULLED_STEP_BYTES: u64 = 100 << 20;

/// Says what another try has pulled, in steps, so that not every byte is a new message.
fn pulled(bytes: u64) -> String {
    match bytes / PULLED_STEP_BYTES {
        0 => String::new(),
        hundreds => format!("; this try has pulled more than {hundreds}00 MiB"),
    }
}

impl Reason {
    /// The last step could not be done, and the present try has pulled so many bytes.
    pub(super) fn retrying(backoff: &Backoff, pulled_bytes: u64) -> Self {
        let (message, about) = (backoff.message.clone(), backoff.about.clone());
        Self::Retrying { message, about, pulled_bytes }
    }

    /// Returns true if the instance stays down because somebody stopped or masked it on the host.
    pub(super) fn is_manual_stop(&self) -> bool {
        if let Self::Beside { change, .. } = self {
            return change.is_manual_stop();
        }
        matches!(
            self,
            Self::StoppedByHand(_)
                | Self::StoppedBeforeSoaked(_)
                | Self::Failed { stop: Some(_), .. }
                | Self::RolledBack { stop: Some(_), .. }
        )
    }
}

impl Display for Reason {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::NeedsNewerAgent { why, meanwhile } => newer_agent(f, why, meanwhile.as_ref()),
            Self::Foreign { object } => foreign(f, object),
            Self::NotAllowed(rights) => rights.fmt(f),
            Self::DaemonAway { message } => f.write_str(message),
            Self::Unseen { container, why } => {
                write!(f, "the state of container {container} is not known: {why}")
            }
            Self::Retrying { message, about: _, pulled_bytes } => {
                write!(f, "{message}{}", pulled(*pulled_bytes))
            }
            Self::Refused { message } => write!(f, "cannot run here: {message}"),
            Self::RemovedFor { component } => {
                write!(f, "is removed as soon as {component} can start")
            }
            Self::NotDesired => f.write_str("no longer part of the desired state"),
            Self::RemovalFailed { message } => write!(f, "its removal {message}"),
            Self::Doing(activity) => activity.fmt(f),
            Self::Lacks(lack) => lack.fmt(f),
            Self::WaitsFor { component } => write!(f, "waits for {component}"),
            Self::WaitsForSecrets(secrets) => waits_for_secrets(f, secrets),
            Self::Draining { noun, count, is_overdue } => draining(f, noun, count, *is_overdue),
            Self::FirstStart => f.write_str("first start"),
            Self::Changed => f.write_str("another version or configuration is desired"),
            Self::CutAtDeadline { calls } => cut_at_deadline(f, *calls),
            Self::NotBegun { calls } => write!(f, "was not begun: at the drain deadline {calls}"),
            Self::Interrupted(interruption) => interruption.fmt(f),
            Self::DidNotStart { result } => write!(f, "did not start: {}", unit_words(result)),
            Self::LastGoodMeanwhile => f.write_str(LAST_GOOD_MEANWHILE),
            Self::Soak(state) => state.fmt(f),
            Self::Failed { message, stop } => with_stop(f, message, *stop),
            Self::RolledBack { version, message, stop } => {
                rolled_back(f, version.as_ref(), message, *stop)
            }
            Self::HealthyAfterAll => f.write_str("healthy after all"),
            Self::StoppedByHand(stop) => stop.fmt(f),
            Self::StoppedBeforeSoaked(stop) => f.write_str(stop.before_soaked()),
            Self::WaitsForUnmask => f.write_str(WAITS_FOR_UNMASK),
            Self::StopsLeftover => f.write_str(STOPS_LEFTOVER),
            Self::Unit(inactive) => inactive.fmt(f),
            Self::WaitsForJob { change, job } => waits_for_job(f, change.as_deref(), job),
            Self::Beside { change, version, state } => {
                beside(f, change, version.as_ref(), state)
            }
            Self::Probe { detail } => f.write_str(detail),
            Self::Starting { activity, detail, printed } => starting(f, activity, detail, printed),
            Self::Unhealthy { probe, remedy } => write!(f, "{probe}; {remedy}"),
            Self::CrashLoop { ends, now } => {
                ends_again(f, ends, Some(now))?;
                now_is(f, now)
            }
            Self::ProbeChanged => f.write_str("its probe was changed; no result yet"),
            Self::OldSupervisor => f.write_str(
                "its supervisor is of an earlier release; replacing it, the container keeps running",
            ),
            Self::ReloadFailed { message } => f.write_str(message),
            Self::Unobserved(last) => last.fmt(f),
        }
    }
}

fn newer_agent(f: &mut Formatter<'_>, why: &str, meanwhile: Option<&Meanwhile>) -> Result {
    write!(f, "needs a newer agent: {why}")?;
    meanwhile.map_or(Ok(()), |meanwhile| write!(f, "; {meanwhile}"))
}

fn foreign(f: &mut Formatter<'_>, object: &ForeignObject) -> Result {
    match object {
        ForeignObject::RefusedUnit { .. } => object.fmt(f),
        ForeignObject::Container { .. }
        | ForeignObject::Unit { .. }
        | ForeignObject::DropIn { .. } => {
            write!(f, "{object} exists on the host and is not ours; it was not touched")
        }
    }
}

fn waits_for_secrets(f: &mut Formatter<'_>, secrets: &BTreeSet<KeptSecret>) -> Result {
    let names: BTreeSet<String> = secrets.iter().map(ToString::to_string).collect();
    let names: Vec<String> = names.into_iter().collect();
    write!(f, "waits for {}, which the controller has not sent yet", names.join(" and "))
}

fn waits_for_job(f: &mut Formatter<'_>, change: Option<&Reason>, job: &JobWait) -> Result {
    change.map_or(Ok(()), |change| write!(f, "{change}; "))?;
    job.fmt(f)
}

fn rolled_back(
    f: &mut Formatter<'_>,
    version: Option<&Version>,
    message: &str,
    stop: Option<ManualStop>,
) -> Result {
    if let Some(version) = version {
        write!(f, "version {version} ")?;
    }
    with_stop(f, message, stop)
}

fn beside(
    f: &mut Formatter<'_>,
    change: &Reason,
    version: Option<&Version>,
    state: &InUse,
) -> Result {
    write!(f, "{change}; meanwhile the version in use")?;
    if let Some(version) = version {
        write!(f, ", {version},")?;
    }
    match state {
        InUse::DoesNotRun(inactive) => {
            write!(f, " does not run: {inactive}; it is started again at least once a minute")
        }
        InUse::Starts(start) => write!(f, " runs: {start}"),
        InUse::RunsAlone(inactive) => write!(f, " runs, but its unit is not active: {inactive}"),
        InUse::EndsAgain(ends) => {
            f.write_str(" ")?;
            ends_again(f, ends, None)
        }
    }
}

fn starting(f: &mut Formatter<'_>, activity: &Reason, detail: &str, printed: &[String]) -> Result {
    write!(f, "{activity}: {detail}")?;
    last_lines(f, "it printed", printed)
}

/// Writes the last of these lines, which are an excerpt of a log.
fn last_lines(f: &mut Formatter<'_>, label: &str, lines: &[String]) -> Result {
    const LINES_MAX: usize = 3;
    let shown = &lines[lines.len().saturating_sub(LINES_MAX)..];
    if shown.is_empty() {
        return Ok(());
    }
    let quoted: Vec<String> = shown.iter().map(|line| format!("{line:?}")).collect();
    write!(f, "; {label}: {}", quoted.join(", "))
}

fn with_stop(f: &mut Formatter<'_>, message: &str, stop: Option<ManualStop>) -> Result {
    f.write_str(message)?;
    stop.map_or(Ok(()), |stop| write!(f, "; {stop}"))
}

/// Explains the result that systemd gives for a unit that never answered.
fn unit_words(result: &str) -> String {
    match result {
        "" | "success" => "it did not answer in time".to_owned(),
        "exit-code" => "its program ended with an error".to_owned(),
        "timeout" => "it did not answer within its start time-out".to_owned(),
        "oom-kill" => "the kernel killed it: out of memory".to_owned(),
        "start-limit-hit" => "it keeps exiting; systemd stopped restarting it".to_owned(),
        other => format!("systemd says {other}"),
    }
}

#[cfg(test)]
mod tests;
