//! Which components of a plan are not rolled back on a host.

use std::collections::BTreeSet;

use crate::document::Verbatim;
use crate::document::assignment::{ChangePolicy, Desired};
use crate::document::plan::Plan;
use crate::id::ComponentName;

use super::{VersionDecision, VersionRefusal, VersionWarning};

/// Says in a plan of every component that leads over a step without a way back that the version before
/// is not started again once the new one has answered. A way back that was forced is another matter:
/// the newer version reads what the earlier one writes.
pub fn keep_forward(plan: &mut Plan, decision: &VersionDecision) {
    let components: BTreeSet<&ComponentName> =
        decision.warnings.iter().filter_map(forward).collect();
    for share in plan.nodes.values_mut() {
        for component in &components {
            let Some(desired) = share.instances.get_mut(*component) else { continue };
            let policy = ChangePolicy { forward_only: true, ..desired.policy.clone() };
            let instance = desired.instance.clone();
            *desired = Verbatim::seal(Desired { instance, policy });
        }
    }
}

/// Returns the component that a warning says leads forward only.
fn forward(warning: &VersionWarning) -> Option<&ComponentName> {
    match warning {
        VersionWarning::NoWayBack { step, .. }
        | VersionWarning::Forced(VersionRefusal::Forward { step, .. }) => Some(&step.component),
        VersionWarning::Forced(
            VersionRefusal::Back { .. }
            | VersionRefusal::NotTogether { .. }
            | VersionRefusal::Apart { .. },
        )
        | VersionWarning::Unpublished { .. }
        | VersionWarning::Uncertain { .. }
        | VersionWarning::Restored { .. }
        | VersionWarning::UnknownCatalog { .. }
        | VersionWarning::NotCompared { .. } => None,
    }
}
