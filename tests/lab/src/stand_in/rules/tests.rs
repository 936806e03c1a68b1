use super::*;
use crate::images::BAD;

fn contract(text: &str) -> Contract {
    serde_saphyr::from_str(&format!("image: docker.io/omnileads/web\n{text}")).unwrap()
}

fn chosen(contracts: &[&Contract], words: &[&str]) -> Result<Vec<String>, Refusal> {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let rules = Rules::new(contracts, "1");
    rules.choose(&words, &BTreeMap::new()).map(|chosen| chosen.command.words.clone())
}

fn refused(code: u8, words: &str) -> Result<Vec<String>, Refusal> {
    Err(Refusal { code, words: words.to_owned() })
}

#[test]
fn an_image_without_a_command_needs_one() {
    let web = contract("has_command: false\ncommands: [{words: [serve]}]\n");
    let expected = refused(127, "no command specified: the image has none of its own");
    assert_eq!(chosen(&[&web], &[]), expected);
    assert_eq!(chosen(&[&web], &["serve"]), Ok(vec!["serve".to_owned()]));
    assert_eq!(chosen(&[&web], &["other"]), refused(127, "other: not found"));
}

#[test]
fn an_image_with_a_command_starts_the_first_one() {
    let web = contract("has_command: true\ncommands: [{words: [serve]}, {words: [tool]}]\n");
    assert_eq!(chosen(&[&web], &[]), Ok(vec!["serve".to_owned()]));
    let bare = contract("has_command: true\n");
    assert_eq!(chosen(&[&bare], &[]), Ok(Vec::new()));
    assert_eq!(chosen(&[&bare], &["other"]), refused(127, "other: not found"));
}

#[test]
fn an_image_knows_the_commands_of_all_its_programs() {
    let one = contract("has_command: false\ncommands: [{words: [one]}]\n");
    let two = contract("has_command: false\ncommands: [{words: [two]}]\n");
    assert_eq!(chosen(&[&one, &two], &["two"]), Ok(vec!["two".to_owned()]));
}

#[test]
fn a_bad_tag_is_known_by_the_name_in_it() {
    for bad in BAD {
        assert_eq!(Behaviour::of_tag(&format!("2.6.6-{bad}")).as_str(), bad);
    }
    assert_eq!(Behaviour::of_tag("2.6.6-bad-migration"), Behaviour::Good);
}
