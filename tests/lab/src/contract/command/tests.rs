use super::*;

fn command(words: &[&str]) -> Command {
    Command { words: words.iter().map(|word| (*word).to_owned()).collect(), ..Command::default() }
}

fn takes_words(pattern: &[&str], words: &[&str]) -> bool {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    command(pattern).is_for(&words, &BTreeMap::new())
}

#[test]
fn a_command_takes_its_words_and_no_others() {
    assert!(takes_words(&["python", "/app/app.py"], &["python", "/app/app.py"]));
    assert!(!takes_words(&["python", "/app/app.py"], &["python"]));
    assert!(!takes_words(&["python"], &["python", "/app/app.py"]));
    assert!(takes_words(&["python", "/app/app_*.py"], &["python", "/app/app_bert.py"]));
    assert!(!takes_words(&["python", "/app/app_*.py"], &["python", "/app/other.py"]));
    assert!(takes_words(&["server", "*"], &["server"]));
    assert!(takes_words(&["*"], &["--one", "--two"]));
    assert!(takes_words(&["serve"], &[]));
}

#[test]
fn a_command_with_a_condition_is_for_its_environment_only() {
    let when = BTreeMap::from([("DAPHNE_ENABLE".to_owned(), "True".to_owned())]);
    let daphne = Command { when: when.clone(), ..Command::default() };
    assert!(daphne.is_for(&[], &when));
    assert!(!daphne.is_for(&[], &BTreeMap::new()));
}
