//! The syntax and the help of the command line. The verbs implement the commands.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Parser, Subcommand};
use oml_common::text::problem::Problem;

use crate::common::Common;
use crate::error::CommandError;
use crate::verb::{
    apply, completions, context, explain, get, history, node, plan, releases, rollback, run, runs,
    schema, secret, set_release, set_version, settings, status, tls, validate, version,
};

/// Operate the tenants of contact centres through their controller
#[derive(Debug, Parser)]
#[command(
    name = "omlctl",
    version,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    after_help = "\
Exit codes: 0 done or nothing to change, 1 failed, 2 wrong usage, 3 rolled back,
4 not finished at the timeout, 5 the controller cannot be reached,
6 not everything is ready and healthy (status --exit-code).
Every command has examples: omlctl COMMAND --help.

Examples:
  omlctl context import operator.toml
  omlctl status
  omlctl apply -f acme.yaml
  omlctl set-version tenant=acme asterisk=230215.01
  omlctl rollback tenant=acme to=7
  omlctl run tenant=acme omnileads redis-sync
  omlctl status tenant=acme --watch
  omlctl explain tenant=acme asterisk
  omlctl settings tenant=acme"
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    Context(context::Arguments),
    Apply(apply::Arguments),
    Plan(plan::Arguments),
    SetVersion(set_version::Arguments),
    SetRelease(set_release::Arguments),
    Rollback(rollback::Arguments),
    Releases(releases::Arguments),
    Status(status::Arguments),
    Get(get::Arguments),
    History(history::Arguments),
    Explain(explain::Arguments),
    Settings(settings::Arguments),
    Schema(schema::Arguments),
    Validate(validate::Arguments),
    Node(node::Arguments),
    Secret(secret::Arguments),
    Tls(tls::Arguments),
    Run(run::Arguments),
    Runs(runs::Arguments),
    Completions(completions::Arguments),
    Version(version::Arguments),
}

/// The keys that people may type as options, each with a placeholder for its value.
const KEYS: [(&str, &str); 8] = [
    ("tenant", "NAME"),
    ("node", "NAME"),
    ("role", "ROLE"),
    ("name", "NODE"),
    ("to", "REVISION"),
    ("release", "RELEASE"),
    ("revision", "NUMBER"),
    ("catalog", "NAME"),
];
/// The verbs whose arguments are pairs of key and value.
const KEYED: [&str; 14] = [
    "set-version",
    "set-release",
    "rollback",
    "releases",
    "status",
    "get",
    "history",
    "explain",
    "settings",
    "node",
    "secret",
    "tls",
    "run",
    "runs",
];

/// Parses the command line of this process. For help and for syntax errors, clap prints
/// its message and ends the process.
pub(crate) fn parse() -> Result<Cli, CommandError> {
    let words: Vec<String> =
        std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    Cli::try_parse().map_err(|error| match pair_instead(&error, &words) {
        Some(problem) => CommandError::usage(&problem),
        None => error.exit(),
    })
}

/// Returns a problem that suggests `key=value` if an unknown option has the name of a key.
fn pair_instead(error: &clap::Error, words: &[String]) -> Option<Problem> {
    let Some(ContextValue::String(option)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    let takes_keys = words.iter().any(|word| KEYED.contains(&word.as_str()));
    if error.kind() != ErrorKind::UnknownArgument || !takes_keys {
        return None;
    }
    let (key, what) = KEYS.into_iter().find(|(key, _)| option.strip_prefix("--") == Some(key))?;
    let at = words.iter().position(|word| word.split('=').next() == Some(option.as_str()))?;
    let next = words.get(at + 1).filter(|word| !word.starts_with('-') && !word.contains('='));
    let value = match words[at].split_once('=') {
        Some((_, value)) => value,
        None => next.map_or(what, String::as_str),
    };
    let problem = Problem::new("", format!("there is no option {option}"));
    Some(problem.hint(format!("write {key}={value} instead")))
}
