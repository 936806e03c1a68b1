use super::*;

#[derive(Debug, thiserror::Error)]
#[error("{words}")]
struct Layer {
    words: &'static str,
    source: Option<Box<Layer>>,
}

fn told(layers: &[&'static str]) -> String {
    let wrapped =
        layers.iter().rev().fold(None, |source, words| Some(Box::new(Layer { words, source })));
    chain(&*wrapped.unwrap())
}

#[test]
fn every_layer_is_told_from_the_outside_inwards() {
    assert_eq!(told(&["cannot start"]), "cannot start");
    let layers = ["cannot start", "cannot open /data", "permission denied"];
    assert_eq!(told(&layers), "cannot start: cannot open /data: permission denied");
}

#[test]
fn what_a_layer_repeats_of_its_source_is_told_once() {
    let layers = ["cannot connect", "tls: bad record: end of file", "bad record: end of file"];
    assert_eq!(told(&layers), "cannot connect: tls: bad record: end of file");
    let layers = ["tls: bad record", "bad record", "end of file"];
    assert_eq!(told(&layers), "tls: bad record: end of file");
}

#[test]
fn a_short_cause_is_not_taken_for_a_part_of_the_sentence() {
    let layers = ["no image of timeout-test could be had", "timeout"];
    assert_eq!(told(&layers), "no image of timeout-test could be had: timeout");
}
