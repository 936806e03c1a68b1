use super::*;

#[derive(Debug, thiserror::Error)]
#[error("{words}")]
struct Layer {
    words: &'static str,
    source: Option<Box<Layer>>,
}

fn shown(layers: &[&'static str]) -> String {
    let wrapped =
        layers.iter().rev().fold(None, |source, words| Some(Box::new(Layer { words, source })));
    chain(&*wrapped.unwrap())
}

#[test]
fn the_message_of_every_layer_is_shown_outermost_first() {
    assert_eq!(shown(&["cannot start"]), "cannot start");
    let layers = ["cannot start", "cannot open /data", "permission denied"];
    assert_eq!(shown(&layers), "cannot start: cannot open /data: permission denied");
}

#[test]
fn a_message_that_ends_with_its_cause_does_not_repeat_it() {
    let layers = ["cannot connect", "tls: bad record: end of file", "bad record: end of file"];
    assert_eq!(shown(&layers), "cannot connect: tls: bad record: end of file");
    let layers = ["tls: bad record", "bad record", "end of file"];
    assert_eq!(shown(&layers), "tls: bad record: end of file");
}

#[test]
fn a_cause_that_occurs_elsewhere_in_the_message_is_still_shown() {
    let layers = ["cannot pull timeout-test", "timeout"];
    assert_eq!(shown(&layers), "cannot pull timeout-test: timeout");
}
