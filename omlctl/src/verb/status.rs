//! `omlctl status` shows the state of tenants, once or continuously.

use std::io::IsTerminal as _;

use clap::ValueHint;
use oml_common::id::TenantId;
use oml_proto::v1::{OverallHealth, StatusReply, StatusRequest};
use tokio::time::sleep;

use super::Session;
use crate::connection::{Controller, RECONNECT_PAUSE};
use crate::error::CommandError;
use crate::output::{self, Format, print_note};
use crate::pairs::Pairs;
use crate::progress::Spinner;
use crate::view;
use crate::wait::ExitOutcome;

/// Show the rollout, nodes and instances of one tenant or all tenants
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  omlctl status
  omlctl status tenant=acme
  omlctl status tenant=acme --watch
  omlctl status --exit-code || echo 'something is not well'
  omlctl status -o json | jq '.tenants[].rollout.state'")]
pub(crate) struct Arguments {
    /// Show only this tenant: tenant=NAME
    #[arg(value_name = "KEY=VALUE", value_hint = ValueHint::Other)]
    words: Vec<String>,
    /// Keep running and show every change, until interrupted with Ctrl-C
    #[arg(short, long)]
    watch: bool,
    /// Exit with 6 unless everything can be read, every host is connected, and everything on it is ready and healthy
    #[arg(long, conflicts_with = "watch")]
    exit_code: bool,
}

#[derive(Debug)]
pub(super) struct StatusQuery {
    tenant: String,
    watch: bool,
    exit_code: bool,
}

/// The escape sequence that moves the cursor home and clears the screen.
const HOME: &str = "\x1b[H\x1b[2J";

impl Arguments {
    pub(super) fn request(&self) -> Result<StatusQuery, CommandError> {
        let mut pairs = Pairs::parse(&self.words, &["tenant"])?;
        let tenant: Option<TenantId> = pairs.optional("tenant")?;
        let tenant = tenant.map(String::from).unwrap_or_default();
        Ok(StatusQuery { tenant, watch: self.watch, exit_code: self.exit_code })
    }
}

pub(super) async fn run(
    session: Session,
    request: StatusQuery,
) -> Result<ExitOutcome, CommandError> {
    let mut controller = session.target.connect().await?;
    if request.watch {
        return watch(&session, controller, &request.tenant).await;
    }
    let reply = fetch(&mut controller, request.tenant).await?;
    note_if_empty(&reply);
    session.output.data(&reply, || view::status(&session.output, &reply))?;
    Ok(if request.exit_code { health(&reply) } else { ExitOutcome::Done })
}

/// Returns the result for what the controller decided. What this program cannot read is no
/// success.
fn health(reply: &StatusReply) -> ExitOutcome {
    match OverallHealth::try_from(reply.health) {
        Ok(OverallHealth::Healthy) => ExitOutcome::Done,
        Ok(OverallHealth::NotHealthy) => ExitOutcome::NotHealthy,
        Ok(OverallHealth::Unspecified) => {
            print_note(
                "unknown: this controller is too old to decide whether all is healthy; upgrade the controller",
            );
            ExitOutcome::Unknown
        }
        Err(_later) => {
            print_note(
                "unknown: this omlctl does not know the health that the controller decided; upgrade omlctl",
            );
            ExitOutcome::Unknown
        }
    }
}

/// Prints how to begin if there are no tenants.
pub(super) fn note_if_empty(reply: &StatusReply) {
    if reply.tenants.is_empty() {
        print_note(
            "there are no tenants yet; enrol a host with omlctl node token tenant=NAME role=ROLE",
        );
    }
}

/// Requests the status of one tenant, or of all tenants if the name is empty.
pub(super) async fn fetch(
    controller: &mut Controller,
    tenant: String,
) -> Result<StatusReply, CommandError> {
    let request = StatusRequest { tenant };
    Ok(controller.call(|fleet, request| fleet.get_status(request), request).await?)
}

async fn watch(
    session: &Session,
    controller: Controller,
    tenant: &str,
) -> Result<ExitOutcome, CommandError> {
    let mut controller = Some(controller);
    let mut outage = Outage::default();
    loop {
        let why = match controller.take() {
            Some(mut controller) => show_all(session, &mut controller, tenant, &mut outage).await?,
            None => match session.target.connect().await {
                Ok(again) => {
                    controller = Some(again);
                    continue;
                }
                Err(CommandError::Unreachable(why)) => why,
                Err(error) => return Err(error),
            },
        };
        outage.report(&why);
        sleep(RECONNECT_PAUSE).await;
    }
}

/// A time without a connection. On a terminal, one line shows the current reason; elsewhere,
/// every reason has a line.
#[derive(Debug, Default)]
struct Outage {
    reported: Option<String>,
    live: Option<Spinner>,
}

impl Outage {
    fn report(&mut self, why: &str) {
        let line = format!("cannot reach the controller ({why}); retrying");
        if output::is_live() {
            self.live.get_or_insert_default().say(&line);
        } else if self.reported.as_ref() != Some(&line) {
            print_note(&line);
        }
        self.reported = Some(line);
    }

    fn end(&mut self) {
        let Self { reported, live } = std::mem::take(self);
        if let Some(live) = live {
            live.finish();
        }
        if reported.is_some() {
            print_note("connected again");
        }
    }
}

/// Shows every status until the connection is lost, and returns the reason.
async fn show_all(
    session: &Session,
    controller: &mut Controller,
    tenant: &str,
    outage: &mut Outage,
) -> Result<String, CommandError> {
    let output = &session.output;
    let is_screen = output.format == Format::Table && std::io::stdout().is_terminal();
    let shown = |reply: &StatusReply| {
        let head = if is_screen { HOME.to_owned() } else { String::new() };
        let time = output.clock.time(reply.now_ms);
        format!("{head}{time}\n{}\n", view::status(output, reply))
    };
    let mut watch = match controller.watch_status(tenant).await {
        Ok(watch) => watch,
        Err(failed) => return failed.reconnect_reason(),
    };
    loop {
        match watch.next().await {
            Ok(reply) => {
                outage.end();
                output.datum(&reply, || shown(&reply))?;
            }
            Err(failed) => return failed.reconnect_reason(),
        }
    }
}
