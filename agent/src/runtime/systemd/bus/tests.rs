use super::*;
use zbus::Message;

/// What a call ends with that is answered by an error of that name.
fn answered(name: &str) -> RuntimeError {
    let call = Message::method_call("/", "LoadUnit").build(&()).unwrap();
    let answer = Message::error(&call.header(), name).build(&"no").unwrap();
    failure("read", "asterisk.service", answer.into())
}

#[test]
fn a_systemd_that_is_not_on_the_bus_for_a_moment_has_refused_nothing() {
    for error in
        ["ServiceUnknown", "NameHasNoOwner", "NoReply", "Spawn.ChildExited", "Spawn.Failed"]
    {
        let error = answered(&format!("org.freedesktop.DBus.Error.{error}"));
        assert!(matches!(error, RuntimeError::Unavailable { .. }), "{error}");
    }
    let refused = answered("org.freedesktop.systemd1.UnitMasked");
    assert!(matches!(refused, RuntimeError::Refused { transient: false, .. }), "{refused}");
}

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
