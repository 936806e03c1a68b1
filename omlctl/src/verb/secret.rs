//! `omlctl secret` manages the secrets that the controller keeps for a tenant. No command shows a
//! value, and none takes one from its arguments, which every user of the machine can read.

use clap::{Subcommand, ValueHint};
use oml_common::id::{SecretName, TenantId};
use oml_common::text::problem::{Problem, Problems};
use oml_proto::v1::{ListSecretsReply, ListSecretsRequest, NewSecretValue, Secret};

use super::Session;
use crate::change::{self, ChangeArgs, ChangeRequest};
use crate::confirm::confirm;
use crate::error::CommandError;
use crate::output::{Output, print_note};
use crate::pairs::Pairs;
use crate::table::{Column, Field, Style};
use crate::wait::ExitOutcome;

mod give;
mod value;

/// The length of a generated value, which is also bounded by the controller.
const LENGTH: &str = "32";

/// Give, rotate, list or remove the secrets that the controller keeps for a tenant
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A value comes from standard input, or is typed without being shown, or is made by the
controller; never from the arguments.

Examples:
  omlctl secret generate tenant=acme postgres redis --length 40
  omlctl secret set tenant=acme smtp < smtp.password
  omlctl secret list tenant=acme
  omlctl secret rotate tenant=acme postgres --generate
  omlctl secret remove tenant=acme smtp")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Give a tenant a secret that it does not have
    #[command(after_help = "\
Examples:
  omlctl secret set tenant=acme smtp                     # asks for the value
  omlctl secret set tenant=acme smtp < smtp.password
  omlctl secret set tenant=acme sip_key < key.pem        # several lines: for a file only")]
    Set {
        /// The tenant and the name of the secret
        #[arg(value_name = "tenant=NAME SECRET", value_hint = ValueHint::Other, required = true)]
        words: Vec<String>,
    },
    /// Give a tenant secrets with values that the controller makes: letters and digits. If it has
    /// one of them already, none is made
    #[command(after_help = "\
Examples:
  omlctl secret generate tenant=acme postgres
  omlctl secret generate tenant=acme postgres redis ami --length 40")]
    Generate {
        /// The tenant and the names of the secrets
        #[arg(value_name = "tenant=NAME SECRET…", value_hint = ValueHint::Other, required = true)]
        words: Vec<String>,
        /// The number of characters: 8 to 256
        #[arg(long, value_name = "NUMBER", default_value = LENGTH, value_parser = clap::value_parser!(u32).range(8..=256))]
        length: u32,
    },
    /// List the secrets: version, age and use, never a value
    #[command(after_help = "\
Examples:
  omlctl secret list tenant=acme
  omlctl secret list tenant=acme -o json")]
    List {
        /// The tenant
        #[arg(value_name = "tenant=NAME", value_hint = ValueHint::Other, required = true)]
        words: Vec<String>,
    },
    /// Give a secret a new version, and change the components that use it, in waves
    #[command(after_help = "\
Examples:
  omlctl secret rotate tenant=acme postgres              # asks for the value
  omlctl secret rotate tenant=acme postgres --generate
  omlctl secret rotate tenant=acme postgres --generate --dry-run")]
    Rotate {
        /// The tenant and the name of the secret
        #[arg(value_name = "tenant=NAME SECRET", value_hint = ValueHint::Other, required = true)]
        words: Vec<String>,
        /// Let the controller make the value
        #[arg(long)]
        generate: bool,
        /// The number of characters of a generated value: 8 to 256
        #[arg(long, value_name = "NUMBER", default_value = LENGTH, requires = "generate", value_parser = clap::value_parser!(u32).range(8..=256))]
        length: u32,
        #[command(flatten)]
        args: ChangeArgs,
    },
    /// Remove a secret that no component uses, with all its versions
    #[command(after_help = "\
Examples:
  omlctl secret remove tenant=acme smtp
  omlctl secret remove tenant=acme smtp --yes     # in a script")]
    Remove {
        /// The tenant and the name of the secret
        #[arg(value_name = "tenant=NAME SECRET", value_hint = ValueHint::Other, required = true)]
        words: Vec<String>,
        /// Remove the secret without a question
        #[arg(short, long)]
        yes: bool,
    },
}

#[derive(Debug)]
pub(super) enum SecretRequest {
    Set { tenant: String, name: String },
    Generate { tenant: String, names: Vec<String>, length: u32 },
    List { tenant: String },
    Rotate { tenant: String, name: String, generate_length: Option<u32>, args: ChangeArgs },
    Remove { tenant: String, name: String, yes: bool },
}

impl Arguments {
    pub(super) fn request(&self) -> Result<SecretRequest, CommandError> {
        Ok(match &self.action {
            Action::Set { words } => {
                let (tenant, name) = one(words)?;
                SecretRequest::Set { tenant, name }
            }
            Action::Generate { words, length } => {
                let (tenant, names) = many(words)?;
                if names.is_empty() {
                    return Err(no_name());
                }
                SecretRequest::Generate { tenant, names, length: *length }
            }
            Action::List { words } => {
                let mut pairs = Pairs::parse(words, &["tenant"])?;
                let tenant: TenantId = pairs.need("tenant", "acme")?;
                SecretRequest::List { tenant: tenant.into() }
            }
            Action::Rotate { words, generate, length, args } => {
                let (tenant, name) = one(words)?;
                let generate_length = generate.then_some(*length);
                SecretRequest::Rotate { tenant, name, generate_length, args: args.clone() }
            }
            Action::Remove { words, yes } => {
                let (tenant, name) = one(words)?;
                SecretRequest::Remove { tenant, name, yes: *yes }
            }
        })
    }
}

/// Reads `tenant=NAME` and the names of secrets.
fn many(words: &[String]) -> Result<(String, Vec<String>), CommandError> {
    let (pairs, names): (Vec<String>, Vec<String>) =
        words.iter().cloned().partition(|word| word.contains('='));
    let mut pairs = Pairs::parse(&pairs, &["tenant"])?;
    let tenant: TenantId = pairs.need("tenant", "acme")?;
    let mut problems = Problems::default();
    for (at, name) in names.iter().enumerate() {
        let read: Result<SecretName, _> = name.parse();
        if names[..at].contains(name) {
            let problem = Problem::new("", format!("secret {name} is named twice"));
            problems.push(problem.hint("name it once"));
        } else if let Err(error) = read {
            problems.push(Problem::new("", error.to_string()));
        }
    }
    problems.into_result((tenant.into(), names)).map_err(CommandError::Problems)
}

/// Reads `tenant=NAME` and the name of one secret.
fn one(words: &[String]) -> Result<(String, String), CommandError> {
    let (tenant, names) = many(words)?;
    match <[String; 1]>::try_from(names) {
        Ok([name]) => Ok((tenant, name)),
        Err(names) if names.is_empty() => Err(no_name()),
        Err(names) => {
            let problem = Problem::new("", format!("{} secrets are named", names.len()));
            Err(CommandError::usage(&problem.hint("name one, because each has its own value")))
        }
    }
}

fn no_name() -> CommandError {
    let problem = Problem::new("", "no secret is named");
    CommandError::usage(&problem.hint("for example tenant=acme postgres"))
}

pub(super) async fn run(
    session: Session,
    request: SecretRequest,
) -> Result<ExitOutcome, CommandError> {
    match request {
        SecretRequest::Set { tenant, name } => {
            let value = value::read(&name)?;
            give::give(&session, &tenant, &[name], &value).await?;
        }
        SecretRequest::Generate { tenant, names, length } => {
            let value = NewSecretValue { value: String::new(), generate_length: length };
            give::give(&session, &tenant, &names, &value).await?;
        }
        SecretRequest::List { tenant } => list(&session, tenant).await?,
        SecretRequest::Rotate { tenant, name, generate_length, args } => {
            let value = match generate_length {
                Some(generate_length) => NewSecretValue { value: String::new(), generate_length },
                None => value::read(&name)?,
            };
            let request = ChangeRequest::RotateSecret { tenant, name, value };
            return change::make(&session.target, &session.output, request, &args).await;
        }
        SecretRequest::Remove { tenant, name, yes } => {
            if !yes {
                let what = format!(
                    "this removes secret {name} of {tenant} with all its versions: no rollback brings it back"
                );
                confirm(&what, "--yes")?;
            }
            give::remove(&session, &tenant, &name).await?;
        }
    }
    Ok(ExitOutcome::Done)
}

async fn list(session: &Session, tenant: String) -> Result<(), CommandError> {
    let mut controller = session.target.connect().await?;
    let request = ListSecretsRequest { tenant };
    let reply: ListSecretsReply =
        controller.call(|fleet, request| fleet.list_secrets(request), request).await?;
    if !reply.problem.is_empty() {
        print_note(&reply.problem);
    }
    session.output.list(&reply.secrets, || table(&session.output, &reply.secrets))
}

fn table(output: &Output, secrets: &[Secret]) -> String {
    let rows = secrets.iter().map(|secret| {
        let users = secret.used_by.iter().map(|(component, version)| {
            // After a rotation that was rolled back, components use an earlier version.
            let is_newest = *version == secret.version;
            if is_newest { component.clone() } else { format!("{component} (version {version})") }
        });
        let users: Vec<String> = users.collect();
        [
            secret.name.clone(),
            secret.version.to_string(),
            output.clock.date_time(secret.at_ms),
            secret.who.clone(),
            users.join(", "),
        ]
        .map(|text| Field::new(&text, Style::Plain))
        .to_vec()
    });
    let columns = ["SECRET", "VERSION", "SINCE", "BY"].map(Column::Whole);
    let columns: Vec<Column> = columns.into_iter().chain([Column::Prose("USED BY")]).collect();
    output.tables.table(&columns, rows.collect())
}

#[cfg(test)]
mod tests;
