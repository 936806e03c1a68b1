use super::*;

#[test]
fn only_what_is_between_the_marks_is_renewed() {
    let page = format!("before\n{BEGIN}old\n{END}after\n");
    let renewed = between(&page, "new\n").unwrap();
    assert_eq!(renewed, format!("before\n{BEGIN}\nnew\n\n{END}after\n"));
    assert_eq!(between(&renewed, "new\n").unwrap(), renewed);
}

#[test]
fn a_page_without_marks_is_left_alone() {
    assert_eq!(between("before\nafter\n", "new\n"), None);
}

#[test]
fn the_page_of_this_project_has_its_marks() {
    let path = oml_tests::packages::root().unwrap().join("docs/benchmarks.md");
    assert!(between(&fs::read_to_string(path).unwrap(), "new\n").is_some());
}
