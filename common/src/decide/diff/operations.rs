//! What is said of the operations that run in an update.

use crate::decide::reload::check;
use crate::document::instance::{Instance, OperationStep};
use crate::id::OperationName;

use super::ChangeNote;

/// Makes a note of some operations.
type Note = fn(Vec<OperationName>) -> ChangeNote;

/// Returns the operations that run before the new instance starts in the place of the old one, or before
/// its program gets other files.
pub(super) fn run_first(old: Option<&Instance>, new: &Instance) -> Vec<ChangeNote> {
    if let Some(old) = old.filter(|old| old.workload == new.workload) {
        let checks = names(check::due(new, Some(old)));
        return (!checks.is_empty())
            .then_some(ChangeNote::CheckedFirst(checks))
            .into_iter()
            .collect();
    }
    let digest = |instance: &Instance| instance.container().map(|it| it.digest.clone());
    let is_other_image = old.is_none_or(|old| digest(old) != digest(new));
    let migrations = new.migrations.iter().filter(|_| is_other_image);
    let irreversible = migrations.clone().filter(|step| step.irreversible);
    let preparations = new.preparations.iter().filter(|_| old.is_none());
    let first: [(Vec<OperationName>, Note); 4] = [
        (names(&new.checks), ChangeNote::CheckedFirst),
        (names(preparations), ChangeNote::PreparedFirst),
        (names(migrations), ChangeNote::MigratedFirst),
        (names(irreversible), ChangeNote::Irreversible),
    ];
    let first = first.into_iter().filter(|(names, _)| !names.is_empty());
    first.map(|(names, note)| note(names)).collect()
}

/// Returns what differs in the operations of an instance.
pub(super) fn differing(old: &Instance, new: &Instance) -> Vec<ChangeNote> {
    let kinds = [
        (old.checks != new.checks, ChangeNote::Checks),
        (old.preparations != new.preparations, ChangeNote::Preparations),
        (old.migrations != new.migrations, ChangeNote::Migrations),
    ];
    kinds.into_iter().filter_map(|(differs, note)| differs.then_some(note)).collect()
}

fn names<'a>(steps: impl IntoIterator<Item = &'a OperationStep>) -> Vec<OperationName> {
    steps.into_iter().map(|step| step.operation.clone()).collect()
}
