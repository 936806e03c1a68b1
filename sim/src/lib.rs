//! One model of a host: a container engine and a systemd that behave as the
//! real ones do, in memory and on tokio's clock.
//!
//! The model has the daemons' own terms (containers with labels, unit files,
//! jobs, signals) and knows nothing of agents, components or documents: the
//! program that embeds it runs the real code on top. It never runs a program itself. What a
//! container's program does is asked of [`Programs`]; the main process of a unit
//! is handed out as a [`Process`] to the caller that runs it.

mod faults;
mod host;
mod program;
mod registry;

pub use faults::{Daemon, Fault, Verb};
pub use host::{
    ActiveState, Call, Container, ContainerSettings, ContainerState, EngineError, Event,
    EventAction, ExitCause, HostModel, HostSettings, Job, JobEvent, NewContainer, Notifier,
    Process, Programs, Signal, TestedLine, Tests, UnitError, UnitState, WaitEnd,
};
pub use program::{Behaviour, ExecAnswer, Image};
pub use registry::Registry;
