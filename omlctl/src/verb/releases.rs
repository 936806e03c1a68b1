//! `omlctl releases` lists the releases of a tenant's catalog.

use clap::ValueHint;
use oml_common::id::TenantId;
use oml_proto::v1::{ListReleasesReply, ListReleasesRequest};

use super::Session;
use crate::error::CommandError;
use crate::output::print_note;
use crate::pairs::Pairs;
use crate::view;
use crate::wait::ExitOutcome;

/// List the releases that a tenant can be set to, and what differs from them
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  omlctl releases tenant=acme
  omlctl releases tenant=acme -o yaml     # with the versions of each
  omlctl set-release tenant=acme 2.6.6")]
pub(crate) struct Arguments {
    /// The tenant: tenant=NAME
    #[arg(value_name = "tenant=NAME", value_hint = ValueHint::Other, required = true)]
    words: Vec<String>,
}

impl Arguments {
    pub(super) fn request(&self) -> Result<TenantId, CommandError> {
        Pairs::parse(&self.words, &["tenant"])?.need("tenant", "acme")
    }
}

pub(super) async fn run(session: Session, tenant: TenantId) -> Result<ExitOutcome, CommandError> {
    let mut controller = session.target.connect().await?;
    let request = ListReleasesRequest { tenant: tenant.into() };
    let reply: ListReleasesReply =
        controller.call(|fleet, request| fleet.list_releases(request), request).await?;
    if reply.releases.is_empty() {
        print_note(&format!("catalog {} has no releases for this tenant", reply.catalog));
    }
    session.output.data(&reply, || view::releases(&session.output, &reply))?;
    Ok(ExitOutcome::Done)
}
