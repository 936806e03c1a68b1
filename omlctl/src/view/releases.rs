//! The table of releases.

use oml_proto::v1::{ListReleasesReply, Release};

use crate::output::Output;
use crate::table::Column::{Prose, Whole};
use crate::table::plain;

/// The number of components that are named for one release.
const NAMED_MAX: usize = 4;

/// Formats a line for every release, the latest first.
pub(crate) fn releases(output: &Output, reply: &ListReleasesReply) -> String {
    let rows = reply.releases.iter().rev().map(|release| {
        vec![
            plain(&release.name),
            plain(release.versions.len().to_string()),
            plain(difference(release, release.name == reply.current)),
        ]
    });
    output
        .tables
        .table(&[Whole("RELEASE"), Whole("COMPONENTS"), Prose("THE TENANT")], rows.collect())
}

/// Says how a tenant differs from a release.
fn difference(release: &Release, is_current: bool) -> String {
    let different = &release.different;
    if different.is_empty() {
        return if is_current { "has it" } else { "has these versions" }.to_owned();
    }
    let mut named = different.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", ");
    if different.len() > NAMED_MAX {
        named.push_str(&format!(" and {} more", different.len() - NAMED_MAX));
    }
    format!("has another {named}")
}
