//! `omlctl context`: which controllers there are and which one is asked.

use std::path::PathBuf;

use clap::{Subcommand, ValueHint};
use oml_common::time::Timestamp;
use oml_daemon::env::Env;
use oml_daemon::tls::{Peer, certificate};
use serde::Serialize;

use crate::cli::Common;
use crate::clock;
use crate::config::{Bundle, Config, ContextName};
use crate::error::CommandError;
use crate::output::{Output, tell};
use crate::table::{Column, plain};
use crate::wait::ExitOutcome;

/// Choose which controller is asked, and as whom
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  omlctl context import operator.toml
  omlctl context import operator.toml --name lab
  omlctl context list
  omlctl context use lab
  omlctl context remove lab")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Take in the file that omlcontroller init wrote for an operator
    #[command(after_help = "\
Examples:
  omlctl context import operator.toml
  omlctl context import operator.toml --name lab
  omlctl context import renewed.toml --replace")]
    Import {
        /// The operator's bundle
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// Name of the context in place of the one in the file
        #[arg(long, value_hint = ValueHint::Other)]
        name: Option<ContextName>,
        /// Replace a context of the same name
        #[arg(long)]
        replace: bool,
    },
    /// List the contexts
    #[command(after_help = "\
Examples:
  omlctl context list
  omlctl context list -o json")]
    List,
    /// Use this context from now on
    #[command(after_help = "\
Examples:
  omlctl context use lab")]
    Use {
        /// One that omlctl context list shows
        #[arg(value_hint = ValueHint::Other)]
        name: String,
    },
    /// Show the context in use: its controller, its operator, its certificate
    #[command(after_help = "\
Examples:
  omlctl context show
  omlctl context show --context lab")]
    Show,
    /// Forget a context and its key
    #[command(after_help = "\
Examples:
  omlctl context remove lab")]
    Remove {
        /// One that omlctl context list shows
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

/// A context as it is shown; the key never is.
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
            let (name, endpoint) = config.import(Bundle::read(&file)?, name, replace)?;
            tell(&format!("context {name} is kept, for the controller at {endpoint}"));
            if config.current() != Some(&name) {
                tell(&format!("use it with omlctl context use {name}"));
            }
        }
        Action::List => list(&config, &output)?,
        Action::Use { name } => {
            let name = config.choose(&name)?;
            tell(&format!("context {name} is used from now on"));
        }
        Action::Show => show(&config, common, &output, env.now())?,
        Action::Remove { name } => {
            let name = config.remove(&name)?;
            tell(&format!("context {name} is removed, and its key"));
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
            None => "it has ended".to_owned(),
        };
        format!(
            "context      {}\ncontroller   {}\noperator     {}\ncertificate  ends {ends} ({left})",
            shown.name,
            shown.endpoints.join(", "),
            shown.identity
        )
    })
}
