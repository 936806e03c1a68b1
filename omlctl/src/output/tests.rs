//! What reaches a terminal.

use super::*;

#[test]
fn a_terminal_gets_the_colours_of_tables_and_nothing_else_that_it_acts_on() {
    let text = "\u{1b}[31mfailed\u{1b}[0m\n\u{1b}[2J\u{1b}]0;title\u{7}\t\u{202e}x";
    assert_eq!(
        shown_on_terminal(text, true),
        "\u{1b}[31mfailed\u{1b}[0m\n\\u{1b}[2J\\u{1b}]0;title\\u{7}\t\\u{202e}x"
    );
    assert_eq!(shown_on_terminal("\u{1b}[31mred", false), "\\u{1b}[31mred");
}

#[test]
fn json_is_escaped_and_means_the_same() {
    let value = ["a\u{9b}b\u{202e}c\n\u{7f}d", "é"];
    let text = serde_json::to_string_pretty(&value).unwrap();
    let shown = escaped_json(&text);
    assert!(!shown.chars().any(|c| is_hidden(c) && c != '\n'), "{shown:?}");
    assert_eq!(serde_json::from_str::<[String; 2]>(&shown).unwrap(), value);
    assert_eq!(escaped_json("[\n  \"é\"\n]"), "[\n  \"é\"\n]");
}

#[test]
fn a_file_gets_a_specification_as_it_was_written() {
    let output = |is_terminal| Output { is_terminal, ..Output::new(Format::Table) };
    let text = "# \u{202e}\ntenant: acme\n".to_owned();
    assert_eq!(output(false).for_people(text.clone()), text);
    assert_eq!(output(true).for_people(text), "# \\u{202e}\ntenant: acme\n");
}
