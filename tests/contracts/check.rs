//! What a catalog says of a component, against the contract of its image.

use std::collections::BTreeSet;

use oml_common::document::catalog::{
    Catalog, Component, ContainerTemplate, OperationTemplate, WorkloadTemplate,
};

use crate::contract::{Contract, Line};

/// A component that is compared with its contract.
struct Case<'a> {
    catalog: &'a str,
    name: &'a str,
    component: &'a Component,
    container: &'a ContainerTemplate,
    contract: &'a Contract,
}

/// Returns every contract of the line that its catalog breaks, and every one that is missing or idle.
pub(crate) fn violations(line: &Line, catalog: &Catalog) -> Vec<String> {
    let mut found = Vec::new();
    let mut used = BTreeSet::new();
    for (name, component) in &catalog.components {
        let WorkloadTemplate::Container(container) = &component.workload else { continue };
        let image = image(catalog, container);
        let matching = line.matching(&image, name.as_str());
        let &[(index, contract)] = matching.as_slice() else {
            let (file, count) = (&line.catalog, matching.len());
            found.push(format!(
                "{file}, component {name}: {count} contracts are of its image {image}"
            ));
            continue;
        };
        used.insert(index);
        let case =
            Case { catalog: &line.catalog, name: name.as_str(), component, container, contract };
        if !contract.unknown {
            found.extend(case.violations());
        }
    }
    let idle = line.contracts.iter().enumerate().filter(|(index, _)| !used.contains(index));
    found.extend(idle.map(|(_, contract)| {
        format!("{}: no component is of the contract of {}", line.catalog, contract.image)
    }));
    found
}

/// The repository of a container, with its registry.
pub(crate) fn image(catalog: &Catalog, container: &ContainerTemplate) -> String {
    match &catalog.registry {
        Some(registry) if !container.image.names_registry() => {
            format!("{registry}/{}", container.image.as_str())
        }
        Some(_) | None => container.image.as_str().to_owned(),
    }
}

impl Case<'_> {
    fn violations(&self) -> Vec<String> {
        let mut found = self.undeclared_keys();
        found.extend(self.lacking_keys());
        found.extend(self.unknown_programs());
        let has_own =
            !self.container.command.is_empty() || !self.container.options.entrypoint.is_empty();
        if self.contract.has_command == Some(false) && !has_own {
            found.push(self.violation("has no command, and the image has none"));
        }
        found.extend(self.mounts());
        found.extend(self.lacking_certificate());
        let ports = &self.component.ports;
        let is_there =
            |port: &str| ports.iter().any(|it| it == port || it.ends_with(&format!(":{port}")));
        let lacking = self.contract.ports.iter().filter(|port| !is_there(port));
        found.extend(lacking.map(|port| self.violation(&format!("does not name the port {port}"))));
        found
    }

    /// The keys that the component or one of its operations sets for nothing.
    fn undeclared_keys(&self) -> Vec<String> {
        let operations = self.component.operations.values().flat_map(|it| it.env.keys());
        // The variable of a mounted secret only says where its file is, and the image reads the file.
        let secrets = self.container.secrets.iter().filter(|(_, it)| it.file.is_none());
        let secrets = secrets.map(|(key, _)| key);
        let keys = self.container.env.keys().chain(secrets).chain(operations);
        let keys: BTreeSet<&str> = keys.map(AsRef::as_ref).collect();
        let undeclared = keys.into_iter().filter(|key| !self.contract.reads.declares(key));
        undeclared
            .map(|key| self.violation(&format!("sets {key}, which the image does not read")))
            .collect()
    }

    /// The programs of operations that nobody says are in the image.
    fn unknown_programs(&self) -> Vec<String> {
        let operations = self.component.operations.iter();
        let program =
            |it: &OperationTemplate| it.entrypoint.first().or(it.command.first()).cloned();
        let programs = operations.filter_map(|(name, it)| Some((name, program(it)?)));
        let unknown = programs.filter(|(_, program)| !self.contract.programs.contains(program));
        unknown
            .map(|(name, program)| {
                let what =
                    format!("runs {program} in its operation {name}, which is not in the image");
                self.violation(&what)
            })
            .collect()
    }

    /// The keys that the image needs and that do not always have a value.
    fn lacking_keys(&self) -> Vec<String> {
        let (env, secrets) = (&self.container.env, &self.container.secrets);
        let is_secret = |key: &str| secrets.keys().any(|it| it.as_str() == key);
        let required = self.contract.reads.required.iter().filter(|key| !is_secret(key));
        let lack = |key: &String| match env.iter().find(|(name, _)| name.as_str() == key) {
            None => Some(format!("lacks {key}, which the image needs")),
            Some((_, it)) if it.when.is_some() => {
                Some(format!("sets {key} only under a condition, and the image needs it"))
            }
            Some((_, it)) if it.value.is_empty() => {
                Some(format!("sets {key} to nothing, and the image needs it"))
            }
            Some(_) => None,
        };
        required.filter_map(lack).map(|what| self.violation(&what)).collect()
    }

    fn mounts(&self) -> Vec<String> {
        let volumes = self.container.volumes.iter().map(|it| it.target.trim_end_matches('/'));
        let files = self.container.files.iter().map(|it| it.path.as_str());
        let targets: BTreeSet<&str> = volumes.chain(files).collect();
        let lacking = self.contract.mounts.iter().filter(|place| !targets.contains(place.as_str()));
        let refused =
            self.contract.no_mounts.iter().filter(|place| targets.contains(place.as_str()));
        let lacking = lacking.map(|it| format!("mounts nothing at {it}, where the image wants it"));
        let refused = refused.map(|it| format!("mounts {it}, which the image refuses"));
        lacking.chain(refused).map(|what| self.violation(&what)).collect()
    }

    /// The parts of the certificate of a tenant that are not mounted where the image reads them.
    fn lacking_certificate(&self) -> Vec<String> {
        let Some(files) = &self.contract.certificate else { return Vec::new() };
        let is_mounted = |(name, file): &(&str, &str)| {
            let mut secrets = self.container.secrets.values();
            secrets.any(|it| {
                it.is_optional && it.name.as_str() == *name && it.file.as_deref() == Some(*file)
            })
        };
        let lacking = files.secrets().into_iter().filter(|part| !is_mounted(part));
        lacking
            .map(|(name, file)| {
                self.violation(&format!(
                    "does not mount {name} at {file}, where the image reads it, with optional: true"
                ))
            })
            .collect()
    }

    fn violation(&self, what: &str) -> String {
        let Self { catalog, name, contract, .. } = self;
        let source = contract.source.join("; ");
        format!("{catalog}, component {name}: it {what} ({}: {source})", contract.image)
    }
}
