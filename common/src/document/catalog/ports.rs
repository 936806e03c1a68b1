//! Reads the ports of a component. What is a template is checked when it is filled in.

use crate::document::instance::PortRange;
use crate::text::problem::Problems;
use crate::text::yaml::FieldNode;

use super::is_template;
use super::port::{self, PortText};

/// The message about a port that is published where there is nothing to publish.
pub(crate) const PUBLISHED_ON_HOST: &str =
    "names a port of the container, which has the network and the ports of the host";
/// What to do about it.
pub(crate) const PUBLISHED_ON_HOST_HINT: &str =
    "write network: bridge, or the port of the host alone";

/// Reads the list of ports. `is_own` says that the container has a network of its own.
pub(super) fn read(
    field: Option<&FieldNode<'_>>,
    is_own: bool,
    problems: &mut Problems,
) -> Vec<String> {
    let items = field.map(|field| field.list(problems)).unwrap_or_default();
    let mut texts = Vec::new();
    let mut ranges: Vec<PortRange> = Vec::new();
    for item in items {
        let Some(text) = item.text(problems) else { continue };
        texts.push(text.to_owned());
        if is_template(text) {
            continue;
        }
        match port::parse(text) {
            Err(error) => problems.push(item.problem(error.to_string())),
            Ok(read) => {
                if names_container(&read) && !is_own {
                    let problem = item.problem(PUBLISHED_ON_HOST);
                    problems.push(problem.hint(PUBLISHED_ON_HOST_HINT));
                }
                if let Some(other) = ranges.iter().find(|it| it.common(read.host).is_some()) {
                    problems.push(item.problem(format!("{} overlaps {other}", read.host)));
                }
                ranges.push(read.host);
            }
        }
    }
    texts
}

/// Returns true if a text has a meaning only for a container with a network of its own.
pub(crate) fn names_container(text: &PortText) -> bool {
    text.container.is_some() || text.address.is_some()
}
