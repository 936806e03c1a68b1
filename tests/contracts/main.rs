//! Compares every shipped catalog with the contracts of its images: what their programs read, what they
//! need, and whether they start by themselves (tests/lab/images/CONTRACT.md).

mod check;
mod contract;
mod mail;
mod page;
mod planted;
mod probes;
mod reload;
mod rotation;
mod sites;
mod stand_ins;
mod values;
mod waits;

use std::collections::BTreeSet;
use std::fs;

use crate::check::violations;
use crate::contract::{Line, catalog_of, folder, lines};
use crate::values::{empty_values, layout, misplaced_certificates};

#[test]
fn every_shipped_catalog_has_contracts() {
    let entries = fs::read_dir(folder().join("../../catalog")).expect("the folder is there");
    let names = entries.map(|entry| entry.expect("it can be read").file_name());
    let names = names.map(|name| name.to_string_lossy().into_owned());
    let is_catalog = |name: &String| name.ends_with(".yaml") && !name.ends_with(".releases.yaml");
    let shipped: BTreeSet<String> = names.filter(is_catalog).collect();
    let covered: BTreeSet<String> = lines().into_iter().map(|line| line.catalog).collect();
    assert_eq!(covered, shipped);
}

#[test]
fn every_catalog_keeps_the_contracts_of_its_images() {
    let broken: Vec<String> =
        lines().iter().flat_map(|it| violations(it, &catalog_of(it))).collect();
    assert!(broken.is_empty(), "mend the catalog or the contract:\n{}", broken.join("\n"));
}

#[test]
fn what_an_image_needs_has_a_value_with_the_defaults_of_the_settings() {
    let empty: Vec<String> =
        lines().iter().flat_map(|it| empty_values(it, &catalog_of(it))).collect();
    assert!(empty.is_empty(), "mend the template or the default:\n{}", empty.join("\n"));
}

#[test]
fn the_certificate_of_a_tenant_is_where_the_images_read_it_and_in_no_folder_of_the_host() {
    let lines = lines();
    let with_one =
        lines.iter().filter(|line| line.contracts.iter().any(|it| it.certificate.is_some()));
    assert_eq!(with_one.count(), 4, "the four lines of OMniLeads");
    let found: Vec<String> =
        lines.iter().flat_map(|it| misplaced_certificates(it, &catalog_of(it))).collect();
    assert!(found.is_empty(), "mend the catalog:\n{}", found.join("\n"));
}

/// Kamailio takes requests to its own address for itself, at any port: with that of Asterisk, agents could not end calls.
#[test]
fn kamailio_has_another_address_than_the_asterisk_that_it_asks_on_one_host() {
    let mut tried = 0;
    for line in lines() {
        let plan = layout(&line, &catalog_of(&line));
        let instances = plan.nodes.values().flat_map(|share| &share.instances);
        for (_, desired) in instances.filter(|(name, _)| name.as_str() == "kamailio") {
            let container = desired.instance.container().expect("it is a container");
            let value = |key: &str| container.env.iter().find(|(known, _)| known.as_str() == key);
            let own = value("KAMAILIO_HOSTNAME").map(|(_, value)| value);
            let asked = value("ASTERISK_HOSTNAME").map(|(_, value)| value);
            assert!(own.is_some() && own != asked, "{}: {own:?}, {asked:?}", line.catalog);
            tried += 1;
        }
    }
    assert_eq!(tried, 4, "the catalog of the lab and the lines before 3.X");
}

#[test]
fn a_contract_names_its_source_or_says_why_there_is_none() {
    for line in lines() {
        for contract in &line.contracts {
            let said = match contract.unknown {
                true => contract.because.as_ref().is_some_and(|why| why.ends_with('.')),
                false => !contract.source.is_empty() && contract.has_command.is_some(),
            };
            assert!(said, "{}: {}", line.catalog, contract.image);
        }
    }
}

/// Returns the contracts of a catalog.
fn line_of(catalog: &str) -> Line {
    lines().into_iter().find(|line| line.catalog == catalog).expect("the line is there")
}
