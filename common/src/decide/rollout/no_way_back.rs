//! Whether an earlier revision may not run any more on a node.

use crate::document::instance::Instance;
use crate::document::report::Phase;
use crate::id::{ComponentName, OperationName};

use super::row::Row;

/// Returns the migration of a moved node that cannot be undone and that may have succeeded. A node that
/// reports its change as rolled back was not migrated: it never goes back over such a migration. One
/// that runs the workload itself was: it says that of a reload.
/// Of a node that does not say so nothing is known.
pub(super) fn may_be_migrated<'a>(
    row: &'a Row<'_>,
) -> Option<(&'a ComponentName, &'a OperationName)> {
    let (to, from) = (&row.to.plan.instances, &row.from.plan.instances);
    let digest = |instance: &Instance| instance.container().map(|it| it.digest.clone());
    let is_other = |component: &ComponentName, instance: &Instance| {
        from.get(component).and_then(|it| digest(&it.instance)) != digest(instance)
    };
    let was_not_begun = |component: &ComponentName, instance: &Instance| {
        let report = row.view.report.filter(|report| Some(report.revision) == row.to.revision);
        let reported = report.and_then(|report| report.instances.get(component));
        reported.is_some_and(|reported| {
            let wanted = Some(instance.workload_hash());
            let failed = reported.failure.as_ref().map(|failure| &failure.hash);
            reported.phase == Phase::RolledBack
                && failed == wanted.as_ref()
                && reported.hash != wanted
        })
    };
    let mut changed = to.iter().filter(|(component, desired)| {
        (row.is_moved || row.is_inherited)
            && is_other(component, &desired.instance)
            && !was_not_begun(component, &desired.instance)
    });
    changed.find_map(|(component, desired)| {
        let step = desired.instance.migrations.iter().find(|step| step.irreversible)?;
        Some((component, &step.operation))
    })
}
