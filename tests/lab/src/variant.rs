//! Images that are made from a good one in the registry; most of them cannot be used.

use serde_json::{Value, json};

use crate::error::{LabError, Result};
use crate::oci::{self, Blob, INDEX_TYPE, MANIFEST_TYPE};
use crate::push::Client;

/// A processor that no host of a lab has.
const FOREIGN_ARCHITECTURE: &str = "s390x";
const ZSTD_LAYER_TYPE: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
/// The first bytes of data in LZ4 frame format, which no Docker unpacks, old or new.
const LZ4_MAGIC: [u8; 4] = [0x04, 0x22, 0x4d, 0x18];
const LAYER_BYTES: usize = 10_240;

/// What is different about an image, which is what is wrong with it for all but the first two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Variant {
    /// The image says its tag, so that it has another digest.
    Named,
    /// An index lists the image of the tag for this processor, and an attestation.
    Index,
    /// An index lists the image for another processor only, and an attestation.
    ForeignIndex,
    /// The image's configuration says that it is for another processor.
    ForeignConfig,
    /// The image does not say which program to start.
    NoCommand,
    /// The program to start is not in the image.
    MissingProgram,
    /// The only layer is compressed in a way that no Docker knows.
    UnknownCompression,
}

impl Client {
    /// Pushes a variant of the image of the tag `from` under the tag `to`, and returns its digest.
    pub(crate) fn push_variant(
        &self,
        repository: &str,
        from: &str,
        to: &str,
        variant: Variant,
    ) -> Result<String> {
        let unreadable = |error: serde_json::Error| LabError::Invalid(format!("{from}: {error}"));
        let original = self.manifest(repository, from)?.body;
        if let Some(architecture) = variant.architecture_of_index() {
            return self.push_index(repository, from, to, architecture);
        }
        let mut manifest: Value = serde_json::from_slice(&original).map_err(unreadable)?;
        let digest = manifest["config"]["digest"].as_str().unwrap_or_default();
        let config = self.blob(repository, digest)?;
        let mut config: Value = serde_json::from_slice(&config).map_err(unreadable)?;
        match variant {
            Variant::Named => config["config"]["Labels"]["lab.tag"] = json!(to),
            Variant::Index | Variant::ForeignIndex => {}
            Variant::ForeignConfig => config["architecture"] = json!(FOREIGN_ARCHITECTURE),
            Variant::NoCommand => config["config"]["Entrypoint"] = Value::Null,
            Variant::MissingProgram => config["config"]["Entrypoint"] = json!(["/oml/missing"]),
            Variant::UnknownCompression => {
                let layer = unknown_layer();
                self.push_small_blob(repository, &layer)?;
                config["rootfs"]["diff_ids"] = json!([layer.digest]);
                manifest["layers"] = json!([{
                    "mediaType": ZSTD_LAYER_TYPE,
                    "digest": layer.digest,
                    "size": layer.bytes.len(),
                }]);
            }
        }
        let config = oci::blob(&config);
        self.push_small_blob(repository, &config)?;
        manifest["config"]["digest"] = json!(config.digest);
        manifest["config"]["size"] = json!(config.bytes.len());
        let manifest = oci::blob(&manifest);
        self.put_manifest(repository, to, MANIFEST_TYPE, &manifest.bytes)?;
        Ok(manifest.digest)
    }
}

impl Variant {
    /// Returns the processor that the index lists; none for what is no index.
    fn architecture_of_index(self) -> Option<&'static str> {
        match self {
            Self::Index => Some(oci::architecture()),
            Self::ForeignIndex => Some(FOREIGN_ARCHITECTURE),
            Self::Named
            | Self::ForeignConfig
            | Self::NoCommand
            | Self::MissingProgram
            | Self::UnknownCompression => None,
        }
    }
}

impl Client {
    /// Pushes an index with an image and with an attestation, as builders write them.
    fn push_index(
        &self,
        repository: &str,
        from: &str,
        to: &str,
        architecture: &str,
    ) -> Result<String> {
        // With a digest of its own, so that the engine does not have the image already.
        let own = format!("{to}.image");
        let image = self.push_variant(repository, from, &own, Variant::Named)?;
        let size = self.manifest(repository, &own)?.body.len();
        let attestation = self.push_attestation(repository, &image)?;
        let index = oci::blob(&json!({
            "schemaVersion": 2,
            "mediaType": INDEX_TYPE,
            "manifests": [{
                "mediaType": MANIFEST_TYPE,
                "digest": image,
                "size": size,
                "platform": {"os": "linux", "architecture": architecture},
            }, {
                "mediaType": MANIFEST_TYPE,
                "digest": attestation.digest,
                "size": attestation.bytes.len(),
                "platform": {"os": "unknown", "architecture": "unknown"},
                "annotations": {
                    "vnd.docker.reference.type": "attestation-manifest",
                    "vnd.docker.reference.digest": image,
                },
            }],
        }));
        self.put_manifest(repository, to, INDEX_TYPE, &index.bytes)?;
        Ok(index.digest)
    }

    /// Pushes a statement about an image, and returns its manifest.
    fn push_attestation(&self, repository: &str, image: &str) -> Result<Blob> {
        let statement = oci::blob(&json!({
            "_type": "https://in-toto.io/Statement/v0.1",
            "predicateType": "https://slsa.dev/provenance/v0.2",
            "subject": [{"name": repository, "digest": {"sha256": image.trim_start_matches("sha256:")}}],
        }));
        let config = oci::blob(&json!({
            "architecture": "unknown",
            "os": "unknown",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [statement.digest]},
        }));
        for blob in [&statement, &config] {
            self.push_small_blob(repository, blob)?;
        }
        let manifest = oci::blob(&json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": config.digest,
                "size": config.bytes.len(),
            },
            "layers": [{
                "mediaType": "application/vnd.in-toto+json",
                "digest": statement.digest,
                "size": statement.bytes.len(),
            }],
        }));
        self.put_manifest(repository, &manifest.digest, MANIFEST_TYPE, &manifest.bytes)?;
        Ok(manifest)
    }
}

fn unknown_layer() -> Blob {
    let mut bytes = LZ4_MAGIC.to_vec();
    bytes.resize(LAYER_BYTES, 0x55);
    oci::blob_of(bytes)
}
