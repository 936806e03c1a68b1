//! A change whose place a later revision took: whether that one contains it.
//! Versions do not tell, for two revisions may differ in anything else, so the
//! controller is asked what going back to the change would make.

use std::collections::BTreeSet;

use oml_common::text::problem::printable;
use oml_proto::v1::{Change, ChangeOptions, ChangeReply, RollbackRequest, Rollout};

use super::{Ended, ExitOutcome, Watched};
use crate::connection::{Controller, Failed};
use crate::error::CommandError;

/// The later revision that holds now.
#[derive(Debug, Clone)]
pub(crate) struct Overtaken {
    pub(crate) by: u64,
    /// The rollout that said so: the tenant's last.
    pub(crate) rollout: Rollout,
}

/// Components and problems that a sentence names.
const NAMED_MAX: usize = 5;

impl Overtaken {
    /// Asks what became of the change. Nothing comes of it where the answer is
    /// about a revision that is newer still: its status is to come.
    pub(super) async fn ask(
        &self,
        controller: &mut Controller,
        watched: &Watched,
    ) -> Result<Option<Ended>, Failed> {
        // Without an id: a plan is nothing that could be made twice.
        let options = ChangeOptions { dry_run: true, ..ChangeOptions::default() };
        let (tenant, to) = (watched.tenant.clone(), watched.revision);
        let request = RollbackRequest { tenant, to, options: Some(options) };
        match controller.call(|fleet, request| fleet.rollback(request), request).await {
            Ok(plan) => Ok(self.conclude(watched, &plan)),
            // It no longer can be planned: a host may have been removed since.
            Err(Failed::Answered(error)) => Ok(Some(self.unknown(watched, &refusal(&error)))),
            Err(failed @ (Failed::Lost(_) | Failed::Unauthenticated(_))) => Err(failed),
        }
    }

    /// What the plan for going back to the change says of it.
    pub(super) fn conclude(&self, watched: &Watched, plan: &ChangeReply) -> Option<Ended> {
        let present = if plan.changed { self.rollout.to.saturating_add(1) } else { self.by };
        if plan.revision != present {
            return None;
        }
        let touched = places(&watched.changes);
        if plan.changed && touched.is_empty() {
            return Some(self.unknown(watched, "no component is known that it changed"));
        }
        let differing: Vec<String> = places(&plan.changes)
            .intersection(&touched)
            .map(|(node, component)| format!("{component} on {node}"))
            .collect();
        let Watched { tenant, revision, .. } = watched;
        let by = self.by;
        Some(if differing.is_empty() {
            let sentence = format!(
                "done: {tenant} runs revision {by}, which took the place of {revision} and contains this change"
            );
            self.ended(ExitOutcome::Done, &sentence)
        } else {
            let sentence = format!(
                "failed: revision {by} of {tenant} took the place of {revision} and undid or altered this change: {}",
                some_of(&differing, ", ")
            );
            self.ended(ExitOutcome::Failed, &sentence)
        })
    }

    /// Nothing is green that was not observed. The reason comes last: it may be long.
    pub(super) fn unknown(&self, watched: &Watched, why: &str) -> Ended {
        let Watched { tenant, revision, .. } = watched;
        let sentence = format!(
            "failed: revision {} of {tenant} took the place of {revision}; compare them with omlctl history tenant={tenant}, since it cannot be told whether this change is contained: {why}",
            self.by
        );
        self.ended(ExitOutcome::Failed, &sentence)
    }

    fn ended(&self, ending: ExitOutcome, sentence: &str) -> Ended {
        Ended { ending, sentence: printable(sentence), rollout: Some(self.rollout.clone()) }
    }
}

/// Where something changes; a change of the text alone is nowhere.
fn places(changes: &[Change]) -> BTreeSet<(&str, &str)> {
    let somewhere = changes.iter().filter(|change| !change.component.is_empty());
    somewhere.map(|change| (change.node.as_str(), change.component.as_str())).collect()
}

/// An answer that is no plan, in one line.
fn refusal(error: &CommandError) -> String {
    let CommandError::Problems(problems) = error else { return error.to_string() };
    let told: Vec<String> = problems.0.iter().map(ToString::to_string).collect();
    some_of(&told, "; ")
}

fn some_of(all: &[String], between: &str) -> String {
    let named = all.iter().take(NAMED_MAX).map(String::as_str).collect::<Vec<_>>().join(between);
    match all.len().saturating_sub(NAMED_MAX) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}
