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
    // The model of a host knows containers and units, and no program that uses them.
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
            "oml_daemon::metrics",
            "oml_daemon::settings",
        ],
    ),
    // A runtime obeys; it knows neither session nor assignment.
    (
        "agent/src/runtime",
        &["crate::session", "crate::agent", "crate::execute", "oml_proto", "assignment::"],
    ),
    ("agent/src/supervise", &["crate::session", "crate::agent", "oml_proto", "assignment::"]),
    // What decides and commits in the controller speaks no protocol.
    ("controller/src/ops", &["oml_proto"]),
    ("controller/src/tasks", &["oml_proto"]),
    ("controller/src/web", &["oml_proto"]),
];

/// The rooms of the controller, each with those that it may use; above them all is only `run`. A room uses
/// nothing of this crate that is not in its row.
const CONTROLLER: &[(&str, &[&str])] = &[
    ("store", &[]),
    ("pki", &[]),
    ("registry", &[]),
    ("acme", &["registry"]),
    ("seal", &[]),
    ("records", &["store", "pki"]),
    ("tls", &["pki"]),
    ("ops", &["store", "pki", "seal", "registry", "acme", "records", "tls"]),
    ("policy", &["pki", "tls", "ops"]),
    ("wire", &["store", "records", "ops"]),
    // A task reads, decides and commits; it has no connection of its own.
    ("tasks", &["store", "records", "ops"]),
    ("session", &["pki", "tls", "ops", "policy", "wire", "shutdown"]),
    ("api", &["pki", "tls", "ops", "policy", "wire", "shutdown"]),
    ("web", &["ops", "tasks", "shutdown"]),
    // What works on the files of a stopped controller answers no calls.
    ("backup", &["store", "pki", "seal", "records", "config", "offline"]),
    ("offline", &["store", "pki", "config"]),
    ("init", &["store", "pki", "records", "ops", "config", "offline", "backup"]),
    ("admin", &["records", "ops", "seal", "config", "backup", "init", "whole_file"]),
    ("config", &["pki", "registry"]),
    ("notify", &["ops"]),
    ("shutdown", &[]),
    ("whole_file", &[]),
];

#[test]
fn a_room_of_the_controller_uses_only_those_below_it() {
    let sources = all();
    let mut found = Vec::new();
    for (room, below) in CONTROLLER.iter().copied() {
        let place = format!("controller/src/{room}");
        let is_allowed = |used: &str| used == room || below.contains(&used);
        for (source, number, line) in lines_below(&sources, &place) {
            let mut uses = line.split("crate::").skip(1).map(first_word);
            if let Some(used) = uses.find(|used| !is_allowed(used)) {
                found.push(format!("{}:{number}: uses crate::{used}", source.path));
            }
        }
    }
    assert!(found.is_empty(), "uses that run the wrong way:\n{}", found.join("\n"));
}

/// Returns the name at the beginning of a text. It is empty before the brace of a list, which is
/// a use that the tables do not see and that is therefore not allowed.
fn first_word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

#[test]
fn imports_run_one_way() {
    let sources = all();
    let mut found = Vec::new();
    for (place, absent) in ABSENT.iter().copied() {
        for (source, number, line) in lines_below(&sources, place) {
            if let Some(word) = absent.iter().find(|word| line.contains(**word)) {
                found.push(format!("{}:{number}: names {word}", source.path));
            }
        }
    }
    assert!(found.is_empty(), "imports that run the wrong way:\n{}", found.join("\n"));
}

/// Returns the lines of production code below a folder or in the file of a module, without comments, each
/// with its file and its number.
fn lines_below<'a>(sources: &'a [Source], place: &str) -> Vec<(&'a Source, usize, &'a str)> {
    let inside: Vec<&Source> = sources.iter().filter(|s| is_inside(&s.path, place)).collect();
    assert!(!inside.is_empty(), "no file below {place}: is the table out of date?");
    let production = inside.into_iter().filter(|source| !source.is_test());
    let lines = production.flat_map(|source| {
        let lines = source.production().lines().enumerate();
        lines.map(move |(number, line)| (source, number + 1, line))
    });
    lines.filter(|(_, _, line)| !line.trim_start().starts_with("//")).collect()
}

fn is_inside(path: &str, place: &str) -> bool {
    path.strip_prefix(place).is_some_and(|rest| rest.starts_with('/') || rest == ".rs")
}
