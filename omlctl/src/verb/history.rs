//! `omlctl history` shows who changed what, when and why, and the outcome.

use clap::ValueHint;
use oml_common::id::TenantId;

use super::{Session, get};
use crate::error::CommandError;
use crate::pairs::Pairs;
use crate::view;
use crate::wait::ExitOutcome;

/// Show the changes of a tenant: who made them, when and why, and their outcome
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  omlctl history tenant=acme
  omlctl history tenant=acme -o yaml")]
pub(crate) struct Arguments {
    /// The tenant: tenant=NAME
    #[arg(value_name = "tenant=NAME", value_hint = ValueHint::Other, required = true)]
    words: Vec<String>,
}

impl Arguments {
    pub(super) fn request(&self) -> Result<TenantId, CommandError> {
        Pairs::parse(&self.words, &["tenant"])?.need("tenant", "acme")
    }
}

pub(super) async fn run(session: Session, tenant: TenantId) -> Result<ExitOutcome, CommandError> {
    let mut controller = session.target.connect().await?;
    let revisions = get::revisions(&mut controller, tenant.into()).await?;
    session.output.list(&revisions, || view::history(&session.output, &revisions))?;
    Ok(ExitOutcome::Done)
}
