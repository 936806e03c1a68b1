//! The sites on which every line is installed on real hosts (`cargo xtask lines`), planned without hosts: each component of
//! them finds what the contract of its image asks for. What is found here in a second costs twenty minutes there.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use oml_common::document::catalog::{Catalog, WorkloadTemplate};
use oml_common::document::instance::{Container, Network};
use oml_common::document::plan::Plan;
use oml_tests::lines::document::{self, SiteVersions};
use oml_tests::lines::line::{LINES, Line, Size};

use crate::contract;
use crate::line_of;
use crate::probes::{Case, cases, unanswered_of};
use crate::values::{TLS, chosen, empty_values_of, plan_of};

/// What every host of the lab has: its machine id, and the certificate that the fleet makes.
const ON_EVERY_HOST: [&str; 2] = ["/etc/machine-id", "/etc/omnileads/certs"];
/// An address that every program may take.
const ANY: &str = "0.0.0.0";

/// A planned site.
struct Site {
    line: &'static Line,
    size: Size,
    contracts: contract::Line,
    catalog: Catalog,
    versions: SiteVersions,
    plan: Plan,
}

impl Site {
    fn new(line: &'static Line, size: Size) -> Result<Self> {
        let catalog = document::catalog(line)?;
        let versions = document::versions(line, size)?;
        let secrets = document::secrets(&catalog, &versions);
        let names = secrets.iter().map(|name| name.as_ref()).chain(TLS);
        let edge = match size {
            Size::One => 1,
            Size::Three => line.edge + 1,
        };
        let text = document::text(line, &versions, &secrets);
        let text = text.replace("EDGE_ADDRESS", &format!("10.0.0.{edge}"));
        let plan = plan_of(&text, &catalog, &line.nodes(size), &chosen(names));
        let contracts = line_of(&format!("omnileads-{}.yaml", line.name));
        Ok(Self { line, size, contracts, catalog, versions, plan })
    }

    fn cases(&self) -> Vec<Case<'_>> {
        cases(&self.plan, &self.contracts, &self.catalog)
    }

    fn complaints(&self) -> Vec<String> {
        let mut found = self.unplaced();
        found.extend(empty_values_of(&self.plan, &self.contracts, &self.catalog));
        found.extend(unanswered_of(&self.plan, &self.contracts, &self.catalog));
        let all = self.cases();
        for case in &all {
            let of_case = self.lacking_mounts(case).into_iter().chain(self.strange_addresses(case));
            found.extend(of_case.map(|what| format!("{} on {} {what}", case.name, case.node)));
        }
        found.extend(shared_ports(&all));
        let site = format!("{} on {}", self.line.name, self.size.words());
        found.into_iter().map(|what| format!("{site}: {what}")).collect()
    }

    /// The components of the document that no host runs.
    fn unplaced(&self) -> Vec<String> {
        let shares = self.plan.nodes.values();
        let placed: BTreeSet<&str> =
            shares.flat_map(|share| share.instances.keys().map(AsRef::as_ref)).collect();
        let unplaced = self.versions.keys().filter(|name| !placed.contains(name.as_str()));
        unplaced.map(|name| format!("no host runs {name}")).collect()
    }

    /// The files and folders of the host that are mounted and that nobody writes: the engine makes no container then.
    fn lacking_mounts(&self, case: &Case<'_>) -> Vec<String> {
        let Some(container) = case.instance.container() else { return Vec::new() };
        let sources = container.volumes.iter().map(|volume| volume.source.as_str());
        let of_host = sources.filter(|source| source.starts_with('/'));
        let lacking = of_host.filter(|source| !self.is_there(source));
        let mut found: Vec<String> =
            lacking.map(|source| format!("mounts {source}, and nobody writes it")).collect();
        let unmet = case.contract.needs.iter().filter(|path| !is_mounted(container, path));
        found.extend(unmet.map(|path| format!("needs {path}, and nothing is mounted there")));
        found
    }

    fn is_there(&self, source: &str) -> bool {
        let below = format!("{source}/");
        let written =
            self.line.files.iter().any(|(path, _)| *path == source || path.starts_with(&below));
        written || ON_EVERY_HOST.contains(&source)
    }

    /// The places where a program would listen and that are no address of its host.
    fn strange_addresses(&self, case: &Case<'_>) -> Vec<String> {
        let listens = match case.listens() {
            Ok(listens) => listens,
            Err(why) => return vec![why],
        };
        let own = own_address(self, case.node);
        let is_own = |host: &str| host == ANY || host.starts_with("127.") || host == own;
        let strange = listens.into_iter().filter(|(host, _, _)| !is_own(host));
        strange.map(|(host, port, _)| format!("listens at {host}:{port}, and has {own}")).collect()
    }
}

/// Returns the address of a host of a site, as `plan_of` gives it.
fn own_address(site: &Site, node: &str) -> String {
    let hosts = site.line.nodes(site.size);
    let position = hosts.iter().position(|(name, _)| *name == node);
    format!("10.0.0.{}", position.map_or(0, |position| position + 1))
}

fn is_mounted(container: &Container, path: &str) -> bool {
    container.volumes.iter().any(|volume| volume.target == path)
}

/// A port of a node by its number, and whether it is one of UDP.
type Port<'a> = (&'a str, u16, bool);

/// The ports at which two programs of one host would listen at one address.
fn shared_ports(all: &[Case<'_>]) -> Vec<String> {
    let mut taken = BTreeMap::<Port<'_>, Vec<(String, &str)>>::new();
    let mut found = Vec::new();
    for case in all {
        let network = case.instance.container().map(|it| &it.options.network);
        let Some(Network::Host) = network else { continue };
        for (host, port, is_udp) in case.listens().unwrap_or_default() {
            let others = taken.entry((case.node, port, is_udp)).or_default();
            let meets = |(at, name): &&(String, &str)| {
                *name != case.name && (*at == host || *at == ANY || host == ANY)
            };
            let other = others.iter().find(meets);
            found.extend(other.map(|(_, other)| {
                format!("{other} and {} both listen at port {port} of {}", case.name, case.node)
            }));
            others.push((host, case.name));
        }
    }
    found
}

/// Returns the names of the containers of a catalog.
fn containers(catalog: &Catalog) -> impl Iterator<Item = &str> {
    let all = catalog.components.iter();
    all.filter(|(_, it)| matches!(it.workload, WorkloadTemplate::Container(_)))
        .map(|(name, _)| name.as_ref())
}

#[test]
fn every_component_of_the_sites_on_which_a_line_is_tried_finds_what_its_image_asks_for() {
    let mut found = Vec::new();
    for line in &LINES {
        for size in Size::ALL {
            let site = Site::new(line, size).unwrap_or_else(|error| panic!("{error:#}"));
            found.extend(site.complaints());
        }
    }
    assert!(found.is_empty(), "mend the line or its catalog:\n{}", found.join("\n"));
}

#[test]
fn a_site_with_three_hosts_has_every_component_of_its_catalog() {
    for line in &LINES {
        let site = Site::new(line, Size::Three).unwrap_or_else(|error| panic!("{error:#}"));
        let cases = site.cases();
        let run: BTreeSet<&str> = cases.iter().map(|case| case.name).collect();
        assert_eq!(run, containers(&site.catalog).collect::<BTreeSet<&str>>(), "{}", line.name);
    }
}
