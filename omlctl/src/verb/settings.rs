//! `omlctl settings` shows what a tenant can choose, what it chose, and what each choice touches.

use clap::ValueHint;
use oml_common::id::{CatalogName, TenantId};
use oml_common::text::problem::Problem;
use oml_proto::v1::{ListSettingsReply, ListSettingsRequest};

use super::Session;
use crate::error::CommandError;
use crate::pairs::{Pairs, bare_word};
use crate::view;
use crate::wait::ExitOutcome;

/// Show what can be set for a tenant: values, where they come from, and what they mean
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  omlctl settings tenant=acme
  omlctl settings tenant=acme infra_env
  omlctl settings tenant=acme -o json | jq -r '.settings[] | select(.origin == \"tenant\") | .name'
  omlctl settings catalog=omnileads-2-6")]
pub(crate) struct Arguments {
    /// The tenant (tenant=NAME) or a catalog (catalog=NAME), and one setting to show all about it
    #[arg(value_name = "KEY=VALUE | SETTING", value_hint = ValueHint::Other, required = true)]
    words: Vec<String>,
}

#[derive(Debug)]
pub(super) struct SettingsRequest {
    of: ListSettingsRequest,
    setting: Option<String>,
}

impl Arguments {
    pub(super) fn request(&self) -> Result<SettingsRequest, CommandError> {
        let keys = ["tenant", "catalog"];
        let (pairs, bare): (Vec<String>, Vec<String>) =
            self.words.iter().cloned().partition(|word| word.contains('='));
        let setting = match bare.as_slice() {
            [] => None,
            // `omlctl settings acme` has a key without its name.
            [_] if pairs.is_empty() => {
                return Err(bare_word(&bare, &["tenant"]).unwrap_or_else(none));
            }
            [setting] => Some(setting.clone()),
            [..] => {
                let error = bare_word(&self.words, &keys).filter(|_| pairs.is_empty());
                let several =
                    || CommandError::Usage("settings accepts only one setting".to_owned());
                return Err(error.unwrap_or_else(several));
            }
        };
        let mut pairs = Pairs::parse(&pairs, &keys)?;
        let tenant: Option<TenantId> = pairs.optional("tenant")?;
        let catalog: Option<CatalogName> = pairs.optional("catalog")?;
        if tenant.is_some() == catalog.is_some() {
            return Err(none());
        }
        let (tenant, catalog) = (tenant.map(String::from), catalog.map(String::from));
        let of = ListSettingsRequest {
            tenant: tenant.unwrap_or_default(),
            catalog: catalog.unwrap_or_default(),
        };
        Ok(SettingsRequest { of, setting })
    }
}

/// Returns the error of a command that names neither a tenant nor a catalog, or both.
fn none() -> CommandError {
    let problem = Problem::new("", "name either a tenant or a catalog");
    CommandError::usage(&problem.hint("for example tenant=acme"))
}

pub(super) async fn run(
    session: Session,
    request: SettingsRequest,
) -> Result<ExitOutcome, CommandError> {
    let mut controller = session.target.connect().await?;
    let SettingsRequest { of, setting: wanted } = request;
    let mut reply: ListSettingsReply =
        controller.call(|fleet, request| fleet.list_settings(request), of.clone()).await?;
    let output = &session.output;
    let Some(wanted) = wanted else {
        output.data(&reply, || view::settings(output, &reply))?;
        return Ok(ExitOutcome::Done);
    };
    let Some(at) = reply.settings.iter().position(|setting| setting.name == wanted) else {
        let message = format!("catalog {} has no setting {wanted}", reply.catalog);
        let known = reply.settings.iter().map(|setting| setting.name.as_str());
        return Err(CommandError::usage(&Problem::new("", message).suggest(&wanted, known)));
    };
    let setting = reply.settings.swap_remove(at);
    output.data(&setting, || view::setting(&setting, &of.tenant))?;
    Ok(ExitOutcome::Done)
}
