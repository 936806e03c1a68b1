//! Reads which image a component runs: its version, and its own image in place of the catalog's.

use crate::id::{ImageReference, ImageVersion, InvalidReference, Repository};
use crate::text::problem::Problems;
use crate::text::yaml::{FieldNode, Fields};

/// Reads `image` and `version`. The version may be behind the image, but not in both places.
pub(super) fn read(
    fields: &mut Fields<'_>,
    problems: &mut Problems,
) -> (Option<Repository>, Option<ImageVersion>) {
    let version_field = fields.get("version");
    let version = version_field.as_ref().and_then(|field| field.parse(problems));
    let image_field = fields.get("image");
    let Some(image) = image_field.as_ref().and_then(|field| reference(field, problems)) else {
        return (None, version);
    };
    let ImageReference { repository, version: of_image } = image;
    if let (Some(field), Some(of_image)) = (&version_field, &of_image) {
        let message = format!("the image has the version {of_image} already");
        problems.push(field.problem(message).hint("write the version in one of the two places"));
    }
    (Some(repository), of_image.or(version))
}

fn reference(field: &FieldNode<'_>, problems: &mut Problems) -> Option<ImageReference> {
    let text = field.text(problems)?;
    text.parse()
        .map_err(|error: InvalidReference| {
            let problem = field.problem(error.to_string());
            problems.push(match error.hint() {
                Some(hint) => problem.hint(hint),
                None => problem,
            });
        })
        .ok()
}
