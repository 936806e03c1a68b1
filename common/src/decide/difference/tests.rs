//! Tests of the sentences about what differs on a host.

use super::*;

fn unit(name: &str) -> UnitName {
    name.parse().unwrap()
}

fn texts(reasons: &[(&dyn Display, &str)]) {
    for (reason, text) in reasons {
        assert_eq!(reason.to_string(), *text);
    }
}

fn in_container(change: ContainerChange) -> Difference {
    Difference::Container { name: "x-server".to_owned(), change }
}

fn limited(is_bytes: Option<u64>, was_bytes: Option<u64>) -> Difference {
    in_container(ContainerChange::MemoryLimit { is_bytes, was_bytes })
}

#[test]
fn a_changed_setting_of_a_container_is_shown_with_what_it_was() {
    let policy = ContainerChange::RestartPolicy { policy: "always".to_owned() };
    texts(&[
        (&in_container(ContainerChange::Paused), "container x-server is paused"),
        (&in_container(policy), "container x-server has the restart policy always, not no"),
        (
            &limited(Some(64 << 20), None),
            "container x-server has the memory limit 64 MiB, not none",
        ),
        (
            &limited(Some((1 << 30) + 4096), Some(1 << 30)),
            "container x-server has the memory limit 1073745920 bytes, not 1024 MiB",
        ),
        (
            &in_container(ContainerChange::CpuLimit),
            "container x-server has a limit of its CPU time",
        ),
        (
            &in_container(ContainerChange::Option {
                word: "user",
                is: "none".to_owned(),
                was: "1000".to_owned(),
            }),
            "container x-server has user none, not 1000",
        ),
        (
            &Difference::NotAllowed {
                name: "x-server".to_owned(),
                rights: [Right::Privileged, Right::Realtime].into(),
            },
            "container x-server has what /etc/omlagent/policy.toml does not allow: privileged, \
             real-time priority",
        ),
    ]);
}

#[test]
fn what_bears_our_labels_or_our_mark_and_is_not_ours_is_shown_with_the_reason() {
    let labelled = |why| Difference::LabelledContainer { name: "dbg".to_owned(), why };
    let marked = |why, runs| Difference::MarkedUnit { unit: unit("dbg.service"), why, runs };
    let drop_in = |why| Difference::MarkedDropIn { path: "/d/50-oml.conf".to_owned(), why };
    let copy = || FileNotOurs::CopyOf(unit("x.service"));
    texts(&[
        (
            &labelled(NotOurs::OtherTenant),
            "container dbg has its labels but is another tenant's: not ours, left alone",
        ),
        (
            &labelled(NotOurs::OtherImage),
            "container dbg has its labels but runs another image: not ours, left alone",
        ),
        (
            &labelled(NotOurs::OtherName),
            "container dbg has its labels but has another name: not ours, left alone",
        ),
        (&marked(copy(), false), "unit dbg.service is a copy of x.service: not ours, left alone"),
        (
            &marked(copy(), true),
            "unit dbg.service is a copy of x.service, and it runs: not ours, left alone",
        ),
        (
            &marked(FileNotOurs::OtherTenant("acme".parse().unwrap()), false),
            "unit dbg.service is marked for tenant acme: not ours, left alone",
        ),
        (
            &marked(FileNotOurs::Edited, false),
            "unit dbg.service was copied or edited by hand: not ours, left alone",
        ),
        (
            &drop_in(copy()),
            "drop-in /d/50-oml.conf is a copy of that of x.service: not ours, left alone",
        ),
        (
            &drop_in(FileNotOurs::Edited),
            "drop-in /d/50-oml.conf was copied or edited by hand: not ours, left alone",
        ),
    ]);
}

#[test]
fn a_changed_unit_is_named_with_what_was_done_to_it() {
    let x = || unit("x.service");
    let edited = |added: Option<&str>, removed: Option<&str>| UnitChange::Edited {
        unit: x(),
        added: added.map(str::to_owned),
        removed: removed.map(str::to_owned),
    };
    texts(&[
        (&Difference::MaskedUnit { unit: x() }, "unit x.service is masked"),
        (
            &Difference::ForeignDropIn { path: "/d/override.conf".to_owned(), unit: x() },
            "/d/override.conf changes unit x.service: not ours, left alone",
        ),
        (
            &Difference::ReplacedUnit { path: "/d/x.service".to_owned() },
            "/d/x.service takes the place of the unit of the package: not ours, left alone",
        ),
        (&edited(None, None), "unit x.service was edited"),
        (&edited(Some("A=1"), None), "unit x.service was edited: has \"A=1\""),
        (&edited(None, Some("A=2")), "unit x.service was edited: lacks \"A=2\""),
        (
            &edited(Some("A=1"), Some("A=2")),
            "unit x.service was edited: has \"A=1\", lacks \"A=2\"",
        ),
        (&UnitChange::Disabled { unit: x() }, "unit x.service was disabled"),
    ]);
}

#[test]
fn what_is_in_the_way_is_a_noun_phrase() {
    let x = || unit("x.service");
    let unreadable = || Some("is a directory".to_owned());
    texts(&[
        (&ForeignObject::Container { name: "x-server".to_owned() }, "container x-server"),
        (&ForeignObject::Unit { unit: x(), unreadable: None }, "unit x.service"),
        (
            &ForeignObject::Unit { unit: x(), unreadable: unreadable() },
            "unit x.service (is a directory)",
        ),
        (
            &ForeignObject::DropIn { unit: x(), unreadable: None },
            "drop-in 50-oml.conf of unit x.service",
        ),
        (
            &ForeignObject::DropIn { unit: x(), unreadable: unreadable() },
            "drop-in 50-oml.conf of unit x.service (is a directory)",
        ),
        (
            &ForeignObject::RefusedUnit { unit: x(), error: "bad name".to_owned() },
            "systemd refuses to read unit x.service: bad name",
        ),
    ]);
}
