//! The page of the handbook about OMniLeads says of every expectation of the images what each catalog does.

use std::fs;

use crate::contract::folder;

/// How many expectations of the images the page numbers.
const EXPECTATIONS: usize = 25;

/// Returns the cells of every numbered row of the tables with this many columns.
fn numbered_rows(page: &str, columns: usize) -> Vec<Vec<&str>> {
    let rows = page.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let cells = rows.map(|row| row.split(" | ").collect::<Vec<&str>>());
    cells.filter(|row| row.len() == columns && row[0].parse::<usize>().is_ok()).collect()
}

#[test]
fn the_handbook_says_of_every_expectation_of_the_images_what_each_catalog_does() {
    let path = folder().join("../../docs/omnileads.md");
    let page = fs::read_to_string(path).expect("the page is there");
    let expected: Vec<String> = (1..=EXPECTATIONS).map(|number| number.to_string()).collect();
    for (columns, catalogs) in [(3, "omnileads-2-6"), (4, "the other three")] {
        let rows = numbered_rows(&page, columns);
        let numbers: Vec<&str> = rows.iter().map(|row| row[0]).collect();
        assert_eq!(numbers, expected, "the table of {catalogs}");
        let empty = rows.iter().find(|row| row.iter().any(|cell| cell.trim().is_empty()));
        assert_eq!(empty, None, "the table of {catalogs}");
    }
}
