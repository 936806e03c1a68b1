//! `omlctl runs` shows the runs of operations and their outcomes.

use clap::ValueHint;
use oml_common::id::{ComponentName, InvalidId, TenantId};
use oml_proto::v1::ListRunsRequest;
use oml_proto::v1::fleet_client::FleetClient;

use super::Session;
use crate::error::CommandError;
use crate::output::print_note;
use crate::pairs::{Pairs, bare_word};
use crate::view;
use crate::wait::ExitOutcome;

/// Show the runs of operations of a tenant: who asked for them, and what became of them
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The newest 200 runs of a tenant are kept. Preparations and migrations have numbers that begin
with 0- and WHO is update; of these, each host reports the newest five of a component.

Examples:
  omlctl runs tenant=acme
  omlctl runs tenant=acme omnileads
  omlctl runs tenant=acme -o yaml      # with values and the last lines of their output")]
pub(crate) struct Arguments {
    /// The tenant (tenant=NAME), and a component whose runs are shown
    #[arg(value_name = "tenant=NAME | COMPONENT", value_hint = ValueHint::Other, required = true)]
    words: Vec<String>,
}

impl Arguments {
    pub(super) fn request(&self) -> Result<ListRunsRequest, CommandError> {
        let (pairs, bare): (Vec<String>, Vec<String>) =
            self.words.iter().cloned().partition(|word| word.contains('='));
        if let Some(at) = self.words.iter().position(|word| word == "tenant")
            && let Some(error) = bare_word(&self.words[at..], &["tenant"])
        {
            return Err(error);
        }
        let component: Option<ComponentName> = match bare.as_slice() {
            [] => None,
            [component] => Some(
                component
                    .parse()
                    .map_err(|error: InvalidId| CommandError::Usage(error.to_string()))?,
            ),
            [..] => return Err(CommandError::Usage("runs accepts only one component".to_owned())),
        };
        let tenant: TenantId = Pairs::parse(&pairs, &["tenant"])?.need("tenant", "acme")?;
        let component = component.map(String::from).unwrap_or_default();
        Ok(ListRunsRequest { tenant: tenant.into(), component })
    }
}

pub(super) async fn run(
    session: Session,
    request: ListRunsRequest,
) -> Result<ExitOutcome, CommandError> {
    let mut controller = session.target.connect().await?;
    let reply = controller.call(FleetClient::list_runs, request).await?;
    if reply.unreadable > 0 {
        let count = reply.unreadable;
        print_note(&format!("{count} more cannot be read; the log of the controller says why"));
    }
    session.output.list(&reply.runs, || view::runs(&session.output, &reply.runs))?;
    Ok(ExitOutcome::Done)
}
