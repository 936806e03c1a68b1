//! `omlctl version` shows the version of this program and of the controller.

use oml_daemon::env::Env;
use oml_proto::v1::{WhoAmIReply, WhoAmIRequest};
use serde::Serialize;

use super::{Session, remote};
use crate::common::Common;
use crate::error::CommandError;
use crate::output::Output;
use crate::wait::ExitOutcome;

/// Show the version of omlctl, and with --controller that of the controller
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  omlctl version
  omlctl version --controller")]
pub(crate) struct Arguments {
    /// Also show the version of the controller and the name of your operator
    #[arg(long)]
    controller: bool,
}

#[derive(Debug, Serialize)]
struct Versions {
    omlctl: &'static str,
    controller: Option<String>,
    operator: Option<String>,
}

const OWN: &str = env!("CARGO_PKG_VERSION");

pub(super) fn run(
    common: &Common,
    env: &Env,
    arguments: &Arguments,
) -> Result<ExitOutcome, CommandError> {
    if arguments.controller {
        return remote(common, env, ask);
    }
    let versions = Versions { omlctl: OWN, controller: None, operator: None };
    Output::new(common.output).data(&versions, || format!("omlctl {OWN}"))?;
    Ok(ExitOutcome::Done)
}

async fn ask(session: Session) -> Result<ExitOutcome, CommandError> {
    let mut controller = session.target.connect().await?;
    let reply: WhoAmIReply =
        controller.call(|fleet, request| fleet.who_am_i(request), WhoAmIRequest {}).await?;
    let WhoAmIReply { operator, controller_version, .. } = reply;
    let versions = Versions {
        omlctl: OWN,
        controller: Some(controller_version.clone()),
        operator: Some(operator.clone()),
    };
    session.output.data(&versions, || {
        format!("omlctl {OWN}\ncontroller {controller_version}\noperator {operator}")
    })?;
    Ok(ExitOutcome::Done)
}
