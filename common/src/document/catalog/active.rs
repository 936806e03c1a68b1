//! Reads how the calls of a component are counted.

use crate::document::instance::{ActiveProbe, ActiveSource, ActiveTotal};
use crate::text::problem::Problems;
use crate::text::yaml::{FieldNode, Fields};

use super::{literal, tolerated};

/// The number of commands that count the calls of one component. All of them run at every count.
const SOURCES_MAX: usize = 4;

pub(super) fn read(
    field: &FieldNode<'_>,
    problems: &mut Problems,
    tolerated: &mut Problems,
) -> Option<ActiveProbe> {
    let mut fields = Fields::open(field, problems)?;
    let noun = fields.need("noun", problems).and_then(|p| literal::text(&p, problems));
    let (sources, total) = match fields.get("sources") {
        Some(list) => {
            let totals = [("sum", ActiveTotal::Sum), ("max", ActiveTotal::Max)];
            let total = fields.get("total").and_then(|p| p.choice(&totals, problems));
            (read_list(&list, problems, tolerated), total.unwrap_or_default())
        }
        None => {
            let source = read_source(&mut fields, problems, tolerated);
            (source.into_iter().collect(), ActiveTotal::default())
        }
    };
    fields.finish(problems);
    ActiveProbe::of(sources, noun?, total)
}

fn read_list(
    list: &FieldNode<'_>,
    problems: &mut Problems,
    tolerated: &mut Problems,
) -> Vec<ActiveSource> {
    let items = list.list(problems);
    if items.is_empty() || items.len() > SOURCES_MAX {
        let message = format!("must have 1 to {SOURCES_MAX} sources");
        let hint = "write a list of {command: […], before: …}";
        problems.push(list.problem(message).hint(hint));
        return Vec::new();
    }
    let read = |item: &FieldNode<'_>| {
        let mut fields = Fields::open(item, problems)?;
        let source = read_source(&mut fields, problems, tolerated);
        fields.finish(problems);
        source
    };
    items.iter().filter_map(read).collect()
}

fn read_source(
    fields: &mut Fields<'_>,
    problems: &mut Problems,
    tolerated: &mut Problems,
) -> Option<ActiveSource> {
    let field = fields.need("command", problems);
    let command = tolerated::command(field.as_ref(), problems, tolerated);
    let before = fields.need("before", problems).and_then(|p| literal::text(&p, problems));
    Some(ActiveSource { command, before: before? })
}

#[cfg(test)]
mod tests;
