//! Looks at a change before it is made, and asks if it removes something or has no way back.

use std::time::Duration;

use oml_common::text::plural::counted;
use oml_common::text::printable::printable;
use oml_proto::v1::{Change, ChangeKind, ChangeOptions, ChangeReply};

use super::{Asks, ChangeRequest, Lost, send};
use crate::confirm::confirm;
use crate::connection::{Controller, Target};
use crate::error::CommandError;
use crate::output::print_note;

/// How often a change is looked at again because others changed the tenant meanwhile.
const PREVIEWS_MAX: usize = 5;
/// The number of removed instances that are listed.
const LINES_MAX: usize = 20;

/// Makes a change that may remove components or have no way back: it is planned, a person is asked
/// if it does, and what is made then is what was planned.
pub(super) async fn send_previewed(
    target: &Target,
    request: &ChangeRequest,
    options: &ChangeOptions,
    asks: Asks,
    limit: Duration,
) -> Result<(Controller, ChangeReply), CommandError> {
    let mut previews = 0;
    loop {
        let dry_run = ChangeOptions { op_id: String::new(), dry_run: true, ..options.clone() };
        let (controller, plan) = send(target, request, &dry_run, limit, Lost::Retry).await?;
        drop(controller);
        ask(&plan, asks)?;
        let options = ChangeOptions {
            if_revision: plan.revision,
            // Without another revision, what runs may have become another meanwhile.
            no_one_way: asks.one_way && !plan.one_way,
            ..options.clone()
        };
        previews += 1;
        match send(target, request, &options, limit, Lost::Retry).await {
            Err(CommandError::ChangedMeanwhile(_) | CommandError::OneWay(_))
                if previews < PREVIEWS_MAX =>
            {
                print_note("somebody else changed the tenant meanwhile; planning again");
            }
            sent => {
                if let Ok((_, made)) = &sent
                    && let Some(note) = unchecked(&plan, made)
                {
                    print_note(&note);
                }
                return sent;
            }
        }
    }
}

/// Asks a person whether to make a change that was planned, if it has to be asked about.
fn ask(plan: &ChangeReply, asks: Asks) -> Result<(), CommandError> {
    let removed: Vec<&Change> =
        plan.changes.iter().filter(|change| change.kind() == ChangeKind::Remove).collect();
    let mut lines = Vec::new();
    if asks.removals && !removed.is_empty() {
        lines.push(summary(&plan.tenant, &removed));
    }
    let is_one_way = asks.one_way && plan.one_way;
    if is_one_way {
        lines.extend(plan.warnings.iter().map(|it| format!("warning: {}", printable(it))));
    }
    if lines.is_empty() {
        return Ok(());
    }
    // Only removals have an option of their own.
    confirm(&lines.join("\n"), if is_one_way { "--yes" } else { "--prune" })
}

/// Returns a note if the change was made on another revision than it was planned on. A controller of
/// release 0.1.0 does not check that. A lower revision is that of an earlier change with the same
/// id, which is not made again.
fn unchecked(plan: &ChangeReply, made: &ChangeReply) -> Option<String> {
    (made.revision > plan.revision).then(|| {
        format!(
            "somebody else changed the tenant meanwhile, and this controller is too old to check that: \
             the change is revision {} and may differ from the plan of revision {} that was looked at \
             (see omlctl history tenant={}); upgrade the controller",
            made.revision, plan.revision, made.tenant
        )
    })
}

/// Returns what a change removes, in lines.
fn summary(tenant: &str, removed: &[&Change]) -> String {
    let count = counted(removed.len().try_into().unwrap_or(u64::MAX), "instances");
    let mut lines = vec![format!("this removes {count} from {tenant}:")];
    let line = |change: &&Change| {
        let Change { node, component, from, note, .. } = change;
        let note = if note.is_empty() { String::new() } else { format!(" ({note})") };
        format!("{}{note}", format!("  {node} {component} {from}").trim_end())
    };
    lines.extend(removed.iter().take(LINES_MAX).map(line));
    if removed.len() > LINES_MAX {
        lines.push(format!("  and {} more", removed.len() - LINES_MAX));
    }
    lines.join("\n")
}
