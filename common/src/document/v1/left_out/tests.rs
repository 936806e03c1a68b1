//! The bytes of the file are pinned.

use super::*;
use crate::id::ContentHash;

const FIXTURE: &str = include_str!("../fixtures/left_out.txt");
const FIXTURE_HASH: &str = "77dbfa23a1362e41945bb03763dfe60033ee8d8c171abe595feadd492a81a5ac";

fn left_out() -> LeftOut {
    let problems = [
        "HTTPS_PROXY: must begin with http:// or https:// (http://proxy.example.com:3128)",
        "registries.\"mirror\": no image can name this",
    ];
    LeftOut { problems: problems.map(str::to_owned).to_vec() }
}

#[test]
fn problems_are_written_as_they_are_pinned_and_read_again() {
    assert_eq!(left_out().write(), FIXTURE);
    assert_eq!(ContentHash::of(FIXTURE.as_bytes()).as_str(), FIXTURE_HASH);
    assert_eq!(LeftOut::read(FIXTURE), left_out());
}

#[test]
fn settings_of_which_nothing_is_left_out_are_an_empty_file() {
    assert_eq!(LeftOut::default().write(), "");
    assert_eq!(LeftOut::read(""), LeftOut::default());
}
