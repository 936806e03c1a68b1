//! What a manifest says about an image: its platforms and whether it starts a program (OCI
//! image specification, and the older formats of Docker with the same fields).

use std::collections::{BTreeMap, BTreeSet};

use oml_common::decide::plan::ImageFacts;
use oml_common::id::Digest;
use serde::Deserialize;

/// The annotation of something that only accompanies an image, such as a signature of its build.
const REFERENCE: &str = "vnd.docker.reference.type";
const UNKNOWN: &str = "unknown";

/// A manifest, or an index of the manifests of several platforms.
#[derive(Debug, Default, Deserialize)]
struct Manifest {
    #[serde(default)]
    manifests: Vec<Entry>,
    config: Option<Config>,
}

/// One manifest of an index.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    platform: Option<Platform>,
    artifact_type: Option<String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

/// The place of the image's configuration.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    media_type: String,
    digest: Digest,
}

/// A platform, without its variant.
#[derive(Debug, Deserialize)]
struct Platform {
    os: String,
    architecture: String,
}

/// The configuration of an image.
#[derive(Debug, Deserialize)]
struct Image {
    #[serde(flatten)]
    platform: Option<Platform>,
    config: Option<Start>,
}

/// The program that a container of the image runs.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Start {
    cmd: Option<Vec<String>>,
    entrypoint: Option<Vec<String>>,
}

/// What is known from a manifest alone.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Described {
    Facts(ImageFacts),
    /// The facts are in the configuration with this digest.
    Config(Digest),
}

/// Reads a manifest. What it does not say is unknown.
pub(super) fn of_manifest(bytes: &[u8]) -> Described {
    let manifest: Manifest = serde_json::from_slice(bytes).unwrap_or_default();
    if let Some(config) = manifest.config
        && config.media_type.contains("image")
    {
        return Described::Config(config.digest);
    }
    let images = manifest.manifests.into_iter().filter(Entry::is_image);
    // An entry without a platform may be for any, so nothing is known then.
    let platforms: Option<BTreeSet<String>> =
        images.map(|entry| entry.platform.map(|it| it.to_string())).collect();
    let platforms = platforms.unwrap_or_default();
    Described::Facts(ImageFacts { platforms, has_command: None })
}

/// Reads the configuration of an image.
pub(super) fn of_config(bytes: &[u8]) -> ImageFacts {
    let Ok(image) = serde_json::from_slice::<Image>(bytes) else { return ImageFacts::default() };
    let named = image.platform.filter(Platform::is_known).map(|platform| platform.to_string());
    let start = image.config.unwrap_or_default();
    let says = |words: Option<Vec<String>>| words.is_some_and(|words| !words.is_empty());
    let has_command = says(start.cmd) || says(start.entrypoint);
    ImageFacts { platforms: named.into_iter().collect(), has_command: Some(has_command) }
}

impl Entry {
    fn is_image(&self) -> bool {
        self.artifact_type.is_none()
            && !self.annotations.contains_key(REFERENCE)
            && self.platform.as_ref().is_none_or(Platform::is_known)
    }
}

impl Platform {
    fn is_known(&self) -> bool {
        let is_known = |word: &str| !word.is_empty() && word != UNKNOWN;
        is_known(&self.os) && is_known(&self.architecture)
    }
}

impl std::fmt::Display for Platform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)
    }
}

#[cfg(test)]
mod tests {
    //! Manifests as builders write them.

    use super::*;

    fn platforms(manifest: &str) -> Vec<String> {
        match of_manifest(manifest.as_bytes()) {
            Described::Facts(facts) => facts.platforms.into_iter().collect(),
            Described::Config(digest) => vec![digest.to_string()],
        }
    }

    #[test]
    fn an_index_names_its_platforms_and_its_attestations_are_none() {
        let index = r#"{"manifests":[
            {"platform":{"os":"linux","architecture":"arm64","variant":"v8"}},
            {"platform":{"os":"linux","architecture":"amd64"}},
            {"platform":{"os":"unknown","architecture":"unknown"},
             "annotations":{"vnd.docker.reference.type":"attestation-manifest"}},
            {"artifactType":"application/vnd.example"}]}"#;
        assert_eq!(platforms(index), ["linux/amd64", "linux/arm64"]);
    }

    #[test]
    fn an_index_with_an_image_for_any_platform_names_none() {
        let one = r#"{"manifests":[{"platform":{"os":"linux","architecture":"arm64"}},{}]}"#;
        for index in [one, "{}", "[]", "", r#"{"manifests":[]}"#] {
            assert_eq!(platforms(index), [""; 0], "{index}");
        }
    }

    #[test]
    fn a_manifest_leads_to_its_configuration_and_what_is_no_image_to_nothing() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let manifest = |kind: &str| {
            format!(r#"{{"config":{{"mediaType":"{kind}","digest":"{digest}"}},"layers":[]}}"#)
        };
        assert_eq!(platforms(&manifest("application/vnd.oci.image.config.v1+json")), [&*digest]);
        let docker = manifest("application/vnd.docker.container.image.v1+json");
        assert_eq!(platforms(&docker), [&*digest]);
        assert_eq!(platforms(&manifest("application/vnd.cncf.helm.config.v1+json")), [""; 0]);
    }

    #[test]
    fn a_configuration_names_the_platform_and_the_program() {
        let facts = |config: &str| {
            let facts = of_config(config.as_bytes());
            (facts.platforms.into_iter().collect::<Vec<_>>().join(" "), facts.has_command)
        };
        let amd64 = || "linux/amd64".to_owned();
        let with = |start: &str| {
            facts(&format!(r#"{{"os":"linux","architecture":"amd64","config":{start}}}"#))
        };
        assert_eq!(with(r#"{"Cmd":["redis"]}"#), (amd64(), Some(true)));
        assert_eq!(with(r#"{"Entrypoint":["/e"],"Cmd":null}"#), (amd64(), Some(true)));
        assert_eq!(with(r#"{"Cmd":[],"Env":["A=b"]}"#), (amd64(), Some(false)));
        assert_eq!(with("null"), (amd64(), Some(false)));
        assert_eq!(facts(r#"{"config":{"Cmd":["a"]}}"#), (String::new(), Some(true)));
        assert_eq!(facts("no json"), (String::new(), None));
    }
}
