//! The templates of a component, and the settings that decide what of it exists.

use super::WorkloadTemplate;
use super::condition::Condition;
use super::{
    CheckTemplate, Component, ContainerTemplate, OperationMoment, OperationTemplate, ProbeTemplate,
};
use crate::document::instance::ActiveProbe;
use crate::id::{OperationName, ValueName};

/// A text of a component that is filled in for every tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateText<'c> {
    /// The field of the component, such as `env.TZ`.
    pub field: String,
    pub text: &'c str,
    /// The values that an operator gives to the operation of which it is, and which it may name.
    pub args: &'c [ValueName],
}

impl<'c> TemplateText<'c> {
    fn new(field: impl Into<String>, text: &'c str) -> Self {
        Self { field: field.into(), text, args: &[] }
    }
}

impl Component {
    /// Returns every text of the component that may be a template.
    #[must_use]
    pub fn templates(&self) -> Vec<TemplateText<'_>> {
        let mut all = self.workload_templates();
        for (name, operation) in &self.operations {
            match operation.moment {
                OperationMoment::OnDemand => all.extend(operation.templates(name)),
                OperationMoment::Check | OperationMoment::Prepare | OperationMoment::Migrate => {}
            }
        }
        all
    }

    /// Returns those texts that are filled in when the component is planned. An operation on demand
    /// is none of them: what it runs is filled in when it is asked for.
    #[must_use]
    pub fn workload_templates(&self) -> Vec<TemplateText<'_>> {
        let mut all: Vec<TemplateText<'_>> = Vec::new();
        all.extend(self.ports.iter().map(|text| TemplateText::new("ports", text)));
        all.extend(self.probe.templates());
        let counts = self.active.iter().flat_map(ActiveProbe::sources);
        let counts = counts.flat_map(|(command, _before)| command);
        all.extend(counts.map(|text| TemplateText::new("active.command", text)));
        all.extend(self.metrics.iter().map(|(text, _)| TemplateText::new("metrics", text)));
        match &self.workload {
            WorkloadTemplate::Unit { drop_in } => {
                all.push(TemplateText::new("drop_in", drop_in));
            }
            WorkloadTemplate::Container(container) => all.extend(container.templates()),
        }
        for (name, operation) in &self.operations {
            match operation.moment {
                OperationMoment::Check | OperationMoment::Prepare | OperationMoment::Migrate => {
                    all.extend(operation.templates(name));
                }
                OperationMoment::OnDemand => {}
            }
        }
        all
    }

    /// Returns the conditions of the component itself, of its variables and of its secrets.
    pub fn conditions(&self) -> impl Iterator<Item = &Condition> {
        let container = match &self.workload {
            WorkloadTemplate::Container(container) => Some(container),
            WorkloadTemplate::Unit { .. } => None,
        };
        let variables = container.into_iter().flat_map(|it| it.env.values());
        let of_variables = variables.filter_map(|it| it.when.as_ref());
        let of_secrets = container.into_iter().flat_map(|it| it.secret_conditions.0.values());
        self.when.iter().chain(of_variables).chain(of_secrets)
    }
}

impl OperationTemplate {
    fn templates<'c>(&'c self, name: &OperationName) -> Vec<TemplateText<'c>> {
        let command = self.command.iter().map(|text| ("command".to_owned(), text));
        let entrypoint = self.entrypoint.iter().map(|text| ("entrypoint".to_owned(), text));
        let env = self.env.iter().map(|(name, text)| (format!("env.{name}"), text));
        let own = |(field, text): (String, &'c String)| TemplateText {
            field: format!("operations.{name}.{field}"),
            text,
            args: &self.args,
        };
        command.chain(entrypoint).chain(env).map(own).collect()
    }
}

impl ContainerTemplate {
    fn templates(&self) -> Vec<TemplateText<'_>> {
        let env = self.env.iter();
        let env = env.map(|(name, it)| TemplateText::new(format!("env.{name}"), &it.value));
        let hosts = self.options.extra_hosts.iter();
        let hosts =
            hosts.map(|(name, text)| TemplateText::new(format!("extra_hosts.{name}"), text));
        let mut all: Vec<TemplateText<'_>> = env.chain(hosts).collect();
        all.extend(self.command.iter().map(|text| TemplateText::new("command", text)));
        all.extend(self.memory_max.iter().map(|text| TemplateText::new("memory_max", text)));
        let entrypoint = self.options.entrypoint.iter();
        all.extend(entrypoint.map(|text| TemplateText::new("entrypoint", text)));
        let reload = self.reload.iter().flat_map(|reload| reload.texts());
        all.extend(reload.map(|text| TemplateText::new("reload", text)));
        let files = self.files.iter();
        all.extend(files.map(|it| TemplateText::new(format!("files.{}", it.path), &it.text)));
        all
    }
}

impl ProbeTemplate {
    fn templates(&self) -> Vec<TemplateText<'_>> {
        let mut texts: Vec<&str> = self.address.iter().map(String::as_str).collect();
        match &self.check {
            CheckTemplate::Http { port, details, .. } => {
                texts.push(port);
                texts.extend(details.host.as_deref());
                texts.extend(details.tls_name.as_deref());
            }
            CheckTemplate::SipOptions { port, stream } => {
                texts.push(port);
                if let Some((_, details)) = stream {
                    texts.extend(details.host.as_deref());
                    texts.extend(details.tls_name.as_deref());
                }
            }
            CheckTemplate::Postgres { port, user } => texts.extend([port.as_str(), user.as_str()]),
            CheckTemplate::Tcp { port }
            | CheckTemplate::Redis { port }
            | CheckTemplate::Rtpengine { port }
            | CheckTemplate::Gearman { port }
            | CheckTemplate::Rabbitmq { port } => texts.push(port),
            CheckTemplate::Exec { command } => texts.extend(command.iter().map(String::as_str)),
            CheckTemplate::UnitActive => {}
        }
        texts.into_iter().map(|text| TemplateText::new("probe", text)).collect()
    }
}
