//! `omlctl apply` applies the specification of a tenant.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::change::{ChangeArgs, ChangeRequest};
use crate::error::CommandError;

/// Install or change a tenant as a file specifies, and wait for the rollout
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  omlctl apply -f acme.yaml
  omlctl apply -f acme.yaml --dry-run
  omlctl apply -f acme.yaml --prune     # removes what is no longer in the file, without a question
  omlctl apply -f acme.yaml --why 'ticket 4711' --timeout 4h
  omlctl get spec tenant=acme | sed s/230204.01/230215.01/ | omlctl apply -f -")]
pub(crate) struct Arguments {
    /// The file with the tenant's specification, or - for standard input
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    pub(super) args: ChangeArgs,
}

/// The maximum size of a specification.
const SPEC_BYTES_MAX: u64 = 1 << 20;

impl Arguments {
    pub(super) fn request(&self) -> Result<ChangeRequest, CommandError> {
        Ok(ChangeRequest::Apply { spec_yaml: read_spec(&self.file)? })
    }
}

/// Reads a specification up to its maximum size, before the controller is contacted.
pub(super) fn read_spec(path: &Path) -> Result<String, CommandError> {
    let shown = if path == Path::new("-") {
        "standard input".to_owned()
    } else {
        path.display().to_string()
    };
    let mut bytes = Vec::new();
    let read = match shown.as_str() {
        "standard input" => {
            std::io::stdin().lock().take(SPEC_BYTES_MAX + 1).read_to_end(&mut bytes)
        }
        _ => std::fs::File::open(path)
            .and_then(|file| file.take(SPEC_BYTES_MAX + 1).read_to_end(&mut bytes)),
    };
    read.map_err(|source| CommandError::File { doing: "read", path: path.to_owned(), source })?;
    if bytes.len() as u64 > SPEC_BYTES_MAX {
        return Err(CommandError::Usage(format!(
            "{shown} is larger than 1 MiB, the maximum size of a specification"
        )));
    }
    if bytes.is_empty() {
        return Err(CommandError::Usage(format!("{shown} is empty")));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        CommandError::Usage(format!("{shown} is not text in UTF-8 (line {line})"))
    })
}
