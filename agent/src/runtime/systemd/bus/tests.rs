use super::*;

#[test]
fn only_what_is_not_enabled_and_can_be_is_enabled() {
    for state in ["enabled", "static", "indirect", "generated", "transient"] {
        assert!(is_enabled_or_cannot_be(state), "{state}");
    }
    for state in ["disabled", "enabled-runtime", "linked", "linked-runtime", "masked", "alias"] {
        assert!(!is_enabled_or_cannot_be(state), "{state}");
    }
}

#[test]
fn what_systemd_says_of_the_links_of_a_unit_is_final() {
    for name in ["UnitExists", "UnitLinked", "UnitGenerated", "UnitMasked", "NoSuchUnit"] {
        assert!(is_final(name), "{name}");
    }
    for name in ["TransactionIsDestructive", "ShuttingDown", "JobTypeNotApplicable"] {
        assert!(!is_final(name), "{name}");
    }
}
