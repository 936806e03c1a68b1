//! `omlctl rollback`: a new revision with the content of an earlier one.

use clap::ValueHint;
use oml_common::id::TenantId;

use crate::change::{ChangeArgs, Wanted};
use crate::error::CommandError;
use crate::pairs::{Number, Pairs};

/// Go back to an earlier revision: its content becomes a new revision
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  omlctl rollback tenant=acme to=3
  omlctl rollback tenant=acme to=3 --dry-run
  omlctl history tenant=acme")]
pub(crate) struct Arguments {
    /// tenant=NAME to=REVISION
    #[arg(value_name = "tenant=NAME to=REVISION", value_hint = ValueHint::Other, required = true)]
    words: Vec<String>,
    #[command(flatten)]
    pub(super) args: ChangeArgs,
}

impl Arguments {
    pub(super) fn wanted(&self) -> Result<Wanted, CommandError> {
        let mut pairs = Pairs::parse(&self.words, &["tenant", "to"])?;
        let tenant: TenantId = pairs.need("tenant", "acme")?;
        let Number(to) = pairs.need("to", "3")?;
        Ok(Wanted::Rollback { tenant: tenant.into(), to })
    }
}
