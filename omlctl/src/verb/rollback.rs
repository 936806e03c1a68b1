//! `omlctl rollback` makes a new revision with the content of an earlier one.

use clap::ValueHint;
use oml_common::id::TenantId;

use crate::change::{ChangeArgs, ChangeRequest};
use crate::error::CommandError;
use crate::pairs::{Number, Pairs};

/// Roll back to an earlier revision, by a new revision with the same content
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  omlctl rollback tenant=acme to=3
  omlctl rollback tenant=acme to=3 --dry-run
  omlctl history tenant=acme     # shows the numbers of the revisions")]
pub(crate) struct Arguments {
    /// The tenant and the number of the revision: tenant=NAME to=REVISION
    #[arg(value_name = "tenant=NAME to=REVISION", value_hint = ValueHint::Other, required = true)]
    words: Vec<String>,
    #[command(flatten)]
    pub(super) args: ChangeArgs,
}

impl Arguments {
    pub(super) fn request(&self) -> Result<ChangeRequest, CommandError> {
        let mut pairs = Pairs::parse(&self.words, &["tenant", "to"])?;
        let tenant: TenantId = pairs.need("tenant", "acme")?;
        let Number(to) = pairs.need("to", "3")?;
        Ok(ChangeRequest::Rollback { tenant: tenant.into(), to })
    }
}
