//! `omlctl schema` prints the JSON schemas of what people write, for their editors.

use oml_common::document::schema::{CATALOG_SCHEMA, TENANT_SCHEMA};

use crate::common::Common;
use crate::error::CommandError;
use crate::output::Output;
use crate::wait::ExitOutcome;

/// Print the JSON schema of tenant documents or catalogs, for editors
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  omlctl schema tenant > ~/.config/oml/tenant.json
  omlctl schema catalog > ~/.config/oml/catalog.json

An editor with the YAML language server reads the schema that the first line of a file names:
  # yaml-language-server: $schema=/home/anna/.config/oml/tenant.json")]
pub(crate) struct Arguments {
    /// The kind of document: tenant or catalog
    #[arg(hide_possible_values = true)]
    kind: Kind,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Kind {
    Tenant,
    Catalog,
}

/// Prints the schema, which needs no controller.
pub(super) fn run(common: &Common, arguments: &Arguments) -> Result<ExitOutcome, CommandError> {
    let schema = match arguments.kind {
        Kind::Tenant => TENANT_SCHEMA,
        Kind::Catalog => CATALOG_SCHEMA,
    };
    Output::new(common.output).text(schema.trim_end())?;
    Ok(ExitOutcome::Done)
}
