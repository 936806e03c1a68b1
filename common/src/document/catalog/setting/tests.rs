//! Which settings a catalog can have, and which values each of them accepts.

use proptest::prelude::*;

use crate::document::catalog::Catalog;

use super::*;

/// Reads a catalog with this setting and no component.
fn setting(text: &str) -> Result<Setting, String> {
    let catalog = format!("catalog: test\nsettings:\n  it: {text}\ncomponents: {{}}\n");
    let read = Catalog::parse(&catalog).map_err(|problems| problems.to_string())?;
    Ok(read.settings["it"].clone())
}

fn refused(text: &str) -> String {
    setting(text).map(|it| format!("{it:?}")).unwrap_err()
}

/// Returns what is wrong with a value of a setting; empty if it is valid.
fn wrong(text: &str, value: &str) -> String {
    let checked = setting(text).unwrap().check(value);
    let problem = |it: Mismatch| it.problem(|message| Problem::new("", message)).to_string();
    checked.err().map(problem).unwrap_or_default()
}

#[test]
fn a_setting_that_is_only_a_default_accepts_every_text() {
    for text in ["\"5432\"", "\"\"", "''", "lan", ""] {
        let read = setting(text).unwrap();
        assert_eq!((&read.kind, read.means.as_str()), (&SettingKind::Text(None), ""), "{text}");
        for value in ["", "true", "x y", "-1"] {
            assert_eq!(read.check(value), Ok(()), "{text} {value}");
        }
    }
    assert_eq!(setting("\"5432\"").unwrap().default.as_deref(), Some("5432"));
    assert_eq!(setting("").unwrap().default, None);
    assert_eq!(setting("\"\"").unwrap().default.as_deref(), Some(""));
}

#[test]
fn every_type_accepts_its_values_and_refuses_others_with_a_hint() {
    for (text, value, message) in [
        ("{type: number, default: 8, max: 64}", "64", ""),
        ("{type: number, default: 8, max: 64}", "65", "\"65\" is not a whole number of at most 64"),
        ("{type: number, default: 8}", "0x8", "\"0x8\" is not a whole number"),
        ("{type: number, default: 8}", "010", "\"010\" is not a whole number (write 10)"),
        ("{type: number, default: 8}", "-3", ""),
        ("{type: bool, default: true}", "false", ""),
        (
            "{type: bool, default: true}",
            "True",
            "\"True\" is not true or false (did you mean true?)",
        ),
        (
            "{type: bool, default: true}",
            "off",
            "\"off\" is not true or false (did you mean false?)",
        ),
        ("{type: bool, default: true}", "2", "\"2\" is not true or false"),
        ("{type: choice, default: lan, choices: {lan: a, cloud: b}}", "cloud", ""),
        (
            "{type: choice, default: lan, choices: {lan: a, cloud: b}}",
            "clowd",
            "\"clowd\" is not one of lan, cloud (did you mean cloud?)",
        ),
    ] {
        assert_eq!(wrong(text, value), message, "{text} {value}");
    }
}

#[test]
fn addresses_times_sizes_and_patterns_are_checked_too() {
    for (text, value, message) in [
        ("{type: address, default: 10.0.0.1}", "2001:db8::1", ""),
        ("{type: address, default: 10.0.0.1}", "db.example", "\"db.example\" is not an IP address"),
        ("{type: host, default: \"\"}", "db.example", ""),
        ("{type: host, default: \"\"}", "10.0.0.1", ""),
        ("{type: host, default: \"\"}", "", ""),
        (
            "{type: host, default: \"\"}",
            "db:5432",
            "\"db:5432\" is not a host name or an IP address",
        ),
        ("{type: host, default: db}", "", "is empty, and must be a host name or an IP address"),
        ("{type: port, default: 5432}", "65535", ""),
        ("{type: port, default: 5432}", "0", "\"0\" is not a whole number from 1 to 65535"),
        (
            "{type: port, default: 5432, min: 1024}",
            "80",
            "\"80\" is not a whole number from 1024 to 65535",
        ),
        ("{type: duration, default: 30s}", "5m", ""),
        (
            "{type: duration, default: 30s}",
            "5",
            "\"5\" is not a duration such as 500ms, 10s, 5m, 2h or 1d",
        ),
        ("{type: size, default: 1GiB}", "64KiB", ""),
        ("{type: size, default: 1GiB}", "1G", "\"1G\" is not a size such as 512MiB or 2GiB"),
        ("{type: url, default: \"\"}", "https://s3.example.com:9000/a?b", ""),
        ("{type: url, default: \"\"}", "http://[2001:db8::1]:80", ""),
        (
            "{type: url, default: \"\"}",
            "s3.example.com",
            "\"s3.example.com\" is not a URL such as https://s3.example.com: it needs a scheme, such as https://",
        ),
        (
            "{type: url, default: \"\"}",
            "redis://u:p@host",
            "\"redis://u:p@host\" is not a URL such as https://s3.example.com: everybody sees a setting, so a \
             user and a password belong into a secret",
        ),
        ("{type: text, default: a1, pattern: '[a-z]\\d'}", "b2", ""),
        (
            "{type: text, default: a1, pattern: '[a-z]\\d'}",
            "b22",
            "\"b22\" is not a text that matches [a-z]\\d",
        ),
        ("{type: text, required: true}", "", "is empty, and must be a text"),
    ] {
        assert_eq!(wrong(text, value), message, "{text} {value}");
    }
}

#[test]
fn a_default_that_is_not_of_its_type_is_refused_with_its_line() {
    assert_eq!(
        refused("{type: port, default: http}"),
        "line 3: settings.it.default: \"http\" is not a whole number from 1 to 65535"
    );
    assert_eq!(
        refused("{type: bool, default: \"\"}"),
        "line 3: settings.it.default: is empty, and must be true or false"
    );
    assert_eq!(
        refused("{type: choice, default: wan, choices: {lan: a, cloud: b}}"),
        "line 3: settings.it.default: \"wan\" is not one of lan, cloud"
    );
}

#[test]
fn a_setting_that_cannot_be_meant_is_refused() {
    for (text, message) in [
        ("[a]", "settings.it: must be the default, or a mapping with a type"),
        ("{default: a}", "settings.it.type: is missing"),
        (
            "{type: tekst, default: a}",
            "settings.it.type: \"tekst\" is not a valid value (did you mean text?)",
        ),
        ("{type: text, defalt: a}", "settings.it.defalt: unknown key (did you mean default?)"),
        ("{type: text}", "settings.it: has no default (write default:, or required: true"),
        (
            "{type: text, default: a, required: true}",
            "settings.it.default: a required setting has no default",
        ),
        ("{type: choice, default: a}", "settings.it.choices: is missing"),
        ("{type: choice, default: a, choices: {a: }}", "settings.it.choices.a: is empty"),
        (
            "{type: text, default: a, choices: {a: b}}",
            "settings.it.choices: is only for type: choice",
        ),
        (
            "{type: size, default: 1GiB, min: 1}",
            "settings.it.min: is only for type: number, or port",
        ),
        ("{type: port, default: 5, pattern: x}", "settings.it.pattern: is only for type: text"),
        (
            "{type: number, default: 5, min: 6, max: 4}",
            "settings.it.max: is less than min, which is 6",
        ),
        (
            "{type: text, default: a, pattern: '(a'}",
            "settings.it.pattern: is no regular expression: unclosed group",
        ),
        (
            "{type: text, default: a, pattern: 'a)|(?:b'}",
            "settings.it.pattern: is no regular expression",
        ),
        (
            "{type: text, default: \"{{ tenant }}\"}",
            "settings.it.default: a template is not filled in here",
        ),
    ] {
        let problems = refused(text);
        assert!(problems.contains(message), "{text}: {problems}");
    }
}

#[test]
fn choices_keep_the_order_in_which_they_are_written() {
    let SettingKind::Choice(choices) =
        setting("{type: choice, default: z, choices: {z: last, a: first}}").unwrap().kind
    else {
        unreachable!()
    };
    let values: Vec<&str> = choices.iter().map(|choice| choice.value.as_str()).collect();
    assert_eq!(values, ["z", "a"]);
}

proptest! {
    #[test]
    fn no_value_and_no_setting_makes_a_check_panic(value in ".*", text in "[ -~]{0,60}") {
        if let Ok(setting) = setting(&text) {
            let _checked = setting.check(&value).is_ok();
        }
        for kind in [
            "{type: number, default: 8}", "{type: host, default: \"\"}", "{type: url, default: \"\"}",
            "{type: size, default: 1GiB}", "{type: duration, default: 1s}",
        ] {
            let checked = setting(kind).unwrap().check(&value);
            prop_assert!(checked.is_ok() || !checked.unwrap_err().message.is_empty());
        }
    }

    #[test]
    fn a_number_is_valid_exactly_if_it_is_written_plainly_and_within_its_bounds(number in any::<i64>()) {
        let checked = setting("{type: number, default: 8, min: -5, max: 90}").unwrap();
        prop_assert_eq!(checked.check(&number.to_string()).is_ok(), (-5..=90).contains(&number));
        let with_sign = format!("+{number}");
        prop_assert!(checked.check(&with_sign).is_err());
    }
}
