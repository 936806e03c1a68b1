//! `omlctl run` runs an operation of a component once and shows its output.

use std::collections::BTreeMap;

use clap::ValueHint;
use oml_common::decide::operation::left_out;
use oml_common::id::{ComponentName, InvalidId, NodeName, OperationName, TenantId, ValueName};
use oml_common::text::printable::printable;
use oml_common::text::problem::Problem;
use oml_proto::v1::{Run, RunEvent, RunOperationRequest, RunOutcome, RunState};

use super::Session;
use crate::connection::{Failed, Watch};
use crate::error::CommandError;
use crate::output::{Format, Output, print_note};
use crate::pairs::{Pairs, bare_word};
use crate::view::run_number;
use crate::wait::ExitOutcome;

/// Run an operation of a component once, and show its output
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The catalog of the tenant says which operations a component has; without an operation, they are
listed. One runs on a node that runs the component, with the image, the mounts and the limits of
the component. It goes on if this command is interrupted; omlctl runs shows what became of it.

Exit codes: 0 it succeeded, 1 it failed, was interrupted or did not begin, 2 it was refused or no
operation is given, 4 it goes on, 5 the controller cannot be reached: it may go on.

Examples:
  omlctl run tenant=acme omnileads                 # which operations it has
  omlctl run tenant=acme omnileads redis-sync
  omlctl run tenant=acme omnileads reset-admin-password node=acme-app")]
pub(crate) struct Arguments {
    /// tenant=NAME, the component, the operation, NAME=VALUE for every value that it takes, and
    /// node=NAME if several nodes run the component
    #[arg(
        value_name = "tenant=NAME COMPONENT OPERATION",
        value_hint = ValueHint::Other,
        required = true
    )]
    words: Vec<String>,
}

impl Arguments {
    pub(super) fn request(&self) -> Result<RunOperationRequest, CommandError> {
        let (pairs, bare): (Vec<String>, Vec<String>) =
            self.words.iter().cloned().partition(|word| word.contains('='));
        // In `tenant acme`, the first of two words is a key without its `=`.
        if let Some(at) = self.words.iter().position(|word| word == "tenant")
            && let Some(error) = bare_word(&self.words[at..], &["tenant"])
        {
            return Err(error);
        }
        let wrong = |message: &str| {
            let hint = "for example omlctl run tenant=acme omnileads redis-sync";
            CommandError::usage(&Problem::new("", message).hint(hint))
        };
        let (component, operation) = match bare.as_slice() {
            [] => return Err(wrong("no component and no operation are given")),
            // The controller knows which there are.
            [component] => (component, None),
            [component, operation] => (component, Some(operation)),
            [..] => return Err(wrong("more than a component and an operation are given")),
        };
        let mut pairs = Pairs::open(&pairs)?;
        let tenant: TenantId = pairs.need("tenant", "acme")?;
        let node: Option<NodeName> = pairs.optional("node")?;
        let component: ComponentName = word(component)?;
        let operation: Option<OperationName> = operation.map(|text| word(text)).transpose()?;
        let values: Vec<(ValueName, String)> = pairs.rest()?;
        let values: BTreeMap<String, String> =
            values.into_iter().map(|(name, value)| (name.into(), value)).collect();
        Ok(RunOperationRequest {
            tenant: tenant.into(),
            component: component.into(),
            operation: operation.map(String::from).unwrap_or_default(),
            node: node.map(String::from).unwrap_or_default(),
            values,
        })
    }
}

fn word<T: std::str::FromStr<Err = InvalidId>>(text: &str) -> Result<T, CommandError> {
    text.parse().map_err(|error: InvalidId| CommandError::Usage(error.to_string()))
}

pub(super) async fn run(
    session: Session,
    request: RunOperationRequest,
) -> Result<ExitOutcome, CommandError> {
    let mut controller = session.target.connect().await?;
    let tenant = request.tenant.clone();
    let mut events = match controller.run_operation(request).await {
        Ok(events) => events,
        Err(Failed::Lost(why)) => return Err(unknown(&tenant, None, &why)),
        Err(failed) => return Err(failed.into()),
    };
    let mut shown = Shown { output: &session.output, tenant, run: None };
    // Dropping the stream is safe: the run goes on.
    tokio::select! {
        ended = shown.follow(&mut events) => ended,
        interrupted = tokio::signal::ctrl_c() => {
            interrupted.map_err(CommandError::Start)?;
            Ok(shown.left())
        }
    }
}

/// What this command knows of its run.
struct Shown<'a> {
    output: &'a Output,
    tenant: String,
    run: Option<Run>,
}

impl Shown<'_> {
    async fn follow(&mut self, events: &mut Watch<RunEvent>) -> Result<ExitOutcome, CommandError> {
        loop {
            let event = match events.next().await {
                Ok(event) => event,
                Err(Failed::Lost(why)) => {
                    return Err(unknown(&self.tenant, self.run.as_ref(), &why));
                }
                Err(failed) => return Err(failed.into()),
            };
            self.show(&event)?;
            let run = event.run.unwrap_or_default();
            let ended = outcome(&run);
            if ended.is_some() {
                print_note(&format!("run {} {}", run_number(&run), printable(&run.sentence)));
            }
            self.run = Some(run);
            if let Some(ended) = ended {
                return Ok(ended);
            }
        }
    }

    fn show(&self, event: &RunEvent) -> Result<(), CommandError> {
        let run = event.run.clone().unwrap_or_default();
        if self.run.is_none() {
            let (operation, component, node) = (&run.operation, &run.component, &run.node);
            print_note(&format!("run {}: {operation} of {component} on {node}", run_number(&run)));
        }
        if self.output.format != Format::Table {
            return self.output.datum(event, String::new);
        }
        if event.left_out > 0 {
            print_note(&left_out(event.left_out));
        }
        for line in &event.lines {
            self.output.text(&format!("{}\n", printable(line)))?;
        }
        Ok(())
    }

    /// The outcome of a command that does not wait for the end of its run.
    fn left(&self) -> ExitOutcome {
        let run = self.run.as_ref().map(run_number).unwrap_or_default();
        let tenant = &self.tenant;
        print_note(&format!("interrupted: run {run} goes on; see omlctl runs tenant={tenant}"));
        ExitOutcome::Waiting
    }
}

/// Returns the outcome of a run; none while it goes on.
pub(super) fn outcome(run: &Run) -> Option<ExitOutcome> {
    let result = run.result.clone().unwrap_or_default();
    match run.state() {
        RunState::Waiting | RunState::Running => None,
        RunState::Unanswered | RunState::Lost => Some(ExitOutcome::Failed),
        RunState::Unspecified => Some(ExitOutcome::Unknown),
        RunState::Ended => Some(match (result.outcome(), result.status) {
            (RunOutcome::Exited, Some(0)) => ExitOutcome::Done,
            (RunOutcome::Unspecified | RunOutcome::Unknown, _) => ExitOutcome::Unknown,
            (
                RunOutcome::Exited
                | RunOutcome::DeadlineExceeded
                | RunOutcome::Interrupted
                | RunOutcome::NotStarted,
                _,
            ) => ExitOutcome::Failed,
        }),
    }
}

/// The error of a run whose end this command does not learn.
fn unknown(tenant: &str, run: Option<&Run>, why: &str) -> CommandError {
    let run = match run {
        Some(run) => format!("run {} may go on", run_number(run)),
        None => "the run may have begun".to_owned(),
    };
    CommandError::Unreachable(format!("{why}; {run}: see omlctl runs tenant={tenant}"))
}
