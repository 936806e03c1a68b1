//! Which texts are read, and which problems the others have.

use proptest::prelude::*;

use super::*;

fn refused(text: &str) -> String {
    parse(text).map(|_| String::new()).unwrap_or_else(|problems| problems.to_string())
}

#[test]
fn a_number_stays_the_text_that_was_written() {
    let node = parse("version: 230204.10").unwrap();
    let Value::Map(entries) = node.value else { unreachable!() };
    assert_eq!(entries[0].1.value, Value::Text("230204.10".to_owned()));
}

#[test]
fn a_value_has_the_range_of_its_text() {
    let text = "a:\n  b: \"x y\" # why\n";
    let node = parse(text).unwrap();
    let Value::Map(outer) = node.value else { unreachable!() };
    let Value::Map(inner) = &outer[0].1.value else { unreachable!() };
    assert_eq!(&text[inner[0].1.bytes.clone()], "\"x y\"");
}

#[test]
fn every_duplicate_key_is_reported() {
    assert_eq!(
        refused("a: 1\nb: 2\na: 3\nb: 4\n"),
        "line 3: a: duplicate key, first written on line 1\nline 4: b: duplicate key, first written on line 2"
    );
}

#[test]
fn documents_that_could_expand_or_mislead_are_refused() {
    assert!(refused("a: &x 1\nb: *x\n").contains("aliases are not supported"));
    assert!(refused("a: !!str 1\n").contains("tags are not supported"));
    assert!(refused("a: 1\n---\nb: 2\n").contains("more than one document"));
    assert!(refused(&("[".repeat(20) + &"]".repeat(20))).contains("nested too deeply"));
    assert!(refused(&" ".repeat(DOCUMENT_BYTES_MAX + 1)).contains("larger than"));
    assert!(refused("[a]: 1\n").contains("a key must be plain text"));
    assert!(refused("").contains("empty"));
}

#[test]
fn an_overlong_key_is_refused_with_its_line() {
    let key = "k".repeat(256);
    assert_eq!(refused(&format!("a: {{{key}: 1}}")), "");
    let problem = "line 2: a key is longer than 256 bytes";
    assert_eq!(refused(&format!("a: 1\n{key}k: 1\n")), problem);
    assert_eq!(refused(&format!("a: 1\n? {}\n: 1\n", "k".repeat(500_000))), problem);
}

#[test]
fn broken_syntax_names_its_line() {
    assert!(
        refused("a: 1\n  b: 2\n").starts_with("line 2: not valid YAML"),
        "{}",
        refused("a: 1\n  b: 2\n")
    );
}

#[test]
fn a_tab_is_reported_on_the_line_that_it_indents() {
    let problem = "not valid YAML: a tab is used for indentation (indent with spaces)";
    for (text, line) in [
        ("a:\n\tb: 1\n", 2),
        ("a:\n  b: 1\n\tc: 2\n", 3),
        ("a:\n  b:\n  \tc: 1\n", 3),
        ("a:\n  - x\n\t- y\n", 3),
        ("a: 1\n\tb: 2\nc: 3\n", 2),
        ("a:\n  b: x\n\t y: 2\n", 3),
    ] {
        assert_eq!(refused(text), format!("line {line}: {problem}"), "{text:?}");
    }
    assert_eq!(refused("a: 1\t# a tab that separates\n"), "");
    assert_eq!(refused("a: |\n  x\n  \ty\n"), "");
}

#[test]
fn an_unclosed_quote_names_the_line_where_it_opens() {
    for (text, line) in [("a: \"x", 1), ("a: \"x\n", 1), ("a: 1\nb: 'x\n", 2), ("a: 'x\nb: 1\n", 1)]
    {
        let problem = refused(text);
        let expected =
            format!("line {line}: not valid YAML: unclosed quote (add the closing quote)");
        assert_eq!(problem, expected, "{text:?}");
    }
}

#[test]
fn a_duplicate_key_is_reported_with_its_full_path() {
    let text = "components:\n  asterisk:\n    version: 1\n    version: 2\n";
    let path = "components.asterisk.version";
    assert_eq!(refused(text), format!("line 4: {path}: duplicate key, first written on line 3"));
    let text = "list:\n  - a: 1\n  - b: 1\n    b: 2\n";
    assert_eq!(refused(text), "line 4: list[1].b: duplicate key, first written on line 3");
}

proptest! {
    #[test]
    fn no_text_breaks_the_parser(text in "[ -~\n\t:\\-\\[\\]{}&*!|>'\"#%@`]{0,200}") {
        let _outcome = parse(&text);
    }
}
