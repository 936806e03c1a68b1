//! Packs folders into image layers and images into manifests. The same files give the same bytes, so digests stay the same
//! from run to run; nothing here talks to a registry.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::cache::hex;
use crate::error::{LabError, Result};
use crate::run::Run;

/// Every file's time: digests must not depend on the clock.
const TIME: &str = "2024-01-01T00:00:00Z";
const PACK_LIMIT: Duration = Duration::from_secs(300);
/// What package tools leave behind and no container needs.
const EXCLUDED: [&str; 8] = [
    "./var/cache/apt/*",
    "./var/cache/ldconfig/*",
    "./var/lib/apt/lists/*",
    "./var/log/*",
    "./usr/share/doc/*",
    "./usr/share/man/*",
    "./usr/share/locale/*",
    "./usr/sbin/policy-rc.d",
];
/// Packs and hashes in one go. The programs do it: hashing gigabytes in an unoptimised test build takes minutes.
const PACK: &str = "out=$1; shift; tar \"$@\" | tee \"$out\" | sha256sum";

pub(crate) const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG_TYPE: &str = "application/vnd.oci.image.config.v1+json";
const LAYER_TYPE: &str = "application/vnd.oci.image.layer.v1.tar";

/// A layer on disk, not compressed: on one machine packing would cost more than it saves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layer {
    pub(crate) digest: String,
    pub(crate) size_bytes: u64,
    pub(crate) path: PathBuf,
}

/// A small blob in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Document {
    pub(crate) digest: String,
    pub(crate) bytes: Vec<u8>,
}

/// What an image says about how it runs.
#[derive(Debug, Clone)]
pub(crate) struct ImageConfig<'a> {
    pub(crate) title: &'a str,
    pub(crate) version: &'a str,
    pub(crate) entrypoint: &'a [&'a str],
    pub(crate) env: &'a [&'a str],
    pub(crate) volumes: &'a [&'a str],
}

/// Packs a folder into `<folder>/layer.tar`; the digest is kept beside it.
pub(crate) fn pack(tree: &Path, folder: &Path) -> Result<Layer> {
    let out = folder.join("layer.tar");
    let excluded = EXCLUDED.iter().map(|pattern| format!("--exclude={pattern}"));
    let sums = Run::new("bash")
        .args(["-o", "pipefail", "-c", PACK, "pack"])
        .args([&out])
        .args(["--directory".as_ref(), tree.as_os_str()])
        .args(["--create", "--format=gnu", "--sort=name", "--numeric-owner"])
        .args([format!("--mtime={TIME}")])
        .args(excluded)
        .args(["."])
        .limit(PACK_LIMIT)
        .ok()?
        .stdout;
    let digest = sums.split(' ').next().unwrap_or_default();
    let file = folder.join("digest");
    fs::write(&file, format!("sha256:{digest}")).map_err(LabError::io("write", &file))?;
    packed(folder)
}

/// The layer that `pack` left in this folder.
pub(crate) fn packed(folder: &Path) -> Result<Layer> {
    let (path, digest) = (folder.join("layer.tar"), folder.join("digest"));
    let size_bytes = fs::metadata(&path).map_err(LabError::io("look at", &path))?.len();
    Ok(Layer {
        digest: fs::read_to_string(&digest).map_err(LabError::io("read", &digest))?,
        size_bytes,
        path,
    })
}

/// The image's configuration.
pub(crate) fn config(image: &ImageConfig<'_>, layers: &[Layer]) -> Document {
    let volumes: serde_json::Map<String, Value> =
        image.volumes.iter().map(|path| ((*path).to_owned(), json!({}))).collect();
    let diff_ids: Vec<_> = layers.iter().map(|layer| &layer.digest).collect();
    document(&json!({
        "architecture": architecture(),
        "os": "linux",
        "created": TIME,
        "config": {
            "Entrypoint": image.entrypoint,
            "Env": image.env,
            "Volumes": volumes,
            "Labels": {
                "org.opencontainers.image.title": image.title,
                "org.opencontainers.image.version": image.version,
            },
            "StopSignal": "SIGTERM",
        },
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    }))
}

/// The manifest that ties a configuration and its layers together.
pub(crate) fn manifest(config: &Document, layers: &[Layer]) -> Document {
    let layers: Vec<_> = layers
        .iter()
        .map(|layer| json!({"mediaType": LAYER_TYPE, "digest": layer.digest, "size": layer.size_bytes}))
        .collect();
    document(&json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": {"mediaType": CONFIG_TYPE, "digest": config.digest, "size": config.bytes.len()},
        "layers": layers,
    }))
}

fn document(value: &Value) -> Document {
    let bytes = value.to_string().into_bytes();
    Document { digest: format!("sha256:{}", hex(&Sha256::digest(&bytes))), bytes }
}

/// The processor's name as images write it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
mod tests;
