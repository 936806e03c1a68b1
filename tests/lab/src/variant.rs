//! Images that cannot be used, each made from a good one in the registry.

use serde_json::{Value, json};

use crate::error::{LabError, Result};
use crate::oci::{self, Blob, INDEX_TYPE, MANIFEST_TYPE};
use crate::push::Client;

/// A processor that no host of a lab has.
const FOREIGN_ARCHITECTURE: &str = "s390x";
const ZSTD_LAYER_TYPE: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
/// The first bytes of data in Zstandard format (RFC 8878 §3.1.1).
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const LAYER_BYTES: usize = 10_240;

/// What is wrong with an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Variant {
    /// An index lists the image for another processor only.
    ForeignIndex,
    /// The image's configuration says that it is for another processor.
    ForeignConfig,
    /// The image does not say which program to start.
    NoCommand,
    /// The program to start is not in the image.
    MissingProgram,
    /// The only layer is compressed in a way that the Docker of a lab's host does not know.
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
        if variant == Variant::ForeignIndex {
            let index = oci::blob(&json!({
                "schemaVersion": 2,
                "mediaType": INDEX_TYPE,
                "manifests": [{
                    "mediaType": MANIFEST_TYPE,
                    "digest": self.digest(repository, from)?,
                    "size": original.len(),
                    "platform": {"os": "linux", "architecture": FOREIGN_ARCHITECTURE},
                }],
            }));
            self.put_manifest(repository, to, INDEX_TYPE, &index.bytes)?;
            return Ok(index.digest);
        }
        let mut manifest: Value = serde_json::from_slice(&original).map_err(unreadable)?;
        let digest = manifest["config"]["digest"].as_str().unwrap_or_default();
        let config = self.blob(repository, digest)?;
        let mut config: Value = serde_json::from_slice(&config).map_err(unreadable)?;
        match variant {
            Variant::ForeignIndex => {}
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

fn unknown_layer() -> Blob {
    let mut bytes = ZSTD_MAGIC.to_vec();
    bytes.resize(LAYER_BYTES, 0x55);
    oci::blob_of(bytes)
}
