//! `omlctl status`: the state of tenants, once or as it changes.

use std::io::IsTerminal as _;
use std::time::Duration;

use clap::ValueHint;
use oml_common::id::TenantId;
use oml_proto::v1::{StatusReply, StatusRequest};
use tokio::time::sleep;

use super::Session;
use crate::connection::{Controller, Failed};
use crate::error::CommandError;
use crate::output::{self, Format, tell};
use crate::pairs::Pairs;
use crate::progress::Spinner;
use crate::view;
use crate::wait::ExitOutcome;

/// Show rollout, nodes and instances of one tenant or all
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  omlctl status
  omlctl status tenant=acme
  omlctl status tenant=acme --watch
  omlctl status -o json | jq '.tenants[].rollout.state'")]
pub(crate) struct Arguments {
    /// tenant=NAME for one tenant only
    #[arg(value_name = "KEY=VALUE", value_hint = ValueHint::Other)]
    words: Vec<String>,
    /// Show it again after every change, until interrupted
    #[arg(short, long)]
    watch: bool,
}

#[derive(Debug)]
pub(super) struct Wanted {
    tenant: String,
    watch: bool,
}

/// Pause between two attempts to reach a controller that was lost.
const RECONNECT_PAUSE: Duration = Duration::from_millis(500);
/// Moves the cursor home and clears what is below.
const HOME: &str = "\x1b[H\x1b[2J";

impl Arguments {
    pub(super) fn wanted(&self) -> Result<Wanted, CommandError> {
        let mut pairs = Pairs::parse(&self.words, &["tenant"])?;
        let tenant: Option<TenantId> = pairs.optional("tenant")?;
        Ok(Wanted { tenant: tenant.map(String::from).unwrap_or_default(), watch: self.watch })
    }
}

pub(super) async fn run(session: Session, wanted: Wanted) -> Result<ExitOutcome, CommandError> {
    let mut controller = session.target.connect().await?;
    if wanted.watch {
        return watch(&session, controller, &wanted.tenant).await;
    }
    let reply = fetch(&mut controller, wanted.tenant).await?;
    tell_if_none(&reply);
    session.output.data(&reply, || view::status(&session.output, &reply))?;
    Ok(ExitOutcome::Done)
}

/// Says how to begin where there is nothing to show.
pub(super) fn tell_if_none(reply: &StatusReply) {
    if reply.tenants.is_empty() {
        tell("there are no tenants yet; begin with omlctl node token");
    }
}

/// Asks for the status of one tenant, or of all when the name is empty.
pub(super) async fn fetch(
    controller: &mut Controller,
    tenant: String,
) -> Result<StatusReply, CommandError> {
    controller.ask(|fleet, request| fleet.get_status(request), StatusRequest { tenant }).await
}

async fn watch(
    session: &Session,
    controller: Controller,
    tenant: &str,
) -> Result<ExitOutcome, CommandError> {
    let mut controller = Some(controller);
    let mut absence = Absence::default();
    loop {
        let why = match controller.take() {
            Some(mut controller) => {
                show_all(session, &mut controller, tenant, &mut absence).await?
            }
            None => match session.target.connect().await {
                Ok(again) => {
                    controller = Some(again);
                    continue;
                }
                Err(CommandError::Unreachable(why)) => why,
                Err(error) => return Err(error),
            },
        };
        absence.tell(&why);
        sleep(RECONNECT_PAUSE).await;
    }
}

/// Tells that there is no controller, and why: in a line that is kept current
/// on a terminal, and elsewhere in a line per reason.
#[derive(Debug, Default)]
struct Absence {
    told: Option<String>,
    live: Option<Spinner>,
}

impl Absence {
    fn tell(&mut self, why: &str) {
        let line = format!("no controller ({why}); trying again");
        if output::is_live() {
            self.live.get_or_insert_default().say(&line);
        } else if self.told.as_ref() != Some(&line) {
            tell(&line);
        }
        self.told = Some(line);
    }

    fn end(&mut self) {
        let Self { told, live } = std::mem::take(self);
        if let Some(live) = live {
            live.finish();
        }
        if told.is_some() {
            tell("connected again");
        }
    }
}

/// Shows every status until the connection is lost, and gives the reason.
async fn show_all(
    session: &Session,
    controller: &mut Controller,
    tenant: &str,
    absence: &mut Absence,
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
        Err(Failed::Lost(why)) => return Ok(why),
        Err(failed @ (Failed::Answered(_) | Failed::Unauthenticated(_))) => {
            return Err(failed.into());
        }
    };
    loop {
        match watch.next().await {
            Ok(reply) => {
                absence.end();
                output.datum(&reply, || shown(&reply))?;
            }
            Err(Failed::Lost(why)) => return Ok(why),
            Err(failed @ (Failed::Answered(_) | Failed::Unauthenticated(_))) => {
                return Err(failed.into());
            }
        }
    }
}
