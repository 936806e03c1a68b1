//! `omlctl set-version`: changes the versions of components.

use std::collections::BTreeMap;

use clap::ValueHint;
use oml_common::id::{ComponentName, TenantId, Version};
use oml_common::text::problem::Problem;

use crate::change::{ChangeArgs, Wanted};
use crate::error::CommandError;
use crate::pairs::Pairs;

/// Change the version of one or more components, and wait until they run
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  omlctl set-version tenant=acme asterisk=230204.01
  omlctl set-version tenant=acme asterisk=230215.01 kamailio=230215.01 --why 'fix of one-way audio'
  omlctl set-version tenant=acme nginx=230215.01 --dry-run")]
pub(crate) struct Arguments {
    /// tenant=NAME and COMPONENT=VERSION, as many as change together
    #[arg(value_name = "tenant=NAME COMPONENT=VERSION", value_hint = ValueHint::Other, required = true)]
    words: Vec<String>,
    #[command(flatten)]
    pub(crate) args: ChangeArgs,
}

impl Arguments {
    pub(super) fn wanted(&self) -> Result<Wanted, CommandError> {
        let mut pairs = Pairs::open(&self.words)?;
        let tenant: TenantId = pairs.need("tenant", "acme")?;
        let versions: Vec<(ComponentName, Version)> = pairs.rest()?;
        if versions.is_empty() {
            let problem = Problem::new("", "no component is named");
            return Err(CommandError::usage(&problem.hint("such as asterisk=230204.01")));
        }
        let versions: BTreeMap<String, String> =
            versions.into_iter().map(|(name, version)| (name.into(), version.into())).collect();
        Ok(Wanted::SetVersion { tenant: tenant.into(), versions })
    }
}
