use oml_common::document::instance::{ActiveSource, ActiveTotal};

use super::*;

fn printed(stdout: &str) -> ExecOutput {
    ExecOutput { exit_code: 0, stdout: stdout.to_owned(), stderr: String::new() }
}

#[test]
fn the_number_before_the_words_counts() {
    let output = printed("2 active channels\n12 active calls\n340 calls processed\n");
    assert_eq!(count(&output, "active channel"), Ok(2));
    assert_eq!(count(&output, "active call"), Ok(12));
    assert_eq!(count(&printed("1 active call\n"), "active call"), Ok(1));
    assert_eq!(count(&printed("dialogs: 7 up"), " up"), Ok(7));
}

#[test]
fn the_number_is_read_where_a_maximum_is_set() {
    let output = printed(
        "0 active channels\n12 of 100 max active calls (12.00% of capacity)\n9 calls processed\n",
    );
    assert_eq!(count(&output, "active call"), Ok(12));
    assert_eq!(count(&output, "active channel"), Ok(0));
    assert_eq!(count(&printed("3 of 100 sessions"), "sessions"), Ok(3));
    assert_eq!(count(&printed("total of 12 active calls"), "active call"), Ok(12));
    assert!(count(&printed("of 100 max active calls"), "active call").is_err());
}

#[test]
fn what_cannot_be_read_is_not_zero_and_is_shown() {
    for output in ["no such command", "active calls", "many active calls", "-1 active calls"] {
        let why = count(&printed(output), "active call").unwrap_err();
        assert!(why.contains(&format!("printed \"{output}\"")), "{why}");
    }
    let too_large = printed("99999999999999999999999 active calls");
    assert!(count(&too_large, "active call").is_err());
    let why = count(&printed(" \n"), "active call").unwrap_err();
    assert!(why.contains("printed nothing"), "{why}");
    let mute = ExecOutput { stderr: "Unable to connect\n".to_owned(), ..printed("") };
    let why = count(&mute, "active call").unwrap_err();
    assert!(why.contains("printed \"Unable to connect\""), "{why}");
}

#[test]
fn a_long_text_is_shown_in_one_short_line() {
    let why = count(&printed(&"usage\u{1b}[2J\nmore\n".repeat(100)), "active call").unwrap_err();
    assert!(why.contains("usage\\u{1b}[2J / more / ") && why.contains('…'), "{why}");
    assert!(!why.contains('\n') && why.chars().count() < 320, "{why}");
}

#[test]
fn a_command_that_failed_is_reported_in_its_own_words() {
    let failed = |stdout: &str, stderr: &str| ExecOutput {
        exit_code: 1,
        stdout: stdout.to_owned(),
        stderr: stderr.to_owned(),
    };
    let why = count(&failed("0 active calls", "Unable to connect\n"), "active call").unwrap_err();
    assert_eq!(why, "its command ended with exit code 1 and printed \"Unable to connect\"");
    let why = count(&failed("no", ""), "active call").unwrap_err();
    assert_eq!(why, "its command ended with exit code 1 and printed \"no\"");
}

#[test]
fn several_sources_count_together_and_only_if_all_can_be_read() {
    let source =
        |word: &str| ActiveSource { command: vec![word.to_owned()], before: " up".to_owned() };
    let first = ActiveProbe::single(vec!["a".to_owned()], " up".to_owned(), "calls".to_owned());
    let sources = vec![source("a"), source("b"), source("c")];
    let active = ActiveProbe::of(sources, "calls".to_owned(), ActiveTotal::Sum).unwrap();
    let answers = |texts: [&str; 3]| texts.map(|text| Ok(printed(text))).into_iter().collect();
    assert_eq!(count_of(&active, answers(["1 up", "2 up", "4 up"])), Ok(7));
    let largest = ActiveProbe { total: ActiveTotal::Max, ..active.clone() };
    assert_eq!(count_of(&largest, answers(["1 up", "5 up", "4 up"])), Ok(5));
    for probe in [&active, &largest] {
        let why = count_of(probe, answers(["0 up", "no", "0 up"])).unwrap_err();
        assert!(why.contains("printed \"no\"") && why.ends_with("; the command is b"), "{why}");
        let away = RuntimeError::Unavailable { daemon: "docker", detail: "gone".to_owned() };
        let why = count_of(probe, vec![Ok(printed("0 up")), Err(away)]).unwrap_err();
        assert_eq!(why, "docker does not answer: gone; the command is b");
        let why = count_of(probe, vec![Ok(printed("0 up")), Ok(printed("0 up"))]).unwrap_err();
        assert_eq!(why, "its command was not run; the command is c");
    }
    let why = count_of(&first, vec![Ok(printed("no"))]).unwrap_err();
    assert!(!why.contains("the command is"), "{why}");
}
