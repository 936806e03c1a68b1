//! What a catalog can say of the count of calls.

use super::*;
use crate::document::catalog::Catalog;
use crate::text::problem::Problems;

fn read(active: &str) -> Result<ActiveProbe, Problems> {
    let text = format!(
        "catalog: stack\ncomponents:\n  voice:\n    roles: [app]\n    unit: voice.service\n    \
         container: voice\n    image: docker.io/test/voice\n    \
         probe: {{check: tcp, port: \"80\"}}\n    active: {active}\n"
    );
    let catalog = Catalog::parse(&text)?;
    Ok(catalog.components.values().next().unwrap().active.clone().unwrap())
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

const ONE: &str = "{command: [show, channels], before: active channel, noun: channels}";
const TWO: &str = "{noun: channels, sources: [{command: [show, channels], before: active \
                   channel}, {command: [ari], before: open}]}";

#[test]
fn a_component_has_one_count_or_several_of_which_the_sum_or_the_largest_counts() {
    let (channel, noun) = ("active channel".to_owned(), "channels".to_owned());
    let one = ActiveProbe::single(words("show channels"), channel.clone(), noun.clone());
    assert_eq!(read(ONE).unwrap(), one);
    let first = ActiveSource { command: words("show channels"), before: channel };
    let sources = vec![first, ActiveSource { command: words("ari"), before: "open".to_owned() }];
    let two = ActiveProbe::of(sources, noun, ActiveTotal::Sum).unwrap();
    assert_eq!(read(TWO).unwrap(), two);
    assert_eq!(two.total.of(&[2, 3]), 5);
    assert_eq!(two.total.of(&[u64::MAX, 3]), u64::MAX);
    let largest = read(&TWO.replace("{noun", "{total: max, noun")).unwrap();
    assert_eq!(largest, ActiveProbe { total: ActiveTotal::Max, ..two });
    assert_eq!(largest.total.of(&[2, 3]), 3);
    let alone = "{noun: channels, total: max, sources: [{command: [show, channels], before: \
                 active channel}]}";
    assert_eq!(read(alone).unwrap(), one);
}

#[test]
fn a_count_that_cannot_be_meant_is_refused_with_its_place() {
    let five = "{command: [x], before: y}, ".repeat(5);
    for (active, expected) in [
        ("{noun: calls}".to_owned(), "voice.active.command: is missing"),
        ("{noun: calls, sources: []}".to_owned(), "voice.active.sources: must have 1 to 4 sources"),
        (format!("{{noun: calls, sources: [{five}]}}"), "sources: must have 1 to 4 sources"),
        (TWO.replace("before: open", "noun: x"), "sources[1].noun: unknown key"),
        (TWO.replace(", before: open", ""), "sources[1].before: is missing"),
        (TWO.replace("{noun", "{command: [x], noun"), "active.command: unknown key"),
        (TWO.replace("{noun", "{total: mean, noun"), "\"mean\" is not a valid value"),
        (ONE.replace("{command", "{total: max, command"), "active.total: unknown key"),
        (ONE.replace("[show, channels]", "[]"), "voice.active.command: names no program"),
        (TWO.replace("[ari]", "[]"), "voice.active.sources[1].command: names no program"),
    ] {
        let refused = read(&active).unwrap_err().to_string();
        assert!(refused.contains(expected), "{active}: {refused}");
    }
}
