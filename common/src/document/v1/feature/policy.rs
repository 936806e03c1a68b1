//! The features that an entry of a share needs: those of its instance, and of how it is changed.

use std::collections::BTreeSet;

use super::Feature;
use crate::document::assignment::{ChangePolicy, Desired, OnDeadline};

impl Desired {
    /// Returns the features that an agent needs to run the instance and to change it by its policy.
    #[must_use]
    pub fn needs(&self) -> BTreeSet<Feature> {
        let Self { instance, policy } = self;
        instance.needs().into_iter().chain(policy.needs()).collect()
    }
}

impl ChangePolicy {
    /// Returns the features that an agent needs to make a change by this policy. One that does not know
    /// a field leaves it out, so a field that it must not leave out is a feature.
    #[must_use]
    pub fn needs(&self) -> BTreeSet<Feature> {
        // Every field is named, so that a new one does not compile before somebody has chosen
        // whether it needs a feature.
        let Self { soak_ms: _, drain_deadline_ms: _, on_deadline, forward_only } = self;
        let (OnDeadline::Wait | OnDeadline::Abort | OnDeadline::Cut) = on_deadline;
        forward_only.then_some(Feature::ForwardOnly).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_policy_that_leads_forward_only_needs_more_than_every_agent_knows() {
        let on_deadline = OnDeadline::Cut;
        let policy =
            ChangePolicy { soak_ms: 1, drain_deadline_ms: 1, on_deadline, forward_only: false };
        assert_eq!(policy.needs(), BTreeSet::new());
        let forward = ChangePolicy { forward_only: true, ..policy };
        assert_eq!(forward.needs(), BTreeSet::from([Feature::ForwardOnly]));
    }
}
