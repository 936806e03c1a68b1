//! `omlctl history`: who changed what, when, and what became of it.

use clap::ValueHint;
use oml_common::id::TenantId;

use super::{Session, get};
use crate::error::CommandError;
use crate::pairs::Pairs;
use crate::view;
use crate::wait::ExitOutcome;

/// Show who changed a tenant, when, what and why, and what became of it
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  omlctl history tenant=acme
  omlctl history tenant=acme -o yaml")]
pub(crate) struct Arguments {
    /// tenant=NAME
    #[arg(value_name = "tenant=NAME", value_hint = ValueHint::Other, required = true)]
    words: Vec<String>,
}

impl Arguments {
    pub(super) fn wanted(&self) -> Result<TenantId, CommandError> {
        Pairs::parse(&self.words, &["tenant"])?.need("tenant", "acme")
    }
}

pub(super) async fn run(session: Session, tenant: TenantId) -> Result<ExitOutcome, CommandError> {
    let mut controller = session.target.connect().await?;
    let revisions = get::revisions(&mut controller, tenant.into()).await?;
    session.output.list(&revisions, || view::history(&session.output, &revisions))?;
    Ok(ExitOutcome::Done)
}
