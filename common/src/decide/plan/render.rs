//! Renders the templates of a component with the values of a tenant.

use std::collections::BTreeMap;
use std::fmt::Display;

use minijinja::Environment;
use serde::Serialize;

use crate::document::Verbatim;
use crate::document::assignment::Desired;
use crate::document::catalog::port::PortText;
use crate::document::catalog::{
    Catalog, Component, ContainerTemplate, EnvTemplate, FileTemplate, OperationMoment,
    SettingValues, WorkloadTemplate, is_template,
};
use crate::document::instance::{
    Container, ContainerOptions, Instance, MetricsEndpoint, PackagedUnit, Reload, Workload,
};
use crate::document::spec::{ComponentSpec, SIZE_RULE, TenantSpec, bytes_of};
use crate::id::{Address, ComponentName, EnvName, NodeName, Repository};
use crate::text::problem::{Problem, Problems};

use super::images::image;
use super::place::Placed;
use super::prepared::unresolved;
use super::template::{self, DROP_IN};
use super::{
    ImageName, Input, Mirrors, dependencies, names, policy, registries, secrets, settings,
};

mod files;
mod operation;
mod options;
mod probe;
mod reload;

pub use operation::OperationPlace;

/// The values that templates can use.
#[derive(Serialize)]
struct Values<'a> {
    tenant: &'a str,
    settings: BTreeMap<&'a str, minijinja::Value>,
    node: NodeValues<'a>,
    /// The address of every component: that of this node if it runs the component, else that
    /// of the first node that does.
    host: BTreeMap<&'a str, &'a str>,
    /// The account at an ACME directory, of a tenant that orders its certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    acme: Option<AcmeValues<'a>>,
}

#[derive(Serialize)]
struct AcmeValues<'a> {
    thumbprint: &'a str,
}

#[derive(Serialize)]
struct NodeValues<'a> {
    name: &'a str,
    address: &'a str,
}

/// Renders the instances of one plan.
pub(super) struct Renderer<'a> {
    engine: Environment<'static>,
    input: Input<'a>,
    placed: &'a Placed,
    /// The values of the settings.
    chosen: SettingValues<'a>,
}

impl<'a> Renderer<'a> {
    /// Makes a renderer with the template engine. An unknown name in a template is an error.
    pub(super) fn new(input: Input<'a>, placed: &'a Placed) -> Self {
        let chosen = settings::chosen(input.spec, input.catalog);
        Self { engine: template::engine(), input, placed, chosen }
    }

    /// Renders the instance of a component on a node.
    pub(super) fn instance(
        &self,
        name: &ComponentName,
        node: &NodeName,
        problems: &mut Problems,
    ) -> Option<Desired> {
        let Self { engine, input, placed, chosen } = self;
        let input = *input;
        let definition = input.catalog.components.get(name)?;
        let values = self.values(placed, node)?;
        let path = format!("components.{name}");
        let mut writer = Writer {
            engine,
            values: minijinja::Value::from(minijinja::value::Serde(&values)),
            chosen,
            catalog: input.catalog,
            spec: input.spec,
            path,
            problems,
        };
        let ports = writer.ports(definition);
        let (workload, reload) = writer.workload(input, name, definition, &ports)?;
        let pull_from = match &workload {
            Workload::Container(container) => writer.source(input.mirrors, &container.repository),
            Workload::Unit(_) => None,
        };
        let pull_login = match &workload {
            Workload::Container(container) => {
                registries::login(input, pull_from.as_ref().unwrap_or(&container.repository))
            }
            Workload::Unit(_) => None,
        };
        let instance = Instance {
            tenant: input.spec.tenant.clone(),
            component: name.clone(),
            unit: definition.unit.clone(),
            workload: Verbatim::seal(workload),
            pull_from,
            pull_login,
            after: dependencies(input, name),
            ports: options::single(&ports),
            ranges: options::ranges(&ports),
            probe: writer.probe(&definition.probe),
            active: definition.active.as_ref().map(|active| writer.active(active)),
            timing: definition.timing.clone(),
            restart_unhealthy: definition.restart_unhealthy.clone(),
            metrics: definition.metrics.as_ref().map(|(port, path)| MetricsEndpoint {
                port: writer.number("metrics", port),
                path: path.clone(),
            }),
            checks: writer.steps(definition, OperationMoment::Check),
            preparations: writer.steps(definition, OperationMoment::Prepare),
            migrations: writer.steps(definition, OperationMoment::Migrate),
            reload,
        };
        Some(Desired { instance: Verbatim::seal(instance), policy: policy(input.spec) })
    }

    /// Returns the values of templates on a node.
    fn values(&self, placed: &'a Placed, node: &'a NodeName) -> Option<Values<'a>> {
        let input = self.input;
        let settings = settings::in_templates(&self.chosen, input.catalog);
        let address = |node: &NodeName| input.nodes.get(node).map(|facts| facts.address.as_str());
        let host = placed
            .iter()
            .filter_map(|(component, carriers)| {
                let nearest = if carriers.contains(node) { Some(node) } else { carriers.first() };
                Some((component.as_str(), address(nearest?)?))
            })
            .collect();
        let here = NodeValues { name: node.as_str(), address: address(node)? };
        let acme = input.thumbprint.map(|it| AcmeValues { thumbprint: it.as_str() });
        Some(Values { tenant: input.spec.tenant.as_str(), settings, node: here, host, acme })
    }
}

/// Renders templates and collects the problems.
struct Writer<'p> {
    engine: &'p Environment<'static>,
    values: minijinja::Value,
    /// The values of the settings, for conditions.
    chosen: &'p SettingValues<'p>,
    catalog: &'p Catalog,
    /// The specification, whose lines the problems name.
    spec: &'p TenantSpec,
    path: String,
    problems: &'p mut Problems,
}

impl Writer<'_> {
    /// Renders what the unit of a component runs, and what its program takes over while it runs.
    fn workload(
        &mut self,
        input: Input<'_>,
        name: &ComponentName,
        definition: &Component,
        ports: &[PortText],
    ) -> Option<(Workload, Option<Reload>)> {
        let template = match &definition.workload {
            WorkloadTemplate::Unit { drop_in } => {
                secrets::refuse_of_unit(input, name, self.problems);
                let spec = input.spec.components.get(name)?;
                return Some((Workload::Unit(self.packaged(spec, drop_in)), None));
            }
            WorkloadTemplate::Container(template) => template,
        };
        let container = self.container(input, name, definition, template)?;
        let has_account = input.thumbprint.is_some();
        let wanted = template.files.iter().filter(|it| has_account || !it.is_challenge);
        let wanted: Vec<&FileTemplate> = wanted.collect();
        let files = self.files(&wanted);
        let options = self.options(&template.options, ports);
        let options = Box::new(ContainerOptions { files, ..options });
        let container = Container { options, ..container };
        let used = template.secrets_with(self.chosen);
        let container = secrets::add(container, input, name, used, self.problems);
        let tenants = input.spec.components.get(name).map(|spec| &spec.secrets);
        let (container, reload) = self.reload(container, template, tenants);
        Some((Workload::Container(container), reload))
    }

    /// Adds a problem of what a template of the catalog became with the values of the tenant.
    fn problem(&mut self, field: &str, message: impl Display) {
        let problem = self.problem_at(field, message);
        let hint = format!("see what it is made of: omlctl settings catalog={}", self.catalog.name);
        self.problems.push(problem.hint(hint));
    }

    /// Makes a problem with the line of the field or, where the field is of the catalog, that
    /// of the component.
    fn problem_at(&self, field: &str, message: impl Display) -> Problem {
        let own = self.spec.problem(&format!("{}.{field}", self.path), message.to_string());
        let line = own.line.or_else(|| self.spec.problem(&self.path, "").line);
        Problem { line, ..own }
    }

    fn fill(&mut self, field: &str, template: &str) -> String {
        self.filled(field, template).unwrap_or_default()
    }

    /// Renders the words of a command.
    fn words(&mut self, field: &str, templates: &[String]) -> Vec<String> {
        templates.iter().map(|text| self.fill(field, text)).collect()
    }

    /// Returns the limit of a container's memory, which is the tenant's own if it has one. A template
    /// that becomes empty is no limit.
    fn memory(&mut self, spec: &ComponentSpec, template: &ContainerTemplate) -> Option<u64> {
        if spec.memory_bytes_max.is_some() {
            return spec.memory_bytes_max;
        }
        let text = self.filled("memory_max", template.memory_max.as_deref()?)?;
        if text.trim().is_empty() {
            return None;
        }
        let bytes = bytes_of(text.trim());
        if bytes.is_none() {
            self.problem("memory_max", format!("{text:?} is not {SIZE_RULE}"));
        }
        bytes
    }

    /// Renders a template. Returns `None` and adds a problem if that fails.
    fn filled(&mut self, field: &str, template: &str) -> Option<String> {
        if !is_template(template) {
            return Some(template.to_owned());
        }
        match self.engine.render_named_str(field, template, &self.values) {
            Ok(text) => Some(text),
            Err(_) if self.waits_for_setting(self.engine, template) => None,
            Err(error) => {
                // The message of the engine names a place in the template, which the path replaces.
                let detail = error.detail().unwrap_or("a value is missing").to_owned();
                let message = format!("cannot render {template:?}: {detail}");
                let problem = self.problem_at(field, message).hint(template::hint_of(&error));
                self.problems.push(problem);
                None
            }
        }
    }

    /// Whether a template names a setting without a value, of which that was said already. Without it,
    /// nobody knows what else is wrong with the template.
    fn waits_for_setting(&self, engine: &Environment<'_>, template: &str) -> bool {
        let is_missing = |name: &str| {
            let is_empty = !self.chosen.contains_key(name);
            let place = format!("settings.{name}");
            let is_said = || self.problems.0.iter().any(|problem| problem.path == place);
            let is_setting = self.catalog.settings.contains_key(name);
            is_setting && is_empty && (self.spec.is_unread(&place) || is_said())
        };
        let names = names::used(engine, template).unwrap_or_default();
        let settings = names.iter().filter_map(|name| name.strip_prefix("settings."));
        settings.filter_map(|rest| rest.split('.').next()).any(is_missing)
    }

    /// Returns the place from which an image is pulled, if that is not where its name says.
    fn source(&mut self, mirrors: &Mirrors, image: &Repository) -> Option<Repository> {
        let source = mirrors.source(image);
        source.unwrap_or_else(|error| {
            let problem = self.problem_at("image", error);
            self.problems.push(problem.hint("shorten the rule in controller.toml"));
            None
        })
    }

    /// Renders the environment of the catalog and of the tenant, which overrides it.
    fn environment(
        &mut self,
        of_catalog: &BTreeMap<EnvName, EnvTemplate>,
        of_tenant: &BTreeMap<EnvName, String>,
    ) -> BTreeMap<EnvName, String> {
        let is_set = |it: &EnvTemplate| it.when.as_ref().is_none_or(|it| it.holds(self.chosen));
        let of_catalog = of_catalog.iter().filter(|(_, it)| is_set(it));
        let mut all: BTreeMap<&EnvName, &String> =
            of_catalog.map(|(name, it)| (name, &it.value)).collect();
        all.extend(of_tenant);
        let fill = |(name, text): (&EnvName, &String)| {
            (name.clone(), self.fill(&format!("env.{name}"), text))
        };
        all.into_iter().map(fill).collect()
    }

    fn packaged(&mut self, spec: &ComponentSpec, drop_in: &str) -> PackagedUnit {
        let lines = self.fill(DROP_IN, drop_in);
        let env = self.environment(&BTreeMap::new(), &spec.env);
        let named = env.iter().map(|(name, value)| (name.as_str(), value.clone()));
        template::packaged(&lines, named, spec.memory_bytes_max).unwrap_or_else(|(name, why)| {
            let problem = self.problem_at(&format!("env.{name}"), why);
            self.problems.push(problem.hint("write a value of one line"));
            PackagedUnit { drop_in: String::new() }
        })
    }

    fn number(&mut self, field: &str, template: &str) -> u16 {
        let text = self.filled(field, template);
        text.and_then(|text| self.number_from(field, &text)).unwrap_or_default()
    }

    fn number_from(&mut self, field: &str, text: &str) -> Option<u16> {
        let number = text.trim().parse().ok().filter(|port| *port > 0);
        if number.is_none() {
            self.problem(field, format!("{text:?} is not a port number from 1 to 65535"));
        }
        number
    }

    fn address(&mut self, field: &str, template: &str) -> Option<String> {
        let text = self.filled(field, template)?;
        if text.parse::<Address>().is_err() {
            self.problem(field, format!("{text:?} is neither a host name nor an IP address"));
            return None;
        }
        Some(text)
    }

    fn container(
        &mut self,
        input: Input<'_>,
        name: &ComponentName,
        definition: &Component,
        template: &ContainerTemplate,
    ) -> Option<Container> {
        let spec = input.spec.components.get(name)?;
        let image = image(input.spec, input.catalog, name, definition, self.problems);
        let image = image.unwrap_or_else(ImageName::unknown);
        let env = self.environment(&template.env, &spec.env);
        Some(Container {
            name: template.name.clone(),
            version: image.version.name(),
            repository: image.repository,
            digest: unresolved(),
            env,
            secrets: BTreeMap::new(),
            kept_secrets: BTreeMap::new(),
            volumes: template.volumes.clone(),
            command: self.words("command", &template.command),
            memory_bytes_max: self.memory(spec, template),
            pids_limit: template.pids_limit,
            may_gain_privileges: template.may_gain_privileges,
            options: Default::default(),
        })
    }
}
