//! Which assignments a node accepts in place of the one it has.

use proptest::prelude::*;

use super::*;
use crate::id::RevisionNumber;

/// One of a few contents under one of a few numbers.
fn offered((epoch, number, revision): (u64, u64, u64)) -> Assignment {
    Assignment {
        generation: Generation { epoch, number },
        tenant: "acme".parse().unwrap(),
        node: "acme-voice".parse().unwrap(),
        content: Content { revision: RevisionNumber(revision), ..Content::default() },
    }
}

proptest! {
    /// Assignments may arrive in any order, and more than once.
    #[test]
    fn a_node_never_goes_back_and_one_generation_has_one_content(
        offers in prop::collection::vec((0..3_u64, 0..4_u64, 0..3_u64), 1..40),
    ) {
        let (tenant, node) = ("acme".parse().unwrap(), "acme-voice".parse().unwrap());
        let mut held: Option<Assignment> = None;
        for offer in offers.into_iter().map(offered) {
            let taken = offer.accept_after(held.as_ref(), &tenant, &node).is_ok();
            if let Some(held) = &held {
                let (new, old) = (offer.generation, held.generation);
                let says_the_same = offer.content == held.content;
                prop_assert_eq!(taken, new > old || (new == old && says_the_same));
            }
            if taken {
                held = Some(offer);
            }
        }
    }

    /// A newer number makes no difference.
    #[test]
    fn an_assignment_for_another_node_or_tenant_is_never_accepted(offer in (0..3_u64, 0..4_u64, 0..3_u64)) {
        let (tenant, node) = ("acme".parse().unwrap(), "acme-voice".parse().unwrap());
        let offer = offered(offer);
        prop_assert!(offer.accept_after(None, &"other".parse().unwrap(), &node).is_err());
        prop_assert!(offer.accept_after(None, &tenant, &"acme-app".parse().unwrap()).is_err());
    }
}
