//! What a restored controller begins with. Its backup may be older than what
//! the hosts run, so it gives nothing to anybody until an operator says again
//! what shall run; that then goes out in waves like any other change.

use std::collections::{BTreeMap, BTreeSet};

use oml_common::decide::assign;
use oml_common::document::rollout::Rollout;
use oml_common::id::{NodeName, TenantId};
use oml_common::time::Timestamp;

use crate::pki::TokenRecord;
use crate::records::values::Assigned;
use crate::records::{Archive, keys};

/// By tenant, the nodes that carried something: the next change looks at
/// everything on them, and empties those it gives nothing.
type Carrying = BTreeMap<TenantId, BTreeSet<NodeName>>;

/// Takes all pointers out of the records, makes every node undecided, pauses
/// every rollout and ends every token.
pub(super) fn quiesce(archive: &mut Archive, epoch: u64, now: Timestamp) {
    let listed = archive.list_lossy(&keys::rollouts()).into_iter();
    let named = listed.filter_map(|(rest, rollout)| Some((keys::rollouts().name(&rest)?, rollout)));
    let rollouts: BTreeMap<TenantId, Rollout> = named.collect();
    let carrying = carrying(archive, &rollouts);
    archive.remove_all(&keys::all_targets());
    archive.update(&keys::all_assignments(), |_, held: Assigned| {
        assign::undecided(&held.assignment, epoch).into()
    });
    archive.update(&keys::rollouts(), |rest, rollout| {
        let tenant: Option<TenantId> = keys::rollouts().name(rest);
        let carried = tenant.and_then(|tenant| carrying.get(&tenant));
        rollout.quiesced(carried.cloned().unwrap_or_default(), now)
    });
    // Nothing is known to run, so every node is on the way of the next change.
    archive.update(&keys::heads(), |rest, head| {
        let tenant: Option<TenantId> = keys::heads().name(rest);
        head.quiesced(tenant.and_then(|tenant| rollouts.get(&tenant)))
    });
    // A token may have been used since the backup. Long ended, so that no clock
    // that is set back makes it good again.
    archive.update(&keys::tokens(), |_, token: TokenRecord| TokenRecord {
        expires: Timestamp::default(),
        ..token
    });
}

fn carrying(archive: &Archive, rollouts: &BTreeMap<TenantId, Rollout>) -> Carrying {
    let mut carrying = Carrying::new();
    for (tenant, rollout) in rollouts {
        // It may have been restored already, and nothing applied since.
        carrying.entry(tenant.clone()).or_default().extend(rollout.in_flight());
    }
    for (_, Assigned { assignment, .. }) in archive.list_lossy(&keys::all_assignments()) {
        if !assignment.content.share.is_empty() {
            let nodes = carrying.entry(assignment.tenant.clone()).or_default();
            nodes.insert(assignment.node.clone());
        }
    }
    carrying
}
