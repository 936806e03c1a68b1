//! `omlctl node`: which hosts belong to a tenant.

use std::ops::RangeInclusive;

use clap::{Subcommand, ValueHint};
use oml_common::id::{NodeName, RoleName, TenantId};
use oml_common::text::problem::printable;
use oml_common::time::parse_duration_ms;
use oml_proto::v1::{
    CreateTokenReply, CreateTokenRequest, NodeStatus, RemoveNodeReply, RemoveNodeRequest,
};

use super::{Session, get, status};
use crate::clock::age;
use crate::connection::Controller;
use crate::describe;
use crate::error::CommandError;
use crate::output::tell;
use crate::pairs::{List, Pairs};
use crate::wait::ExitOutcome;

/// Let hosts join a tenant, list them, remove them
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
    /// Make a token that lets one host join
    ///
    /// On the host, with the address that is printed beside the token:
    ///   omlagent enroll --controller ADDRESS --token-file FILE
    /// and --replace if the host was enrolled before.
    #[command(
        verbatim_doc_comment,
        after_help = "\
Examples:
  omlctl node token tenant=acme role=voice
  omlctl node token tenant=acme role=app,data name=acme-1 --valid 1h"
    )]
    Token {
        /// tenant=NAME role=ROLE[,ROLE] [name=NODE]
        #[arg(value_name = "tenant=NAME role=ROLE", value_hint = ValueHint::Other, required = true)]
        words: Vec<String>,
        /// How long the token can be used: 1s to 24h
        #[arg(long, value_name = "DURATION", default_value = "15m", value_parser = validity, value_hint = ValueHint::Other)]
        valid: u64,
    },
    /// List the hosts
    #[command(after_help = "\
Examples:
  omlctl node list
  omlctl node list tenant=acme")]
    List {
        /// tenant=NAME for one tenant only
        #[arg(value_name = "KEY=VALUE", value_hint = ValueHint::Other)]
        words: Vec<String>,
    },
    /// Remove a host: its certificate is refused from now on
    ///
    /// What runs there runs on, kept by its agent as it was. To stop it, on the host:
    ///   systemctl disable --now omlagent
    ///   grep -rl X-Oml-Instance /etc/systemd/system     # names the units
    ///   systemctl disable --now UNIT
    /// To take the host back, make a token for it and enrol it anew.
    #[command(
        verbatim_doc_comment,
        after_help = "\
Examples:
  omlctl node remove tenant=acme node=acme-1"
    )]
    Remove {
        /// tenant=NAME node=NODE
        #[arg(value_name = "tenant=NAME node=NODE", value_hint = ValueHint::Other, required = true)]
        words: Vec<String>,
    },
}

#[derive(Debug)]
pub(super) enum Wanted {
    Token(CreateTokenRequest),
    List(String),
    Remove(RemoveNodeRequest),
}

impl Arguments {
    pub(super) fn wanted(&self) -> Result<Wanted, CommandError> {
        match &self.action {
            Action::Token { words, valid } => token_request(words, *valid).map(Wanted::Token),
            Action::List { words } => {
                let mut pairs = Pairs::parse(words, &["tenant"])?;
                let tenant: Option<TenantId> = pairs.optional("tenant")?;
                Ok(Wanted::List(tenant.map(String::from).unwrap_or_default()))
            }
            Action::Remove { words } => {
                let mut pairs = Pairs::parse(words, &["tenant", "node"])?;
                let tenant: TenantId = pairs.need("tenant", "acme")?;
                let node: NodeName = pairs.need("node", "acme-1")?;
                Ok(Wanted::Remove(RemoveNodeRequest { tenant: tenant.into(), node: node.into() }))
            }
        }
    }
}

/// How long a token may be used; the controller has the same bounds.
const VALID_MS: RangeInclusive<u64> = 1000..=24 * 3_600_000;

fn validity(text: &str) -> Result<u64, String> {
    let valid_ms = parse_duration_ms(text).map_err(|error| error.to_string())?;
    if !VALID_MS.contains(&valid_ms) {
        return Err("a token can be used for 1s to 24h".to_owned());
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

pub(super) async fn run(session: Session, wanted: Wanted) -> Result<ExitOutcome, CommandError> {
    let mut controller = session.target.connect().await?;
    match wanted {
        Wanted::Token(request) => {
            let reply: CreateTokenReply =
                controller.ask(|fleet, request| fleet.create_token(request), request).await?;
            session.output.data(&reply, || reply.token.clone())?;
            tell(&format!(
                "for one host, until {}; its agent enrols at {} (see omlctl node token --help)",
                session.output.clock.date_time(reply.expires_ms),
                reply.enrollment_endpoint
            ));
        }
        Wanted::List(tenant) => get::nodes(&session, &mut controller, tenant).await?,
        Wanted::Remove(request) => remove(&mut controller, request).await?,
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
        controller.ask(|fleet, request| fleet.remove_node(request), request).await?;
    tell(&format!("node {node} of {tenant} is removed: its certificate is refused from now on"));
    let mut nodes = status.tenants.iter().flat_map(|tenant| &tenant.nodes);
    if let Some(host) = nodes.find(|known| known.node == node) {
        for line in left_behind(&tenant, host, status.now_ms) {
            tell(&printable(&line));
        }
    }
    Ok(())
}

/// What a removed host goes on with, and how to end that or undo the removal.
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
            format!(", as last seen {}", age(now_ms, host.last_seen_ms))
        };
        lines.push(format!(
            "what runs there runs on, no longer managed from here{seen}: {}",
            names.join(", ")
        ));
        lines.push(
            "to stop it, on the host: systemctl disable --now UNIT, the agent's first \
             (see omlctl node remove --help)"
                .to_owned(),
        );
    }
    lines.push(format!(
        "to take the host back: omlctl node token tenant={tenant} role={} name={}, \
         and enrol it anew with that (see omlctl node token --help)",
        host.roles.join(","),
        host.node
    ));
    lines
}
