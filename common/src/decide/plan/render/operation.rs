//! Renders the templates of an operation.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::document::catalog::{Component, OperationMoment, OperationTemplate};
use crate::document::operation::{OperationCommand, OperationStep};
use crate::id::{ComponentName, NodeName, OperationName, OperationValue, ValueName};
use crate::text::problem::{Problem, Problems};

use super::{Renderer, Values, Writer};

/// An operation of a component on a node.
#[derive(Debug, Clone, Copy)]
pub struct OperationPlace<'a> {
    pub component: &'a ComponentName,
    pub node: &'a NodeName,
    pub operation: &'a OperationName,
    pub template: &'a OperationTemplate,
}

/// The values of templates of an operation.
#[derive(Serialize)]
struct GivenValues<'a> {
    /// Those that an operator gives.
    args: BTreeMap<&'a str, &'a str>,
    #[serde(flatten)]
    shared: &'a Values<'a>,
}

impl Renderer<'_> {
    /// Renders an operation with the values that an operator gives. Returns `None` if the node is
    /// none of the tenant.
    pub(in crate::decide::plan) fn operation(
        &self,
        place: OperationPlace<'_>,
        given: &BTreeMap<ValueName, OperationValue>,
        problems: &mut Problems,
    ) -> Option<OperationCommand> {
        let OperationPlace { component, node, operation, template } = place;
        let Some(values) = self.values(self.placed, node) else {
            problems.push(Problem::new("node", format!("{node} is not a node of this tenant")));
            return None;
        };
        let given: BTreeMap<&str, &str> =
            given.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let values = GivenValues { args: given, shared: &values };
        let mut writer = Writer {
            engine: &self.engine,
            values: minijinja::Value::from(minijinja::value::Serde(&values)),
            chosen: &self.chosen,
            catalog: self.input.catalog,
            spec: self.input.spec,
            path: format!("components.{component}.operations.{operation}"),
            problems,
        };
        Some(writer.command(template, ""))
    }
}

impl Writer<'_> {
    /// Renders the operations of a component that run at that moment, in the order of their names.
    pub(super) fn steps(
        &mut self,
        definition: &Component,
        moment: OperationMoment,
    ) -> Vec<OperationStep> {
        let operations = definition.operations.iter();
        let chosen = operations.filter(|(_, it)| it.moment == moment);
        let step = |(operation, template): (&OperationName, &OperationTemplate)| OperationStep {
            operation: operation.clone(),
            run: self.command(template, &format!("operations.{operation}.")),
            irreversible: template.irreversible,
        };
        chosen.map(step).collect()
    }

    /// Renders what an operation runs. The path of its fields begins with `at`.
    fn command(&mut self, template: &OperationTemplate, at: &str) -> OperationCommand {
        let mut words = |field: &str, texts: &[String]| -> Vec<String> {
            let field = format!("{at}{field}");
            texts.iter().map(|text| self.fill(&field, text)).collect()
        };
        let command = words("command", &template.command);
        let entrypoint = words("entrypoint", &template.entrypoint);
        let env = template
            .env
            .iter()
            .map(|(name, text)| (name.clone(), self.fill(&format!("{at}env.{name}"), text)));
        let (env, deadline_ms) = (env.collect(), template.deadline_ms);
        OperationCommand { command, entrypoint, env, deadline_ms }
    }
}
