//! Mistakes that earlier releases did not refuse. Catalogs with them are in use, so only the check of a
//! catalog refuses them, and the controller goes on with what they always meant.

use crate::text::problem::Problems;
use crate::text::yaml::FieldNode;

use super::literal;

/// Reads the path of a request over HTTP, which is sent as it is written.
pub(super) fn path(
    field: &FieldNode<'_>,
    problems: &mut Problems,
    tolerated: &mut Problems,
) -> Option<String> {
    let path = literal::text(field, problems)?;
    let is_path = path.starts_with('/') && path.bytes().all(|b| b.is_ascii_graphic());
    // A template has its problem already.
    if !is_path && !literal::is_template(&path) {
        let message = "must begin with / and have no spaces or letters beyond ASCII";
        tolerated.push(field.problem(message).hint("write it as in /health/live"));
    }
    Some(path)
}

/// Reads a command that is run inside the container.
pub(super) fn command(
    field: Option<&FieldNode<'_>>,
    problems: &mut Problems,
    tolerated: &mut Problems,
) -> Vec<String> {
    let command = literal::templates(field, problems);
    let names_program = command.first().is_some_and(|program| !program.is_empty());
    if let Some(field) = field.filter(|_| !names_program) {
        let problem = field.problem("names no program");
        tolerated.push(problem.hint("write it as in [healthcheck, --quiet]"));
    }
    command
}

/// Reads a duration in which something has to happen.
pub(super) fn duration_ms(
    field: Option<FieldNode<'_>>,
    problems: &mut Problems,
    tolerated: &mut Problems,
) -> Option<u64> {
    let field = field?;
    let read = field.duration_ms(problems);
    if read == Some(0) {
        let problem = field.problem("must be longer than 0");
        tolerated.push(problem.hint("leave it out for the default"));
    }
    read
}
