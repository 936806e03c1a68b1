//! The bytes of a count of calls by one command, and by several.

use super::*;
use crate::document::Feature;
use crate::document::instance::{ActiveSource, ActiveTotal};

#[test]
fn a_count_is_written_and_read_in_the_bytes_that_are_pinned() {
    let text = |text: &str| text.to_owned();
    let one = ActiveProbe::single(vec![text("count")], text("up"), text("calls"));
    let source =
        |command, before| ActiveSource { command: vec![text(command)], before: text(before) };
    let sources = vec![source("count", "up"), source("dialer", "waiting")];
    let sum = ActiveProbe::of(sources, text("calls"), ActiveTotal::Sum).unwrap();
    let largest = ActiveProbe { total: ActiveTotal::Max, ..sum.clone() };
    for (probe, written, has_sources) in [
        (one, r#"{"command":["count"],"before":"up","noun":"calls"}"#, false),
        (
            sum,
            r#"{"command":[],"before":"","noun":"calls","several":[{"command":["count"],"before":"up"},{"command":["dialer"],"before":"waiting"}]}"#,
            true,
        ),
        (
            largest,
            r#"{"command":[],"before":"","noun":"calls","several":[{"command":["count"],"before":"up"},{"command":["dialer"],"before":"waiting"}],"total":"max"}"#,
            true,
        ),
    ] {
        assert_eq!(serde_json::to_string(&probe).unwrap(), written);
        assert_eq!(serde_json::from_str::<ActiveProbe>(written).unwrap(), probe);
        let needs = Instance { active: Some(probe), ..full() }.needs();
        assert!(needs.contains(&Feature::ActiveCount));
        assert_eq!(needs.contains(&Feature::ActiveSources), has_sources);
    }
}

#[test]
fn release_0_1_0_finds_no_command_where_several_count() {
    /// What that release reads of a count.
    #[derive(serde::Deserialize)]
    struct Former {
        command: Vec<String>,
        before: String,
        noun: String,
    }
    let text = |text: &str| text.to_owned();
    let source = |word: &str| ActiveSource { command: vec![text(word)], before: text("up") };
    let sources = vec![source("count"), source("dialer")];
    let probe = ActiveProbe::of(sources, text("calls"), ActiveTotal::Sum).unwrap();
    let found: Former = serde_json::from_str(&serde_json::to_string(&probe).unwrap()).unwrap();
    assert_eq!((found.command, found.before, found.noun), (Vec::new(), text(""), text("calls")));
    let counted: Vec<_> = probe.sources().map(|(command, _)| command.join(" ")).collect();
    assert_eq!(counted, ["count", "dialer"]);
}
