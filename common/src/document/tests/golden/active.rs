//! The bytes of a count of calls by one command, and by several.

use super::*;
use crate::document::Feature;
use crate::document::instance::{ActiveSource, ActiveTotal};

#[test]
fn a_count_is_written_and_read_in_the_bytes_that_are_pinned() {
    let text = |text: &str| text.to_owned();
    let one = ActiveProbe::single(vec![text("count")], text("up"), text("calls"));
    let more = vec![ActiveSource { command: vec![text("dialer")], before: text("waiting") }];
    let sum = ActiveProbe { more, ..one.clone() };
    let largest = ActiveProbe { total: ActiveTotal::Max, ..sum.clone() };
    for (probe, written, has_sources) in [
        (one, r#"{"command":["count"],"before":"up","noun":"calls"}"#, false),
        (
            sum,
            r#"{"command":["count"],"before":"up","noun":"calls","more":[{"command":["dialer"],"before":"waiting"}]}"#,
            true,
        ),
        (
            largest,
            r#"{"command":["count"],"before":"up","noun":"calls","more":[{"command":["dialer"],"before":"waiting"}],"total":"max"}"#,
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
