//! `omlctl plan`: shows what applying a file would change.

use std::path::PathBuf;

use super::apply;
use crate::change::Wanted;
use crate::error::CommandError;

/// Show what applying a file would change, and change nothing
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  omlctl plan -f acme.yaml
  omlctl plan -f acme.yaml -o json")]
pub(crate) struct Arguments {
    /// The tenant's specification, or - for standard input
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
}

impl Arguments {
    pub(super) fn wanted(&self) -> Result<Wanted, CommandError> {
        Ok(Wanted::Apply { spec_yaml: apply::read_spec(&self.file)? })
    }
}
