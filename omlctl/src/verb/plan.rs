//! `omlctl plan` shows what applying a file would change.

use std::path::PathBuf;

use super::apply;
use crate::change::ChangeRequest;
use crate::error::CommandError;

/// Show what applying a file would change, and change nothing
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  omlctl plan -f acme.yaml
  omlctl plan -f acme.yaml -o json")]
pub(crate) struct Arguments {
    /// The file with the tenant's specification, or - for standard input
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
}

impl Arguments {
    pub(super) fn request(&self) -> Result<ChangeRequest, CommandError> {
        Ok(ChangeRequest::Apply { spec_yaml: apply::read_spec(&self.file)? })
    }
}
