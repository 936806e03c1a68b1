//! Renders what an operation of a component runs, with the values of the tenant and those that an
//! operator gives.

use std::collections::BTreeMap;

use crate::document::catalog::OperationTemplate;
use crate::document::operation::OperationCommand;
use crate::id::{ComponentName, NodeName, OperationName, OperationValue, ValueName};
use crate::text::problem::Problems;

use super::render::Renderer;
use super::{Input, place};

/// An operation of a component on a node.
#[derive(Debug, Clone, Copy)]
pub struct OperationPlace<'a> {
    pub component: &'a ComponentName,
    pub node: &'a NodeName,
    pub operation: &'a OperationName,
    pub template: &'a OperationTemplate,
}

/// Renders an operation. The names of `given` are those that the operation takes.
///
/// # Errors
/// Returns every template that cannot be filled in.
pub fn operation_command(
    input: Input<'_>,
    place_of: OperationPlace<'_>,
    given: &BTreeMap<ValueName, OperationValue>,
) -> Result<OperationCommand, Problems> {
    let mut problems = Problems::default();
    let placed = place(input, &mut problems);
    let command = Renderer::new(input, &placed).operation(place_of, given, &mut problems);
    match command {
        Some(command) => problems.into_result(command),
        None => Err(problems),
    }
}
