//! The values that a tenant gets with the defaults of the settings, against what images need.

use std::collections::BTreeMap;
use std::str::FromStr;

use oml_common::decide::plan::{self, NodeFacts};
use oml_common::decide::secrets::{ChosenSecret, ChosenSecrets};
use oml_common::document::catalog::{Catalog, WorkloadTemplate};
use oml_common::document::plan::Plan;
use oml_common::document::spec::TenantSpec;
use oml_common::id::{NodeName, RevisionNumber, SecretMark};

use crate::check::image;
use crate::contract::Line;

/// The secrets with the certificate of a tenant and its key.
pub(crate) const TLS: [&str; 2] = ["tls_certificate", "tls_key"];

/// Returns every key that an image needs and that has an empty value on a host with everything.
pub(crate) fn empty_values(line: &Line, catalog: &Catalog) -> Vec<String> {
    empty_values_of(&layout(line, catalog), line, catalog)
}

/// Returns every key that an image needs and that has an empty value in a plan.
pub(crate) fn empty_values_of(plan: &Plan, line: &Line, catalog: &Catalog) -> Vec<String> {
    let mut empty = Vec::new();
    for (name, desired) in plan.nodes.values().flat_map(|share| &share.instances) {
        let Some(container) = desired.instance.container() else { continue };
        let WorkloadTemplate::Container(template) = &catalog.components[name].workload else {
            continue;
        };
        let image = image(catalog, template);
        let needs =
            line.matching(&image, name.as_str()).into_iter().flat_map(|(_, it)| &it.reads.required);
        for key in needs {
            let value = container.env.iter().find(|(known, _)| known.as_str() == key);
            if value.is_some_and(|(_, value)| value.trim().is_empty()) {
                let file = &line.catalog;
                empty.push(format!(
                    "{file}, component {name}: {key} is empty, and {image} needs it"
                ));
            }
        }
    }
    empty
}

/// Returns every file of the certificate that a tenant with one does not have where the image reads it, and
/// every folder of the host that is in its place.
pub(crate) fn misplaced_certificates(line: &Line, catalog: &Catalog) -> Vec<String> {
    let secrets = chosen(TLS);
    let tls = "tls: {mode: selfsigned, names: [pbx.example.com]}\n";
    let plan = layout_with(line, catalog, tls, &secrets);
    let mut found = Vec::new();
    for (name, desired) in plan.nodes.values().flat_map(|share| &share.instances) {
        let Some(container) = desired.instance.container() else { continue };
        let WorkloadTemplate::Container(template) = &catalog.components[name].workload else {
            continue;
        };
        let contracts = line.matching(&image(catalog, template), name.as_str());
        let files = contracts.into_iter().filter_map(|(_, it)| it.certificate.as_ref());
        for (secret, file) in files.flat_map(|files| files.secrets()) {
            let mut kept = desired.instance.program_secrets();
            let is_there =
                kept.any(|it| it.name.as_str() == secret && it.file.as_deref() == Some(file));
            let mut volumes = container.volumes.iter();
            let is_hidden = volumes.any(|it| file.starts_with(&format!("{}/", it.target)));
            if !is_there || is_hidden {
                found.push(format!("{}, component {name}: {secret} at {file}", line.catalog));
            }
        }
    }
    found
}

/// Makes the plan of the tenant of a line.
pub(crate) fn layout(line: &Line, catalog: &Catalog) -> Plan {
    layout_with(line, catalog, "", &ChosenSecrets::new())
}

/// Makes the plan of the tenant of a line that keeps a secret of the database at the controller, with that version of it.
pub(crate) fn rotated(line: &Line, catalog: &Catalog, secret: &str, version: u64) -> Plan {
    let mut secrets = chosen([secret]);
    secrets.values_mut().for_each(|it| it.version = version);
    layout_with(line, catalog, &format!("secrets: {{{secret}: controller}}\n"), &secrets)
}

/// Makes the plan of the tenant of a line, with more lines in its document and with these secrets.
pub(crate) fn layout_with(
    line: &Line,
    catalog: &Catalog,
    more: &str,
    secrets: &ChosenSecrets,
) -> Plan {
    let mut spec = format!("tenant: acme\ncatalog: {}\n{more}settings:\n", catalog.name);
    for (name, value) in &line.tenant.settings {
        spec.push_str(&format!("  {name}: \"{value}\"\n"));
    }
    if line.tenant.settings.is_empty() {
        spec = spec.replace("settings:\n", "");
    }
    spec.push_str("components:\n");
    let is_in = |name: &str| !line.tenant.without.iter().any(|left_out| left_out == name);
    for (name, component) in catalog.components.iter().filter(|(name, _)| is_in(name.as_str())) {
        let version = match component.workload {
            WorkloadTemplate::Container(_) => "\"1\"",
            WorkloadTemplate::Unit { .. } => "{}",
        };
        spec.push_str(&format!("  {name}: {version}\n"));
    }
    let roles = line.tenant.roles.join(",");
    plan_of(&spec, catalog, &[("all", roles)], secrets)
}

/// Makes the plan of a document on hosts with these names and roles. The first one has the address 10.0.0.1.
pub(crate) fn plan_of(
    document: &str,
    catalog: &Catalog,
    hosts: &[(&str, String)],
    secrets: &ChosenSecrets,
) -> Plan {
    let parsed = TenantSpec::parse(document);
    let spec = parsed.unwrap_or_else(|problems| panic!("{document}\n{problems}"));
    let node = |(number, (name, roles)): (usize, &(&str, String))| {
        let roles = roles.split(',').map(valid).collect();
        (valid(name), NodeFacts { roles, address: format!("10.0.0.{}", number + 1), agent: None })
    };
    let nodes: BTreeMap<NodeName, NodeFacts> = hosts.iter().enumerate().map(node).collect();
    let input = plan::Input {
        revision: RevisionNumber(1),
        spec: &spec,
        catalog,
        nodes: &nodes,
        mirrors: &plan::Mirrors::default(),
        secrets,
        thumbprint: None,
        before: None,
    };
    match plan::prepare(input) {
        Ok(prepared) => prepared.layout().clone(),
        Err(unprepared) => panic!("{}: {}", catalog.name, unprepared.problems),
    }
}

/// Returns the first version of every secret with these names. Only those of the certificate have several lines.
pub(crate) fn chosen<'a>(names: impl IntoIterator<Item = &'a str>) -> ChosenSecrets {
    let secret = |name: &str| {
        let mark = SecretMark::of_nothing();
        let has_lines = TLS.contains(&name);
        (valid(name), ChosenSecret { version: 1, mark, has_lines })
    };
    names.into_iter().map(secret).collect()
}

/// Parses a name that is valid.
fn valid<T: FromStr>(text: &str) -> T {
    text.parse().unwrap_or_else(|_invalid| panic!("{text} is valid"))
}
