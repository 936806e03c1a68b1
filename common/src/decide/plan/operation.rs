//! Renders what an operation of a component runs, with the values of the tenant and those that an
//! operator gives.

use std::collections::BTreeMap;

use crate::document::operation::OperationCommand;
use crate::id::{OperationValue, ValueName};
use crate::text::problem::Problems;

use super::render::{OperationPlace, Renderer};
use super::{Input, place, presence};

/// Renders an operation. The names of `given` are those that the operation takes. As in a plan,
/// nothing can be wrong with components that do not exist.
///
/// # Errors
/// Returns every template that cannot be filled in.
pub fn operation_command(
    input: Input<'_>,
    place_of: OperationPlace<'_>,
    given: &BTreeMap<ValueName, OperationValue>,
) -> Result<OperationCommand, Problems> {
    let absent = presence::absent(input.spec, input.catalog);
    let present = presence::present(input.spec, &absent);
    let input = Input { spec: &present, ..input };
    let mut problems = Problems::default();
    let placed = place(input, &mut problems);
    let command = Renderer::new(input, &placed).operation(place_of, given, &mut problems);
    match command {
        Some(command) => problems.into_result(command),
        None => Err(problems),
    }
}
