//! `omlctl validate` checks a tenant's document without a controller.

use std::path::{Path, PathBuf};

use oml_common::decide::plan::offline;
use oml_common::document::catalog::Catalog;
use oml_common::document::spec::TenantSpec;
use oml_common::text::problem::Problems;
use oml_daemon::catalog_files::{self, Place};

use super::apply::read_spec;
use crate::common::Common;
use crate::error::CommandError;
use crate::output::Output;
use crate::wait::ExitOutcome;

/// Check a tenant's document without a controller, by a catalog if one is given
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Every mistake is shown at once, with its line. With a catalog, this finds what `omlctl plan` finds,
but for what depends on the tenant's hosts, its secrets and its releases.

Exit codes: 0 no mistake, 2 mistakes.

Examples:
  omlctl validate -f acme.yaml
  omlctl validate -f acme.yaml --catalog omnileads-2.6.yaml
  omlctl validate -f acme.yaml --catalog catalogs/mine      # a catalog that is a folder")]
pub(crate) struct Arguments {
    /// The file with the tenant's document, or - for standard input
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
    /// The catalog that the document names: its file or its folder
    #[arg(long, value_name = "PATH")]
    catalog: Option<PathBuf>,
}

/// Checks the document and says that it has no mistake.
pub(super) fn run(common: &Common, arguments: &Arguments) -> Result<ExitOutcome, CommandError> {
    let text = read_spec(&arguments.file)?;
    let read = TenantSpec::read_partly(&text).map_err(CommandError::Problems)?;
    let (spec, mut problems) = read;
    let compared = match &arguments.catalog {
        Some(path) => {
            let catalog = read_catalog(path).map_err(|error| beside(error, &problems))?;
            problems.0.extend(offline::check(&spec, &catalog).0);
            format!("no mistake by catalog {}", spec.catalog)
        }
        None => format!(
            "no mistake by itself; --catalog PATH compares it with catalog {}",
            spec.catalog
        ),
    };
    problems.into_result(()).map_err(CommandError::Problems)?;
    Output::new(common.output).text(&format!("{}: {compared}", spec.tenant))?;
    Ok(ExitOutcome::Done)
}

/// Reads a catalog with all that it includes.
fn read_catalog(path: &Path) -> Result<Catalog, CommandError> {
    let failed = |source| CommandError::File { doing: "read", path: path.to_owned(), source };
    let sources = Place::of(path).and_then(|place| catalog_files::read_alone(&place));
    sources.map_err(failed)?.catalog().map_err(|problems| in_catalog(path, &problems))
}

/// Adds the mistakes of the document to those of the catalog.
fn beside(error: CommandError, problems: &Problems) -> CommandError {
    if problems.0.is_empty() || !matches!(error, CommandError::Usage(_)) {
        return error;
    }
    CommandError::Usage(format!("{error}\nthe document has mistakes too:\n{problems}"))
}

/// Says that the catalog itself has mistakes.
fn in_catalog(path: &Path, problems: &Problems) -> CommandError {
    let path = path.display();
    CommandError::Usage(format!("{path} is not a catalog:\n{problems}"))
}
