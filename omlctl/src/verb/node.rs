//! `omlctl node` manages the hosts of a tenant.

use std::ops::RangeInclusive;

use clap::{Subcommand, ValueHint};
use oml_common::id::{NodeName, RoleName, TenantId};
use oml_common::text::printable::printable;
use oml_common::time::parse_duration_ms;
use oml_proto::v1::{
    CreateTokenReply, CreateTokenRequest, NodeStatus, RemoveNodeReply, RemoveNodeRequest,
};

use super::{Session, get, status};
use crate::clock::age;
use crate::connection::Controller;
use crate::describe;
use crate::error::CommandError;
use crate::output::print_note;
use crate::pairs::{List, Pairs};
use crate::wait::ExitOutcome;

/// Make tokens for new hosts, and list or remove hosts
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  omlctl node token tenant=acme role=voice
  omlctl node token tenant=acme role=app,data name=acme-1 --valid 1h
  omlctl node list tenant=acme
  omlctl node remove tenant=acme node=acme-1")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a token with which one host can enrol
    ///
    /// Then run on the host, with the address that is printed after the token:
    ///   omlagent enroll --controller ADDRESS --token-file FILE    # - reads standard input
    /// Add --replace if the host was enrolled before.
    #[command(
        verbatim_doc_comment,
        after_help = "\
Examples:
  omlctl node token tenant=acme role=voice
  omlctl node token tenant=acme role=app,data name=acme-1 --valid 1h"
    )]
    Token {
        /// tenant=NAME role=ROLE[,ROLE], and name=NODE to fix the host's name
        #[arg(value_name = "tenant=NAME role=ROLE", value_hint = ValueHint::Other, required = true)]
        words: Vec<String>,
        /// How long the token is valid: 1s to 24h
        #[arg(long, value_name = "DURATION", default_value = "15m", value_parser = validity, value_hint = ValueHint::Other)]
        valid: u64,
    },
    /// List the hosts, like omlctl get nodes
    #[command(after_help = "\
Examples:
  omlctl node list
  omlctl node list tenant=acme")]
    List {
        /// Show only this tenant: tenant=NAME
        #[arg(value_name = "KEY=VALUE", value_hint = ValueHint::Other)]
        words: Vec<String>,
    },
    /// Remove a host: its certificate is refused from now on
    ///
    /// The components on the host keep running, but changes no longer reach them. To stop
    /// them, run on the host:
    ///   systemctl disable --now omlagent
    ///   grep -rl X-Oml-Instance /etc/systemd/system     # lists the units
    ///   systemctl disable --now UNIT
    /// To add the host again, make a token with omlctl node token and enrol it again.
    #[command(
        verbatim_doc_comment,
        after_help = "\
Examples:
  omlctl node remove tenant=acme node=acme-1"
    )]
    Remove {
        /// The host: tenant=NAME node=NODE
        #[arg(value_name = "tenant=NAME node=NODE", value_hint = ValueHint::Other, required = true)]
        words: Vec<String>,
    },
}

#[derive(Debug)]
pub(super) enum NodeRequest {
    Token(CreateTokenRequest),
    List(String),
    Remove(RemoveNodeRequest),
}

impl Arguments {
    pub(super) fn request(&self) -> Result<NodeRequest, CommandError> {
        match &self.action {
            Action::Token { words, valid } => token_request(words, *valid).map(NodeRequest::Token),
            Action::List { words } => {
                let mut pairs = Pairs::parse(words, &["tenant"])?;
                let tenant: Option<TenantId> = pairs.optional("tenant")?;
                Ok(NodeRequest::List(tenant.map(String::from).unwrap_or_default()))
            }
            Action::Remove { words } => {
                let mut pairs = Pairs::parse(words, &["tenant", "node"])?;
                let tenant: TenantId = pairs.need("tenant", "acme")?;
                let node: NodeName = pairs.need("node", "acme-1")?;
                Ok(NodeRequest::Remove(RemoveNodeRequest {
                    tenant: tenant.into(),
                    node: node.into(),
                }))
            }
        }
    }
}

/// The limits for the validity of a token, which are also those of the controller.
const VALID_MS: RangeInclusive<u64> = 1000..=24 * 3_600_000;

fn validity(text: &str) -> Result<u64, String> {
    let valid_ms = parse_duration_ms(text).map_err(|error| error.to_string())?;
    if !VALID_MS.contains(&valid_ms) {
        return Err("a token can be valid for 1s to 24h".to_owned());
    }
    Ok(valid_ms)
}

fn token_request(words: &[String], valid_ms: u64) -> Result<CreateTokenRequest, CommandError> {
    let mut pairs = Pairs::parse(words, &["tenant", "role", "name"])?;
    let tenant: TenantId = pairs.need("tenant", "acme")?;
    let List(roles): List<RoleName> = pairs.need("role", "voice")?;
    let node: Option<NodeName> = pairs.optional("name")?;
    Ok(CreateTokenRequest {
        tenant: tenant.into(),
        roles: roles.into_iter().map(String::from).collect(),
        node: node.map(String::from).unwrap_or_default(),
        valid_ms,
    })
}

pub(super) async fn run(
    session: Session,
    request: NodeRequest,
) -> Result<ExitOutcome, CommandError> {
    let mut controller = session.target.connect().await?;
    match request {
        NodeRequest::Token(request) => {
            let reply: CreateTokenReply =
                controller.call(|fleet, request| fleet.create_token(request), request).await?;
            session.output.data(&reply, || reply.token.clone())?;
            print_note(&format!(
                "valid for one host until {}; enrol the host at {} (see omlctl node token --help)",
                session.output.clock.date_time(reply.expires_ms),
                reply.enrollment_endpoint
            ));
        }
        NodeRequest::List(tenant) => get::nodes(&session, &mut controller, tenant).await?,
        NodeRequest::Remove(request) => remove(&mut controller, request).await?,
    }
    Ok(ExitOutcome::Done)
}

async fn remove(
    controller: &mut Controller,
    request: RemoveNodeRequest,
) -> Result<(), CommandError> {
    let RemoveNodeRequest { tenant, node } = request.clone();
    let status = status::fetch(controller, tenant.clone()).await?;
    let RemoveNodeReply {} =
        controller.call(|fleet, request| fleet.remove_node(request), request).await?;
    print_note(&format!("removed node {node} of {tenant}: its certificate is refused from now on"));
    let mut nodes = status.tenants.iter().flat_map(|tenant| &tenant.nodes);
    if let Some(host) = nodes.find(|known| known.node == node) {
        for line in left_behind(&tenant, host, status.now_ms) {
            print_note(&printable(&line));
        }
    }
    Ok(())
}

/// Returns what keeps running on a removed host, and how to stop it or to undo the removal.
fn left_behind(tenant: &str, host: &NodeStatus, now_ms: u64) -> Vec<String> {
    let reported = host.report.iter().flat_map(|report| &report.instances);
    let running = reported.filter(|(_, state)| state.started_at_ms > 0);
    let names: Vec<String> = running
        .map(|(component, state)| format!("{component} {}", state.version).trim_end().to_owned())
        .collect();
    let mut lines = Vec::new();
    if !names.is_empty() {
        let seen = if describe::is_connected(host) {
            String::new()
        } else {
            format!(" (last seen {})", age(now_ms, host.last_seen_ms))
        };
        lines.push(format!(
            "these components keep running on the host, but changes no longer reach them{seen}: {}",
            names.join(", ")
        ));
        lines.push(
            "to stop them, run on the host the commands that omlctl node remove --help shows"
                .to_owned(),
        );
    }
    lines.push(format!(
        "to add the host again: omlctl node token tenant={tenant} role={} name={}, \
         then enrol it with --replace (see omlctl node token --help)",
        host.roles.join(","),
        host.node
    ));
    lines
}
