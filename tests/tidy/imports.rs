//! Who may know whom.

use crate::sources::{Source, all};

/// Below each of these paths, none of the words may be named.
const ABSENT: &[(&str, &[&str])] = &[
    // The core decides and does nothing else.
    (
        "common/src",
        &[
            "tokio",
            "tonic",
            "zbus",
            "bollard",
            "std::fs",
            "std::net",
            "std::process",
            "std::env",
            "SystemTime::now",
            "Instant::now",
            "getrandom",
        ],
    ),
    // The wire and its conversions, and nothing that connects.
    ("proto/src", &["omlagent", "omlcontroller", "oml_daemon", "tokio::", "rustls", "hyper"]),
    // What daemons share knows neither what they say to each other nor what they keep.
    (
        "daemon/src",
        &["omlagent", "omlcontroller", "oml_proto", "oml_lab", "sled", "bollard", "zbus"],
    ),
    ("agent/src", &["omlcontroller", "oml_lab", "sled::"]),
    ("controller/src", &["omlagent", "oml_lab", "bollard", "zbus"]),
    // The model of a host knows containers and units, and nobody who uses them.
    ("sim/src", &["omlagent", "omlcontroller", "oml_common", "oml_proto"]),
    // Of what daemons share, the command line uses the client side of TLS and the environment.
    (
        "omlctl/src",
        &[
            "omlagent",
            "omlcontroller",
            "oml_lab",
            "bollard",
            "zbus",
            "sled",
            "oml_daemon::failpoint",
            "oml_daemon::http",
            "oml_daemon::log",
            "oml_daemon::settings",
        ],
    ),
    // A runtime obeys; it knows neither session nor assignment.
    (
        "agent/src/runtime",
        &["crate::session", "crate::agent", "crate::execute", "oml_proto", "assignment::"],
    ),
    ("agent/src/supervise", &["crate::session", "crate::agent", "oml_proto", "assignment::"]),
    // Downward only: main, then api web session tasks, then wire policy, then ops, then
    // records registry tls, then pki store.
    (
        "controller/src/store",
        &[
            "crate::records",
            "crate::ops",
            "crate::tasks",
            "crate::session",
            "crate::api",
            "crate::web",
            "crate::wire",
            "crate::policy",
            "crate::pki",
            "crate::tls",
            "crate::registry",
        ],
    ),
    (
        "controller/src/pki",
        &[
            "crate::store",
            "crate::records",
            "crate::ops",
            "crate::tasks",
            "crate::session",
            "crate::api",
            "crate::web",
            "crate::wire",
            "crate::policy",
            "crate::tls",
            "crate::registry",
        ],
    ),
    (
        "controller/src/records",
        &[
            "crate::ops",
            "crate::tasks",
            "crate::session",
            "crate::api",
            "crate::web",
            "crate::wire",
            "crate::policy",
            "crate::tls",
            "crate::registry",
        ],
    ),
    (
        "controller/src/registry",
        &[
            "crate::store",
            "crate::records",
            "crate::ops",
            "crate::tasks",
            "crate::session",
            "crate::api",
            "crate::web",
            "crate::wire",
            "crate::policy",
            "crate::tls",
            "crate::pki",
        ],
    ),
    (
        "controller/src/tls",
        &[
            "crate::store",
            "crate::records",
            "crate::ops",
            "crate::tasks",
            "crate::session",
            "crate::api",
            "crate::web",
            "crate::wire",
            "crate::policy",
            "crate::registry",
        ],
    ),
    (
        "controller/src/ops",
        &[
            "crate::api",
            "crate::web",
            "crate::session",
            "crate::tasks",
            "crate::wire",
            "crate::policy",
            "oml_proto",
        ],
    ),
    (
        "controller/src/policy",
        &[
            "crate::api",
            "crate::web",
            "crate::session",
            "crate::tasks",
            "crate::records",
            "crate::store",
            "crate::registry",
        ],
    ),
    (
        "controller/src/wire",
        &["crate::api", "crate::web", "crate::session", "crate::tasks", "crate::policy"],
    ),
    (
        "controller/src/api",
        &[
            "crate::store",
            "crate::records",
            "crate::web",
            "crate::session",
            "crate::tasks",
            "crate::registry",
        ],
    ),
    (
        "controller/src/session",
        &[
            "crate::store",
            "crate::records",
            "crate::web",
            "crate::api",
            "crate::tasks",
            "crate::registry",
        ],
    ),
    (
        "controller/src/web",
        &[
            "crate::store",
            "crate::records",
            "crate::api",
            "crate::session",
            "crate::registry",
            "crate::pki",
            "oml_proto",
        ],
    ),
    // A task reads, decides and commits; it speaks to nobody.
    (
        "controller/src/tasks",
        &[
            "crate::api",
            "crate::web",
            "crate::session",
            "crate::wire",
            "crate::policy",
            "crate::registry",
            "oml_proto",
        ],
    ),
    // What works on the files of a stopped controller serves nobody.
    (
        "controller/src/backup",
        &[
            "crate::api",
            "crate::web",
            "crate::session",
            "crate::tasks",
            "crate::wire",
            "crate::policy",
            "crate::registry",
            "crate::tls",
            "crate::ops",
        ],
    ),
];

#[test]
fn imports_run_one_way() {
    let sources = all();
    let mut found = Vec::new();
    for (place, absent) in ABSENT.iter().copied() {
        let inside: Vec<&Source> = sources.iter().filter(|s| is_inside(&s.path, place)).collect();
        assert!(!inside.is_empty(), "no file below {place}: is the table out of date?");
        for source in inside.iter().filter(|source| !source.is_test()) {
            found.extend(named(source, absent));
        }
    }
    assert!(found.is_empty(), "imports that run the wrong way:\n{}", found.join("\n"));
}

fn is_inside(path: &str, place: &str) -> bool {
    path.strip_prefix(place).is_some_and(|rest| rest.starts_with('/') || rest == ".rs")
}

fn named(source: &Source, absent: &[&str]) -> Vec<String> {
    let code = source.production().lines().enumerate().filter(|(_, line)| {
        let line = line.trim_start();
        !line.starts_with("//")
    });
    code.filter_map(|(number, line)| {
        let word = absent.iter().find(|word| line.contains(**word))?;
        Some(format!("{}:{}: names {word}", source.path, number + 1))
    })
    .collect()
}
