//! `omlctl context` manages the contexts: the controllers and the operator's credentials.

use std::path::PathBuf;

use clap::{Subcommand, ValueHint};
use oml_common::time::Timestamp;
use oml_daemon::env::Env;
use oml_daemon::tls::{Peer, certificate};
use serde::Serialize;

use crate::clock;
use crate::common::Common;
use crate::config::{self, Config, ContextName};
use crate::error::CommandError;
use crate::output::{Output, print_note};
use crate::table::{Column, plain};
use crate::wait::ExitOutcome;

/// Manage the contexts: which controllers you use, and with which credentials
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  omlctl context import operator.toml
  omlctl context import operator.toml --name lab
  omlctl context list
  omlctl context use lab
  omlctl context show
  omlctl context remove lab")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Import the bundle that omlcontroller init or operator add wrote for you
    #[command(after_help = "\
Examples:
  omlctl context import operator.toml
  omlctl context import operator.toml --name lab
  omlctl context import renewed.toml --replace")]
    Import {
        /// The file with the operator bundle
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// Name of the context, instead of the name in the file
        #[arg(long, value_hint = ValueHint::Other)]
        name: Option<ContextName>,
        /// Overwrite a context of the same name, for example with a renewed bundle
        #[arg(long)]
        replace: bool,
    },
    /// List the contexts; a * marks the current one
    #[command(after_help = "\
Examples:
  omlctl context list
  omlctl context list -o json")]
    List,
    /// Select the current context
    #[command(after_help = "\
Examples:
  omlctl context use lab")]
    Use {
        /// A name from omlctl context list
        #[arg(value_hint = ValueHint::Other)]
        name: String,
    },
    /// Show the current context: controller, operator, and when its certificate expires
    #[command(after_help = "\
Examples:
  omlctl context show
  omlctl context show --context lab")]
    Show,
    /// Remove a context and its key from this machine
    #[command(after_help = "\
Examples:
  omlctl context remove lab")]
    Remove {
        /// A name from omlctl context list
        #[arg(value_hint = ValueHint::Other)]
        name: String,
    },
}

#[derive(Debug, Serialize)]
struct Row<'a> {
    name: &'a ContextName,
    current: bool,
    endpoints: &'a [String],
}

/// A context as it is printed, without its key.
#[derive(Debug, Serialize)]
struct Shown<'a> {
    name: &'a ContextName,
    endpoints: &'a [String],
    identity: String,
    certificate_ends_ms: u64,
}

pub(super) fn run(
    common: &Common,
    env: &Env,
    arguments: Arguments,
) -> Result<ExitOutcome, CommandError> {
    let mut config = if matches!(arguments.action, Action::Import { .. }) {
        Config::open_or_new(common.config.clone())?
    } else {
        Config::open(common.config.clone())?
    };
    let output = Output::new(common.output);
    match arguments.action {
        Action::Import { file, name, replace } => {
            let (name, endpoint) = config.import(config::read_bundle(&file)?, name, replace)?;
            print_note(&format!("imported context {name} for the controller at {endpoint}"));
            if config.current() != Some(&name) {
                print_note(&format!("select it with omlctl context use {name}"));
            }
        }
        Action::List => list(&config, &output)?,
        Action::Use { name } => {
            let name = config.choose(&name)?;
            print_note(&format!("the current context is now {name}"));
        }
        Action::Show => show(&config, common, &output, env.now())?,
        Action::Remove { name } => {
            let name = config.remove(&name)?;
            print_note(&format!("removed context {name} and its key"));
        }
    }
    Ok(ExitOutcome::Done)
}

fn list(config: &Config, output: &Output) -> Result<(), CommandError> {
    let row = |name| Row {
        name,
        current: config.current() == Some(name),
        endpoints: config.endpoints(name),
    };
    let rows: Vec<Row<'_>> = config.names().map(row).collect();
    output.list(&rows, || {
        let lines = rows.iter().map(|row| {
            vec![
                plain(if row.current { "*" } else { " " }),
                plain(row.name.to_string()),
                plain(row.endpoints.join(", ")),
            ]
        });
        let columns = [Column::Whole(""), Column::Whole("NAME"), Column::Prose("CONTROLLER")];
        output.tables.table(&columns, lines.collect())
    })
}

fn show(
    config: &Config,
    common: &Common,
    output: &Output,
    now: Timestamp,
) -> Result<(), CommandError> {
    let context = config.context(common.context.as_deref())?;
    let own = certificate(&context.credentials.certificate_pem, "certificate");
    let own = own.map_err(|source| CommandError::Credentials {
        context: context.name.to_string(),
        source,
    })?;
    let peer =
        Peer::from_certificate(&own).map_err(|error| CommandError::Context(error.to_string()))?;
    let shown = Shown {
        name: &context.name,
        endpoints: &context.endpoints,
        identity: peer.identity.to_string(),
        certificate_ends_ms: peer.expires.0,
    };
    output.data(&shown, || {
        let ends = output.clock.date_time(shown.certificate_ends_ms);
        let left = match shown.certificate_ends_ms.checked_sub(now.0) {
            Some(left_ms) => format!("in {}", clock::span(left_ms)),
            None => "it has expired".to_owned(),
        };
        format!(
            "context      {}\ncontroller   {}\noperator     {}\ncertificate  expires {ends} ({left})",
            shown.name,
            shown.endpoints.join(", "),
            shown.identity
        )
    })
}
