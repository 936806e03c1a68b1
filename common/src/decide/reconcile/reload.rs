//! Lets a program take over its files while it runs.

use std::collections::BTreeSet;

use crate::decide::observed::ObservedUnit;
use crate::decide::reload::is_healthy;
use crate::decide::step::Step;
use crate::document::instance::{Instance, KeptSecret, Reload};
use crate::document::report::{Failure, Phase};
use crate::document::update::{InstanceUpdate, ReloadStage};
use crate::id::ContentHash;

use super::case::{Case, Decision, is_active};
use super::reason::{Activity, Lack, Reason};

/// When the program takes over files that it has not taken over yet.
pub(super) enum Due {
    Now(Decision),
    /// When what the decision waits for is there; the program is kept running meanwhile.
    Waits(Decision),
    /// Once it answers: it is starting, and may have read the former ones.
    OnceStarted,
}

/// Returns the content that the program has not taken over: its document names another one,
/// somebody changed the files, or a reload was interrupted.
pub(super) fn not_taken(case: Case<'_>) -> Option<ContentHash> {
    let wanted = case.desired.instance.reload.as_ref()?;
    let content = wanted.content();
    let document = case.seen.document.as_ref().filter(|document| document.on_disk);
    let is_other = document.and_then(|it| it.reloaded.as_ref()) != Some(&content);
    (is_other || is_begun(case) || is_changed(case, wanted)).then_some(content)
}

/// Decides for files that the program has not taken over.
pub(super) fn due(case: Case<'_>, unit: &ObservedUnit) -> Option<Due> {
    let content = not_taken(case)?;
    let secrets = awaited_secrets(case);
    if !secrets.is_empty() {
        return Some(Due::Waits(Decision::wait(Phase::Pending, Reason::WaitsForSecrets(secrets))));
    }
    let runs = case.seen.running().is_some();
    if runs && !is_active(unit) {
        return Some(Due::OnceStarted);
    }
    let step = Step::Reload { content, runs, was_healthy: was_healthy(case) };
    Some(Due::Now(Decision::act(Phase::Preparing, step, Reason::Lacks(Lack::Reload))))
}

/// Returns the secrets that the program takes over and that are not on the host yet. The password
/// with which its image is pulled is none of them.
fn awaited_secrets(case: Case<'_>) -> BTreeSet<KeptSecret> {
    let reloaded = case.desired.instance.reload.iter().flat_map(|reload| &reload.secrets);
    reloaded.filter(|secret| case.seen.missing_secrets.contains(*secret)).cloned().collect()
}

/// Returns true if a reload was begun and its end was not recorded.
fn is_begun(case: Case<'_>) -> bool {
    begun(case).is_some()
}

/// Returns whether the program was healthy before a reload that was begun.
fn begun(case: Case<'_>) -> Option<bool> {
    match case.update?.reload.as_ref()? {
        ReloadStage::Begun { was_healthy } => Some(*was_healthy),
        ReloadStage::Failed { .. } => None,
    }
}

/// Returns true if the program is healthy, or was before the first try of this reload.
fn was_healthy(case: Case<'_>) -> bool {
    let is_healthy = || {
        let running = case.seen.running();
        running.is_some_and(|it| is_healthy(case.seen.status.as_ref(), &it.id))
    };
    begun(case) == Some(true) || is_healthy()
}

/// Returns true if somebody changed one of the files.
fn is_changed(case: Case<'_>, reload: &Reload) -> bool {
    case.seen.file_changes.iter().any(|change| reload.has(&change.path))
}

/// Returns the failure of the reload of what is desired now, if it failed.
pub(super) fn failed(case: Case<'_>) -> Option<&Failure> {
    failure_of(case.update?, &case.desired.instance)
}

/// Returns the failure of the reload of that instance, if it is that which failed.
pub(super) fn failure_of<'u>(
    update: &'u InstanceUpdate,
    desired: &Instance,
) -> Option<&'u Failure> {
    let wanted = desired.reload.as_ref()?;
    match update.reload.as_ref()? {
        ReloadStage::Failed { content, failure } if *content == wanted.content() => Some(failure),
        ReloadStage::Failed { .. } | ReloadStage::Begun { .. } => None,
    }
}

/// Returns the step that writes the unit and the files again without a reload; none while a reload is
/// due. After one that failed, they are written by the document on the host, which says what the
/// program has.
pub(super) fn rewrite(case: Case<'_>) -> Option<Step> {
    match failed(case) {
        Some(_) => Some(Step::Repair { in_use: case.desired_hash.clone() }),
        None => not_taken(case).is_none().then_some(Step::RewriteConfig),
    }
}

/// Puts right what somebody changed by hand since a reload failed.
pub(super) fn put_right(case: Case<'_>, unit: &ObservedUnit) -> Option<Decision> {
    let has_document = case.seen.document.as_ref().is_some_and(|document| document.on_disk);
    let is_right = has_document && !case.seen.has_edited_document();
    let lack = if !is_right || !unit.by_hand.is_empty() {
        Lack::Documents
    } else if !case.seen.file_changes.is_empty() {
        Lack::Files
    } else {
        return None;
    };
    Some(Decision::act(Phase::RolledBack, rewrite(case)?, Reason::Lacks(lack)))
}

/// Describes a repair that is being done. The failure of a reload is still the news.
pub(super) fn being_repaired(case: Case<'_>) -> Decision {
    let doing = Decision::wait(Phase::Preparing, Reason::Doing(Activity::Preparing));
    match failed(case) {
        Some(failure) => after_failure(failure, doing),
        None => doing,
    }
}

/// Reports that a reload failed. The program goes on with its former files, as its document on the
/// host says, and is kept running.
pub(super) fn after_failure(failure: &Failure, kept: Decision) -> Decision {
    if kept.acts() {
        return kept;
    }
    let reason = Reason::ReloadFailed { message: failure.message.clone() };
    Decision { wake_at: kept.wake_at, ..Decision::wait(Phase::RolledBack, reason) }
}
