//! `omlctl set-version` changes the versions of components.

use std::collections::BTreeMap;

use clap::ValueHint;
use oml_common::id::{ComponentName, ImageVersion, TenantId};
use oml_common::text::problem::Problem;

use crate::change::{ChangeArgs, ChangeRequest};
use crate::error::CommandError;
use crate::pairs::Pairs;

/// Change the version of one or more components, and wait for the rollout
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  omlctl set-version tenant=acme asterisk=230204.01
  omlctl set-version tenant=acme asterisk=230215.01 kamailio=230215.01 --why 'fix of one-way audio'
  omlctl set-version tenant=acme nginx=230215.01@sha256:DIGEST     # exactly that image
  omlctl set-version tenant=acme nginx=230215.01 --dry-run")]
pub(crate) struct Arguments {
    /// tenant=NAME, and COMPONENT=VERSION for every component to change
    #[arg(value_name = "tenant=NAME COMPONENT=VERSION", value_hint = ValueHint::Other, required = true)]
    words: Vec<String>,
    #[command(flatten)]
    pub(crate) args: ChangeArgs,
}

impl Arguments {
    pub(super) fn request(&self) -> Result<ChangeRequest, CommandError> {
        let mut pairs = Pairs::open(&self.words)?;
        let tenant: TenantId = pairs.need("tenant", "acme")?;
        let versions: Vec<(ComponentName, ImageVersion)> = pairs.rest()?;
        if versions.is_empty() {
            let problem = Problem::new("", "no component is given");
            return Err(CommandError::usage(&problem.hint("for example asterisk=230204.01")));
        }
        let versions: BTreeMap<String, String> =
            versions.into_iter().map(|(name, version)| (name.into(), version.into())).collect();
        Ok(ChangeRequest::SetVersion { tenant: tenant.into(), versions })
    }
}
