//! What becomes of characters that a terminal would act on.

use super::*;

/// Text that clears the screen, sets the title by C1 and C0, and reverses what follows.
const HOSTILE: &str = "a\u{1b}[2Jb\u{9b}31mc\u{202e}d\u{2066}e\u{200f}f\r\u{7f}\u{2028}g";

#[test]
fn nothing_that_a_terminal_acts_on_is_left() {
    let one = "a\\u{1b}[2Jb\\u{9b}31mc\\u{202e}d\\u{2066}e\\u{200f}f\\r\\u{7f}\\u{2028}g";
    assert_eq!(printable(HOSTILE), one);
    assert_eq!(printable_lines(HOSTILE), one);
    assert!(HOSTILE.chars().any(is_hidden) && !one.chars().any(is_hidden));
}

#[test]
fn lines_and_tabs_stay_where_several_lines_are_shown() {
    assert_eq!(printable("a\n\tb"), "a\\n\\tb");
    assert_eq!(printable_lines("a\n\tb"), "a\n\tb");
}

#[test]
fn text_in_any_language_is_shown_as_it_is() {
    for text in ["Córdoba", "שלום", "العربية", "日本語", "e\u{301}", "👍🏽"] {
        assert_eq!(printable(text), text);
    }
}

#[test]
fn a_text_is_shown_whole_or_its_cut_is_marked() {
    assert_eq!(shortened("añb", 3), "añb");
    assert_eq!(shortened("añb", 2), "añ…");
    let refused = "x".repeat(81).parse::<crate::id::TenantId>().unwrap_err().to_string();
    assert!(refused.starts_with(&format!("\"{}…\" is not a ", "x".repeat(80))), "{refused}");
}

#[test]
fn a_long_text_is_cut_and_says_so() {
    let shown = printable(&"x".repeat(401));
    assert_eq!(shown.chars().count(), 401);
    assert!(shown.ends_with('…'));
}
