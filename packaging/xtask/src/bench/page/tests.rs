use super::*;

#[test]
fn only_the_text_between_the_markers_is_replaced() {
    let page = format!("before\n{BEGIN}old\n{END}after\n");
    let updated = replace_between_markers(&page, "new\n").unwrap();
    assert_eq!(updated, format!("before\n{BEGIN}\nnew\n\n{END}after\n"));
    assert_eq!(replace_between_markers(&updated, "new\n").unwrap(), updated);
}

#[test]
fn a_page_without_markers_is_not_changed() {
    assert_eq!(replace_between_markers("before\nafter\n", "new\n"), None);
}

#[test]
fn the_benchmark_page_of_this_project_has_both_markers() {
    let path = oml_tests::workspace::workspace_root().unwrap().join("docs/benchmarks.md");
    assert!(replace_between_markers(&fs::read_to_string(path).unwrap(), "new\n").is_some());
}
