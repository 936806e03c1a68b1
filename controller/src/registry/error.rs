//! The reasons for which an image is not resolved.

use oml_common::id::Repository;

/// The reason for which a tag was not resolved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// The registry does not have the image; this is the operator's mistake.
    #[error("the registry {registry} has no image {name}{}", by_rule(.mirror_of.as_ref()))]
    NotFound {
        registry: String,
        /// The image's name within the registry, with the version behind it.
        name: String,
        /// The image that is pulled from here by a rule, if there is one.
        mirror_of: Option<Repository>,
    },
    /// The registry refused the login or requires one.
    #[error("the registry {registry} refused the login: {reason}")]
    Unauthorized { registry: String, reason: String },
    /// The registry will refuse the same request again.
    #[error("the registry {registry} refused the request: {reason}")]
    Refused { registry: String, reason: String },
    /// What answers does not prove to be the registry; somebody has to mend its certificate or
    /// name its authority.
    #[error("the registry {registry} is not trusted: {reason}")]
    Untrusted { registry: String, reason: String },
    /// The registry sent no usable response; a later attempt may succeed.
    #[error("the registry {registry} is unavailable: {reason}")]
    Unavailable { registry: String, reason: String },
}

impl RegistryError {
    /// Returns whether a later attempt may succeed.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable { .. } => true,
            Self::NotFound { .. }
            | Self::Unauthorized { .. }
            | Self::Refused { .. }
            | Self::Untrusted { .. } => false,
        }
    }
}

fn by_rule(image: Option<&Repository>) -> String {
    let said = |image: &Repository| {
        let name = image.spelled_out();
        format!(", which is where {name} comes from by a rule of [mirrors]")
    };
    image.map(said).unwrap_or_default()
}
