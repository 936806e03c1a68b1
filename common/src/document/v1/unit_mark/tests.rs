//! The keys of the mark are pinned. The fixtures are whole files, which the tests of the agent
//! compare with those that it writes.

use super::*;

const UNIT: &str = include_str!("../fixtures/unit_mark.service");
const UNIT_HASH: &str = "77a7f93cd9cca06efb736d0d14bb095e84505105a98556b85d2bfe8516daa1b4";
const DROP_IN: &str = include_str!("../fixtures/unit_mark_drop_in.conf");
const DROP_IN_HASH: &str = "f4907570ef6d8326ed9e2db3d5f96efe367da6cfa5e5fbe20bd7d53bd84a039d";

#[test]
fn the_mark_of_a_pinned_file_is_read_and_written_again() {
    for (text, hash) in [(UNIT, UNIT_HASH), (DROP_IN, DROP_IN_HASH)] {
        assert_eq!(ContentHash::of(text.as_bytes()).as_str(), hash);
        let mark = UnitMark::read(text).unwrap();
        let UnitMark { tenant, component: found, unit, is_whole, .. } = &mark;
        assert_eq!((tenant.as_str(), found.as_str(), *is_whole), ("acme", "asterisk", true));
        let unit = unit.as_ref().unwrap();
        assert_eq!(unit.as_str(), "asterisk.service");
        let lines = UnitMark::lines(tenant, found, unit);
        assert!(text.contains(&lines), "{lines}");
        let unsealed: String =
            text.split_inclusive('\n').filter(|l| !UnitMark::is_hash_line(l)).collect();
        assert_eq!(UnitMark::seal(&unsealed), text);
    }
}

#[test]
fn a_file_of_release_0_1_0_names_no_unit_and_one_of_a_later_release_may_have_more_keys() {
    let rest: String = UNIT
        .split_inclusive('\n')
        .filter(|line| !UnitMark::is_hash_line(line) && !line.starts_with(UNIT_KEY))
        .collect();
    let mark = UnitMark::read(&UnitMark::seal(&rest)).unwrap();
    assert_eq!((mark.unit, mark.is_whole), (None, true));
    let later = rest.replace("[Unit]\n", "[Unit]\nX-Oml-Of-A-Later-Release=1\n");
    assert!(UnitMark::read(&UnitMark::seal(&later)).unwrap().is_whole);
}

#[test]
fn a_text_without_the_whole_mark_is_not_ours() {
    let without_hash: String =
        UNIT.split_inclusive('\n').filter(|l| !UnitMark::is_hash_line(l)).collect();
    for other in ["", "[Service]\nExecStart=/bin/true\n", &without_hash] {
        assert_eq!(UnitMark::read(other), None);
    }
    assert_eq!(UnitMark::read(&UNIT.replace("acme/asterisk", "Acme!/asterisk")), None);
}
