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
use super::reason::{Lack, Reason};

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

/// Reports that a reload failed. The program goes on with its former files, as its document on the
/// host says, and is kept running.
pub(super) fn after_failure(failure: &Failure, kept: Decision) -> Decision {
    if kept.acts() {
        return kept;
    }
    let reason = Reason::ReloadFailed { message: failure.message.clone() };
    Decision { wake_at: kept.wake_at, ..Decision::wait(Phase::RolledBack, reason) }
}
