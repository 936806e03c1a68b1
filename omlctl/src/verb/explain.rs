//! `omlctl explain` shows why something waits, failed or drifted.

use clap::ValueHint;
use oml_common::id::{ComponentName, TenantId};
use oml_common::text::problem::Problem;
use oml_proto::v1::StatusReply;

use super::{Session, status};
use crate::error::CommandError;
use crate::pairs::{Pairs, bare_word};
use crate::view;
use crate::wait::ExitOutcome;

/// Explain what a tenant waits for, what failed, and what was changed by hand
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  omlctl explain
  omlctl explain tenant=acme
  omlctl explain tenant=acme asterisk")]
pub(crate) struct Arguments {
    /// Explain only this tenant (tenant=NAME) or this component (COMPONENT)
    #[arg(value_name = "KEY=VALUE | COMPONENT", value_hint = ValueHint::Other)]
    words: Vec<String>,
}

#[derive(Debug)]
pub(super) struct ExplainRequest {
    tenant: String,
    component: Option<ComponentName>,
}

impl Arguments {
    pub(super) fn request(&self) -> Result<ExplainRequest, CommandError> {
        let (pairs, bare): (Vec<String>, Vec<String>) =
            self.words.iter().cloned().partition(|word| word.contains('='));
        let component = match bare.as_slice() {
            [] => None,
            [component] => {
                Some(component.parse().map_err(|error: oml_common::id::InvalidId| {
                    CommandError::Usage(error.to_string())
                })?)
            }
            [..] => {
                // In `tenant acme`, the first of two words is a key without its `=`.
                if let Some(at) = self.words.iter().position(|word| word == "tenant")
                    && let Some(error) = bare_word(&self.words[at..], &["tenant"])
                {
                    return Err(error);
                }
                return Err(CommandError::Usage("explain accepts only one component".to_owned()));
            }
        };
        let mut pairs = Pairs::parse(&pairs, &["tenant"])?;
        let tenant: Option<TenantId> = pairs.optional("tenant")?;
        Ok(ExplainRequest { tenant: tenant.map(String::from).unwrap_or_default(), component })
    }
}

pub(super) async fn run(
    session: Session,
    request: ExplainRequest,
) -> Result<ExitOutcome, CommandError> {
    let mut controller = session.target.connect().await?;
    let mut reply = status::fetch(&mut controller, request.tenant).await?;
    let component = request.component.as_ref().map(AsRef::as_ref);
    if let Some(component) = component {
        check(&reply, component)?;
        narrow(&mut reply, component);
    }
    status::note_if_empty(&reply);
    let output = &session.output;
    output.data(&reply, || view::explain(output, &reply, component))?;
    Ok(ExitOutcome::Done)
}

fn check(reply: &StatusReply, component: &str) -> Result<(), CommandError> {
    let rows = view::instance_rows(&reply.tenants);
    let mut absent = reply.tenants.iter().flat_map(|tenant| &tenant.absent);
    if rows.iter().any(|row| row.component == component)
        || absent.any(|it| it.component == component)
    {
        return Ok(());
    }
    let problem = Problem::new("", format!("no node runs or expects {component}"));
    if reply.tenants.iter().any(|tenant| tenant.tenant == component) {
        let hint = format!("it is a tenant; use omlctl explain tenant={component}");
        return Err(CommandError::usage(&problem.hint(hint)));
    }
    let mut known: Vec<&str> = rows.iter().map(|row| row.component).collect();
    known.sort_unstable();
    known.dedup();
    Err(CommandError::usage(&problem.suggest(component, known)))
}

/// Removes everything that does not concern the component.
fn narrow(reply: &mut StatusReply, component: &str) {
    for tenant in &mut reply.tenants {
        tenant.absent.retain(|it| it.component == component);
        for node in &mut tenant.nodes {
            node.expected.retain(|name, _| name == component);
            if let Some(report) = &mut node.report {
                report.instances.retain(|name, _| name == component);
            }
        }
        if let Some(rollout) = &mut tenant.rollout {
            rollout.failures.retain(|failure| failure.component == component);
        }
    }
}
