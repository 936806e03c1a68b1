//! `omlctl node` manages the hosts of a tenant.

use std::ops::RangeInclusive;

use clap::{Subcommand, ValueHint};
use oml_common::id::{NodeName, RoleName, TenantId};
use oml_common::text::plural::counted;
use oml_common::text::printable::printable;
use oml_common::time::parse_duration_ms;
use oml_proto::v1::{
    CreateTokenReply, CreateTokenRequest, NewTenant, NodeStatus, RemoveNodeReply, RemoveNodeRequest,
};

use super::{Session, get, status};
use crate::clock::age;
use crate::confirm::confirm;
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
  omlctl node remove tenant=acme node=acme-1
  omlctl node remove tenant=acme node=acme-1 --yes     # in a script")]
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
        /// Make the token also for a tenant that is not known yet, without a question
        #[arg(short, long)]
        yes: bool,
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
  omlctl node remove tenant=acme node=acme-1
  omlctl node remove tenant=acme node=acme-1 --yes     # in a script"
    )]
    Remove {
        /// The host: tenant=NAME node=NODE
        #[arg(value_name = "tenant=NAME node=NODE", value_hint = ValueHint::Other, required = true)]
        words: Vec<String>,
        /// Remove the host without a question
        #[arg(short, long)]
        yes: bool,
    },
}

#[derive(Debug)]
pub(super) enum NodeRequest {
    Token { request: CreateTokenRequest, yes: bool },
    List(String),
    Remove { request: RemoveNodeRequest, yes: bool },
}

impl Arguments {
    pub(super) fn request(&self) -> Result<NodeRequest, CommandError> {
        match &self.action {
            Action::Token { words, valid, yes } => {
                let request = token_request(words, *valid)?;
                Ok(NodeRequest::Token { request, yes: *yes })
            }
            Action::List { words } => {
                let mut pairs = Pairs::parse(words, &["tenant"])?;
                let tenant: Option<TenantId> = pairs.optional("tenant")?;
                Ok(NodeRequest::List(tenant.map(String::from).unwrap_or_default()))
            }
            Action::Remove { words, yes } => {
                let mut pairs = Pairs::parse(words, &["tenant", "node"])?;
                let tenant: TenantId = pairs.need("tenant", "acme")?;
                let node: NodeName = pairs.need("node", "acme-1")?;
                let request = RemoveNodeRequest { tenant: tenant.into(), node: node.into() };
                Ok(NodeRequest::Remove { request, yes: *yes })
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
        dry_run: false,
    })
}

pub(super) async fn run(
    session: Session,
    request: NodeRequest,
) -> Result<ExitOutcome, CommandError> {
    let mut controller = session.target.connect().await?;
    match request {
        NodeRequest::Token { request, yes } => {
            token(&session, &mut controller, request, yes).await?
        }
        NodeRequest::List(tenant) => get::nodes(&session, &mut controller, tenant).await?,
        NodeRequest::Remove { request, yes } => remove(&mut controller, request, yes).await?,
    }
    Ok(ExitOutcome::Done)
}

async fn token(
    session: &Session,
    controller: &mut Controller,
    request: CreateTokenRequest,
    yes: bool,
) -> Result<(), CommandError> {
    if !yes {
        let dry_run = CreateTokenRequest { dry_run: true, ..request.clone() };
        let checked: CreateTokenReply =
            controller.call(|fleet, request| fleet.create_token(request), dry_run).await?;
        if !checked.token.is_empty() {
            // A controller of an earlier release does not check: it has made the token.
            return print_token(session, &checked);
        }
        if let Some(new) = &checked.new_tenant.filter(|new| !new.is_first) {
            confirm(&new_tenant(&request.tenant, new), "--yes")?;
        }
    }
    let reply: CreateTokenReply =
        controller.call(|fleet, request| fleet.create_token(request), request.clone()).await?;
    if let Some(new) = reply.new_tenant.as_ref().filter(|new| yes || new.is_first) {
        print_note(&new_tenant(&request.tenant, new));
    }
    print_token(session, &reply)
}

/// Returns that a tenant is new, and which name may be meant.
fn new_tenant(tenant: &str, new: &NewTenant) -> String {
    let meant = match new.nearest.as_str() {
        "" => String::new(),
        nearest => format!(" (did you mean {nearest}?)"),
    };
    format!("{tenant} is a new tenant{meant}")
}

fn print_token(session: &Session, reply: &CreateTokenReply) -> Result<(), CommandError> {
    session.output.data(reply, || reply.token.clone())?;
    print_note(&format!(
        "valid for one host until {}; enrol the host at {} (see omlctl node token --help)",
        session.output.clock.date_time(reply.expires_ms),
        reply.enrollment_endpoint
    ));
    Ok(())
}

async fn remove(
    controller: &mut Controller,
    request: RemoveNodeRequest,
    yes: bool,
) -> Result<(), CommandError> {
    let RemoveNodeRequest { tenant, node } = request.clone();
    let status = status::fetch(controller, tenant.clone()).await?;
    let mut nodes = status.tenants.iter().flat_map(|tenant| &tenant.nodes);
    let host = nodes.find(|known| known.node == node);
    // A host that is not there is refused by the controller, with a suggestion.
    if let Some(host) = host.filter(|_| !yes) {
        confirm(&removal(&tenant, host, status.now_ms), "--yes")?;
    }
    let RemoveNodeReply {} =
        controller.call(|fleet, request| fleet.remove_node(request), request).await?;
    print_note(&format!("removed node {node} of {tenant}: its certificate is refused from now on"));
    if let Some(host) = host {
        for line in left_behind(&tenant, host, status.now_ms) {
            print_note(&printable(&line));
        }
    }
    Ok(())
}

/// Returns what the removal of a host means.
fn removal(tenant: &str, host: &NodeStatus, now_ms: u64) -> String {
    let connected = match describe::is_connected(host) {
        true => "connected".to_owned(),
        false => format!("last seen {}", age(now_ms, host.last_seen_ms)),
    };
    let count = host.report.as_ref().map_or(0, |report| report.instances.len());
    let count = counted(count.try_into().unwrap_or(u64::MAX), "components");
    format!(
        "this removes node {} of {tenant} ({}; {connected}): what runs on it ({count}) keeps running, and changes no longer reach it",
        host.node,
        host.roles.join(", ")
    )
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
