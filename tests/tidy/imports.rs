//! Who may know whom.

use crate::sources::{Source, all};

/// Below each of these paths, none of the words may be named.
const ABSENT: [(&str, &[&str]); 13] = [
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
    // Downward only: main, then api web session tasks, then ops, records, store.
    (
        "controller/src/store",
        &[
            "crate::records",
            "crate::ops",
            "crate::tasks",
            "crate::session",
            "crate::api",
            "crate::web",
        ],
    ),
    (
        "controller/src/records",
        &["crate::ops", "crate::tasks", "crate::session", "crate::api", "crate::web"],
    ),
    ("controller/src/ops", &["crate::api", "crate::web", "crate::session", "crate::tasks"]),
    ("controller/src/api", &["crate::store", "crate::records", "crate::web"]),
    ("controller/src/web", &["crate::store", "crate::records", "crate::api"]),
];

#[test]
fn imports_run_one_way() {
    let sources = all();
    let mut found = Vec::new();
    for (place, absent) in ABSENT {
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
