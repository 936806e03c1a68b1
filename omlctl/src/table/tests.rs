//! Tests of tables of different widths.

use super::*;

fn sample(width: Option<u16>) -> String {
    let long = "waiting: the registry registry.example.com:5000 does not answer since 12:00:01";
    let rows = vec![
        vec![plain("acme"), plain("voice-1"), plain("asterisk"), Field::new("ready", Style::Good)],
        vec![plain("acme"), plain("app-1"), plain(""), Field::new(long, Style::Moving)],
    ];
    let tables = TableStyle { width, coloured: false };
    let columns = [
        Column::Whole("TENANT"),
        Column::Whole("NODE"),
        Column::Whole("COMPONENT"),
        Column::Prose("STATE"),
    ];
    tables.table(&columns, rows)
}

fn widest(text: &str) -> usize {
    text.lines().map(|line| line.chars().count()).max().unwrap()
}

#[test]
fn a_table_fits_the_terminal() {
    let (narrow, wide) = (sample(Some(80)), sample(Some(120)));
    assert!(widest(&narrow) <= 80 && widest(&wide) <= 120, "{narrow}\n{wide}");
    insta::assert_snapshot!(format!("80:\n{narrow}\n120:\n{wide}"));
}

#[test]
fn lines_are_not_wrapped_without_a_terminal() {
    assert_eq!(sample(None).lines().count(), 3);
}

#[test]
fn headers_are_not_broken_on_the_narrowest_terminal() {
    let narrow = sample(Some(40));
    assert!(narrow.lines().next().unwrap().contains("COMPONENT"), "{narrow}");
}

#[test]
fn names_are_not_broken() {
    let narrow = sample(Some(50));
    assert!(narrow.contains("voice-1") && narrow.contains("asterisk"), "{narrow}");
}

#[test]
fn words_of_a_sentence_are_not_broken_if_there_is_room() {
    let rows = || vec![vec![plain("a name of some length"), plain("connected and more")]];
    let columns = [Column::Whole("NAME"), Column::Prose("STATE")];
    let at = |width| TableStyle { width: Some(width), coloured: false }.table(&columns, rows());
    assert!(at(32).contains("connected"), "{}", at(32));
    assert!(widest(&at(29)) <= 29, "{}", at(29));
}

#[test]
fn colours_can_be_turned_off() {
    let row = || vec![vec![Field::new("failed", Style::Bad)]];
    let table =
        |coloured| TableStyle { width: None, coloured }.table(&[Column::Whole("STATE")], row());
    assert!(table(true).contains("\u{1b}["));
    assert_eq!(table(false), "STATE\nfailed");
}

#[test]
fn control_characters_never_reach_a_terminal() {
    let rows = vec![vec![plain("a\u{1b}[2Jb")]];
    let table = TableStyle { width: None, coloured: false }.table(&[Column::Whole("NAME")], rows);
    assert!(!table.contains('\u{1b}'), "{table}");
}

#[test]
fn a_terminal_without_a_width_has_80_columns() {
    assert_eq!(usable(None), None);
    assert_eq!(usable(Some(0)), Some(80));
    assert_eq!(usable(Some(7)), Some(40));
    assert_eq!(usable(Some(132)), Some(132));
}
