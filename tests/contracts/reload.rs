//! The commands by which programs take over files while they run, against what the contracts of their images say. A
//! stand-in that does not know its command would fail every renewal of a certificate.

use std::collections::BTreeMap;

use oml_common::document::catalog::{Catalog, Component, WorkloadTemplate};
use oml_common::document::instance::ReloadBy;
use oml_lab::contract::{Action, Runs};

use crate::check::image;
use crate::contract::{Line, catalog_of, lines};
use crate::line_of;

/// Returns every command of a catalog that the stand-in of its image does not know as one that ends.
fn unknown(line: &Line, catalog: &Catalog) -> Vec<String> {
    let found = catalog.components.iter().filter_map(|(name, component)| {
        let image = image_of(catalog, component)?;
        let words = words_of(component)?;
        let matching = line.matching(&image, name.as_str());
        let &[(_, contract)] = matching.as_slice() else { return None };
        let commands = contract.all_commands();
        let known = commands.iter().find(|it| it.is_for(&words, &BTreeMap::new()));
        let is_known = known.is_some_and(|it| it.action == Action::End);
        (contract.runs == Some(Runs::StandIn) && !is_known)
            .then(|| format!("{}, {name}: {words:?} is not known", line.catalog))
    });
    found.collect()
}

fn image_of(catalog: &Catalog, component: &Component) -> Option<String> {
    match &component.workload {
        WorkloadTemplate::Container(template) => Some(image(catalog, template)),
        WorkloadTemplate::Unit { .. } => None,
    }
}

/// Returns the command; of a script for a shell its first one.
fn words_of(component: &Component) -> Option<Vec<String>> {
    let WorkloadTemplate::Container(template) = &component.workload else { return None };
    let ReloadBy::Command { command } = &template.reload.as_ref()?.by else { return None };
    Some(match command.as_slice() {
        [shell, flag, script] if shell == "sh" && flag == "-c" => {
            let first = script.split(" && ").next().unwrap_or_default();
            first.split_whitespace().map(str::to_owned).collect()
        }
        words => words.to_vec(),
    })
}

#[test]
fn every_command_by_which_a_stand_in_takes_over_files_is_known_to_its_contract() {
    let found: Vec<String> =
        lines().iter().flat_map(|line| unknown(line, &catalog_of(line))).collect();
    assert!(found.is_empty(), "mend the catalog or the contract:\n{}", found.join("\n"));
}

#[test]
fn a_command_that_a_stand_in_does_not_know_is_found() {
    let path = crate::contract::folder().join("../../catalog/omnileads-3.yaml");
    let text = std::fs::read_to_string(path).expect("the catalog is there");
    let planted = text.replace("haproxy -c -f", "haproxy -f");
    assert_ne!(planted, text);
    let planted = Catalog::parse(&planted).expect("it is still one");
    let found = unknown(&line_of("omnileads-3.yaml"), &planted);
    assert!(found.len() == 1 && found[0].contains("haproxy: "), "{found:?}");
}
