//! `omlctl get` lists resources of one kind.

use clap::{Subcommand, ValueHint};
use oml_common::id::TenantId;
use oml_proto::v1::{
    GetSpecReply, GetSpecRequest, ListRevisionsReply, ListRevisionsRequest, Revision,
};
use serde::Serialize;

use super::{Session, status};
use crate::connection::Controller;
use crate::error::CommandError;
use crate::pairs::{Number, Pairs};
use crate::view;
use crate::wait::ExitOutcome;

/// List tenants, nodes, instances or revisions, or print a specification
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  omlctl get tenants
  omlctl get instances tenant=acme
  omlctl get nodes
  omlctl get nodes -o json | jq -r '.[] | select(.state != \"connected\") | .node'
  omlctl get spec tenant=acme revision=3")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    kind: Kind,
}

#[derive(Debug, Subcommand)]
enum Kind {
    /// List tenants with their revision and rollout
    #[command(
        alias = "tenant",
        after_help = "\
Examples:
  omlctl get tenants
  omlctl get tenants -o json | jq -r '.[].tenant'"
    )]
    Tenants(Words),
    /// List enrolled hosts with their connection, load and agent version
    #[command(
        alias = "node",
        after_help = "\
Examples:
  omlctl get nodes
  omlctl get nodes tenant=acme"
    )]
    Nodes(Words),
    /// List components on hosts with their version, state and health
    #[command(
        alias = "instance",
        after_help = "\
Examples:
  omlctl get instances tenant=acme
  omlctl get instances -o yaml"
    )]
    Instances(Words),
    /// List revisions with their author and outcome
    #[command(
        alias = "revision",
        after_help = "\
Examples:
  omlctl get revisions
  omlctl get revisions tenant=acme"
    )]
    Revisions(Words),
    /// Print a specification as it was applied
    #[command(after_help = "\
Examples:
  omlctl get spec tenant=acme
  omlctl get spec tenant=acme revision=3 > acme.yaml")]
    Spec {
        /// tenant=NAME, and revision=NUMBER for an earlier one
        #[arg(value_name = "tenant=NAME", value_hint = ValueHint::Other, required = true)]
        words: Vec<String>,
    },
}

#[derive(Debug, clap::Args)]
struct Words {
    /// Show only this tenant: tenant=NAME
    #[arg(value_name = "KEY=VALUE", value_hint = ValueHint::Other)]
    words: Vec<String>,
}

/// A request for a list. An empty name means all tenants.
#[derive(Debug)]
pub(super) enum ListRequest {
    Tenants(String),
    Nodes(String),
    Instances(String),
    Revisions(String),
    Spec { tenant: String, revision: u64 },
}

impl Arguments {
    pub(super) fn request(&self) -> Result<ListRequest, CommandError> {
        Ok(match &self.kind {
            Kind::Tenants(words) => ListRequest::Tenants(words.tenant()?),
            Kind::Nodes(words) => ListRequest::Nodes(words.tenant()?),
            Kind::Instances(words) => ListRequest::Instances(words.tenant()?),
            Kind::Revisions(words) => ListRequest::Revisions(words.tenant()?),
            Kind::Spec { words } => {
                let mut pairs = Pairs::parse(words, &["tenant", "revision"])?;
                let tenant: TenantId = pairs.need("tenant", "acme")?;
                let revision = pairs.optional("revision")?.map_or(0, |Number(number)| number);
                ListRequest::Spec { tenant: tenant.into(), revision }
            }
        })
    }
}

impl Words {
    fn tenant(&self) -> Result<String, CommandError> {
        let mut pairs = Pairs::parse(&self.words, &["tenant"])?;
        let tenant: Option<TenantId> = pairs.optional("tenant")?;
        Ok(tenant.map(String::from).unwrap_or_default())
    }
}

/// A revision with its tenant.
#[derive(Debug, Serialize)]
struct RevisionRow<'a> {
    tenant: &'a str,
    #[serde(flatten)]
    revision: &'a Revision,
}

pub(super) async fn run(
    session: Session,
    request: ListRequest,
) -> Result<ExitOutcome, CommandError> {
    let mut controller = session.target.connect().await?;
    let output = &session.output;
    match request {
        ListRequest::Tenants(tenant) => {
            let reply = status::fetch(&mut controller, tenant).await?;
            output.list(&reply.tenants, || view::tenants(output, reply.now_ms, &reply.tenants))?;
        }
        ListRequest::Nodes(tenant) => nodes(&session, &mut controller, tenant).await?,
        ListRequest::Instances(tenant) => {
            let of_all = tenant.is_empty();
            let reply = status::fetch(&mut controller, tenant).await?;
            let rows = view::instance_rows(&reply.tenants);
            output.list(&rows, || view::instances(output, reply.now_ms, &rows, of_all))?;
        }
        ListRequest::Revisions(tenant) => all_revisions(&session, &mut controller, tenant).await?,
        ListRequest::Spec { tenant, revision } => {
            let request = GetSpecRequest { tenant, revision };
            let reply: GetSpecReply =
                controller.call(|fleet, request| fleet.get_spec(request), request).await?;
            output.data(&reply, || reply.spec_yaml.clone())?;
        }
    }
    Ok(ExitOutcome::Done)
}

/// Prints the nodes of one tenant, or of all tenants if the name is empty.
pub(super) async fn nodes(
    session: &Session,
    controller: &mut Controller,
    tenant: String,
) -> Result<(), CommandError> {
    let of_all = tenant.is_empty();
    let reply = status::fetch(controller, tenant).await?;
    let rows = view::node_rows(&reply.tenants);
    let output = &session.output;
    output.list(&rows, || view::nodes(output, reply.now_ms, &rows, of_all))
}

/// Requests the revisions of a tenant, the oldest first.
pub(super) async fn revisions(
    controller: &mut Controller,
    tenant: String,
) -> Result<Vec<Revision>, CommandError> {
    let request = ListRevisionsRequest { tenant };
    let reply: ListRevisionsReply =
        controller.call(|fleet, request| fleet.list_revisions(request), request).await?;
    let mut revisions = reply.revisions;
    revisions.sort_by_key(|revision| revision.number);
    Ok(revisions)
}

async fn all_revisions(
    session: &Session,
    controller: &mut Controller,
    tenant: String,
) -> Result<(), CommandError> {
    let of_all = tenant.is_empty();
    let tenants = match tenant.as_str() {
        "" => {
            status::fetch(controller, tenant).await?.tenants.into_iter().map(|t| t.tenant).collect()
        }
        _ => vec![tenant],
    };
    let mut all = Vec::new();
    for tenant in tenants {
        let of_tenant = revisions(controller, tenant.clone()).await?;
        all.extend(of_tenant.into_iter().map(|revision| (tenant.clone(), revision)));
    }
    let rows: Vec<RevisionRow<'_>> =
        all.iter().map(|(tenant, revision)| RevisionRow { tenant, revision }).collect();
    session.output.list(&rows, || view::revisions(&session.output, &all, of_all))
}
