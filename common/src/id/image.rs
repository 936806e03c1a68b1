//! Images as people write them: a repository with a tag, a digest, or both.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Digest, InvalidId, Repository, Version};
use crate::text::printable::shortened;

/// The digits of a digest that are enough for people.
const DIGITS_SHOWN: usize = 12;

/// The version of an image as people write it: a tag (`230204.01`), a digest (`sha256:…`), or
/// a tag with the digest that it stands for (`230204.01@sha256:…`). Where there is a digest, it
/// alone decides which image it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ImageVersion(Parts);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Parts {
    Tag(Version),
    Digest(Digest),
    Both(Version, Digest),
}

impl ImageVersion {
    /// Makes the version that is this digest, without a tag.
    #[must_use]
    pub fn pinned(digest: Digest) -> Self {
        Self(Parts::Digest(digest))
    }

    /// Makes the version with this tag and this digest.
    #[must_use]
    pub fn tag_at(tag: Version, digest: Digest) -> Self {
        Self(Parts::Both(tag, digest))
    }

    /// Returns the digest, if it has one.
    #[must_use]
    pub fn digest(&self) -> Option<&Digest> {
        match &self.0 {
            Parts::Tag(_) => None,
            Parts::Digest(digest) | Parts::Both(_, digest) => Some(digest),
        }
    }

    /// Returns the tag, if it has one.
    #[must_use]
    pub fn tag(&self) -> Option<&Version> {
        match &self.0 {
            Parts::Tag(tag) | Parts::Both(tag, _) => Some(tag),
            Parts::Digest(_) => None,
        }
    }

    /// Returns the name of the version in documents: its tag or, without one, `sha256-` and the
    /// first digits of its digest.
    #[must_use]
    pub fn name(&self) -> Version {
        match &self.0 {
            Parts::Tag(tag) | Parts::Both(tag, _) => tag.clone(),
            Parts::Digest(digest) => {
                let digits = digest.as_str().replacen(':', "-", 1);
                let shown = "sha256-".len() + DIGITS_SHOWN;
                let name: String = digits.chars().take(shown).collect();
                name.parse().expect("letters, digits and a hyphen are a tag")
            }
        }
    }

    /// Returns the word by which a registry finds its manifest: the digest, or else the tag.
    #[must_use]
    pub fn reference(&self) -> &str {
        match &self.0 {
            Parts::Tag(tag) => tag.as_str(),
            Parts::Digest(digest) | Parts::Both(_, digest) => digest.as_str(),
        }
    }

    /// Returns the version behind the name of an image: `:230204.01` or `@sha256:…`.
    #[must_use]
    pub fn suffix(&self) -> String {
        match &self.0 {
            Parts::Tag(_) | Parts::Both(..) => format!(":{self}"),
            Parts::Digest(digest) => format!("@{digest}"),
        }
    }
}

impl From<Version> for ImageVersion {
    fn from(tag: Version) -> Self {
        Self(Parts::Tag(tag))
    }
}

impl FromStr for ImageVersion {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        if text.starts_with("sha256:") {
            return Ok(Self(Parts::Digest(text.parse()?)));
        }
        match text.split_once('@') {
            Some((tag, digest)) => Ok(Self(Parts::Both(tag.parse()?, digest.parse()?))),
            None => Ok(Self(Parts::Tag(text.parse()?))),
        }
    }
}

impl TryFrom<String> for ImageVersion {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl From<ImageVersion> for String {
    fn from(version: ImageVersion) -> Self {
        version.to_string()
    }
}

impl fmt::Display for ImageVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Parts::Tag(tag) => f.pad(tag.as_str()),
            Parts::Digest(digest) => f.pad(digest.as_str()),
            Parts::Both(tag, digest) => f.pad(&format!("{tag}@{digest}")),
        }
    }
}

/// A reference to an image that names its registry: `registry:port/path/name`, with a version
/// behind it or without one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageReference {
    pub repository: Repository,
    pub version: Option<ImageVersion>,
}

/// The error of a text that is no reference to an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidReference {
    /// It begins as an address of the web does.
    #[error("the name of an image has no scheme")]
    Scheme(String),
    /// Registries accept no capital letters in names.
    #[error("the name of an image is in lower case")]
    Uppercase(String),
    /// It does not say which registry it is of.
    #[error("{} names no registry", shown(.0))]
    NoRegistry(String),
    /// Its repository, tag or digest is not valid.
    #[error(transparent)]
    Part(#[from] InvalidId),
}

impl InvalidReference {
    /// Returns what to write instead, if that is known.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Scheme(text) | Self::Uppercase(text) => Some(format!("write {}", shown(text))),
            Self::NoRegistry(text) => {
                Some(format!("if it is of Docker Hub, write docker.io/{}", shown(text)))
            }
            Self::Part(_) => None,
        }
    }
}

/// A long input is cut, so that a message stays short.
fn shown(text: &str) -> String {
    shortened(text, 120)
}

impl FromStr for ImageReference {
    type Err = InvalidReference;

    fn from_str(text: &str) -> Result<Self, InvalidReference> {
        if let Some((_scheme, rest)) = text.split_once("://") {
            return Err(InvalidReference::Scheme(rest.to_owned()));
        }
        let (name, version) = split(text);
        let lower = name.to_ascii_lowercase();
        if lower != name && lower.parse::<Repository>().is_ok() {
            let rest = &text[name.len()..];
            return Err(InvalidReference::Uppercase(format!("{lower}{rest}")));
        }
        let repository: Repository = name.parse()?;
        if !repository.names_registry() {
            return Err(InvalidReference::NoRegistry(text.to_owned()));
        }
        let version = match version {
            // Behind an @ there is nothing but a digest.
            Some(digest) if text[name.len()..].starts_with('@') => {
                Some(ImageVersion::pinned(digest.parse()?))
            }
            Some(version) => Some(version.parse()?),
            None => None,
        };
        Ok(Self { repository, version })
    }
}

impl fmt::Display for ImageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = self.version.as_ref().map(ImageVersion::suffix).unwrap_or_default();
        write!(f, "{}{version}", self.repository)
    }
}

/// Splits the version off a reference: what is behind the first `@`, with the tag before it.
pub(crate) fn split(text: &str) -> (&str, Option<&str>) {
    let (named, digest) = text.split_once('@').map_or((text, None), |(n, d)| (n, Some(d)));
    let last = named.rfind('/').map_or(0, |slash| slash + 1);
    match (named[last..].find(':'), digest) {
        (Some(colon), _) => (&text[..last + colon], Some(&text[last + colon + 1..])),
        (None, digest) => (named, digest),
    }
}

#[cfg(test)]
mod tests {
    //! References as people copy them from inventories and unit files.

    use super::*;

    const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn read(text: &str) -> String {
        let read = text.parse::<ImageReference>();
        let refused = |error: InvalidReference| {
            format!("refused: {error} {}", error.hint().unwrap_or_default())
        };
        read.map_or_else(refused, |it| format!("{it:?}"))
    }

    #[test]
    fn a_reference_has_a_registry_and_a_tag_a_digest_both_or_neither() {
        for text in [
            "docker.io/omnileads/asterisk".to_owned(),
            "registry.example:5000/a/b:230204.01".to_owned(),
            format!("localhost/b@{DIGEST}"),
            format!("quay.io/a/b:1@{DIGEST}"),
        ] {
            let read: ImageReference = text.parse().unwrap();
            assert_eq!(read.to_string(), text);
            assert_eq!(read.version.is_some(), text.contains(['@']) || text.ends_with(".01"));
        }
    }

    #[test]
    fn a_wrong_reference_is_refused_with_what_to_write_instead() {
        for (text, words) in [
            ("docker.io/OMniLeads/asterisk:1", "write docker.io/omnileads/asterisk:1"),
            ("redislabs/redisgears:1.0.9", "write docker.io/redislabs/redisgears:1.0.9"),
            ("postgres", "write docker.io/postgres"),
            ("https://quay.io/a/b", "write quay.io/a/b"),
            ("quay.io/a/b:", "1 to 128 letters"),
            ("quay.io/a/b@sha256:12", "64 lower-case hexadecimal digits"),
            ("quay.io/a/b@sha512:12", "64 lower-case hexadecimal digits"),
            ("quay.io/a/b:1@", "64 lower-case hexadecimal digits"),
            ("quay.io//b", "lower-case path segments"),
            ("quay.io:99999/b", "lower-case path segments"),
            ("quay.io/a b", "lower-case path segments"),
            ("", "lower-case path segments"),
        ] {
            let said = read(text);
            assert!(said.starts_with("refused") && said.contains(words), "{text}: {said}");
        }
    }

    #[test]
    fn a_version_is_a_tag_a_digest_or_both_and_has_a_short_name() {
        let version = |text: &str| text.parse::<ImageVersion>().unwrap();
        let both = format!("230204.01@{DIGEST}");
        for text in ["230204.01", DIGEST, &both] {
            assert_eq!(version(text).to_string(), text);
            let json = serde_json::to_string(&version(text)).unwrap();
            assert_eq!(json, format!("{text:?}"));
        }
        assert_eq!(version(&both).name().as_str(), "230204.01");
        assert_eq!(version(&both).reference(), DIGEST);
        assert_eq!(version(DIGEST).name().as_str(), "sha256-0123456789ab");
        assert_eq!(version("1").reference(), "1");
        for wrong in ["", "@", "1@", "1@sha256:AB", "sha256:12", "1@2@3", "a:b"] {
            assert!(wrong.parse::<ImageVersion>().is_err(), "{wrong}");
        }
    }
}
