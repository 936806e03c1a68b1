//! Packs folders into image layers and describes images in manifests. The same files always give the same bytes, so the
//! digests do not change from run to run. This module does not talk to a registry.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::cache::hex;
use crate::error::{LabError, Result};
use crate::run::Run;

/// The modification time of every file. It is fixed, because digests must not depend on the clock.
const TIME: &str = "2024-01-01T00:00:00Z";
const PACK_LIMIT: Duration = Duration::from_secs(300);
/// The files that package tools leave behind and that no container needs.
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
/// A shell script that packs and hashes in one pass. External programs do the work, because hashing gigabytes in an
/// unoptimised test build takes minutes.
const PACK: &str = "out=$1; shift; tar \"$@\" | tee \"$out\" | sha256sum";

pub(crate) const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX_TYPE: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG_TYPE: &str = "application/vnd.oci.image.config.v1+json";
const LAYER_TYPE: &str = "application/vnd.oci.image.layer.v1.tar";

/// An image layer on disk. It is not compressed, because on a single machine compression costs more time than it saves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layer {
    pub(crate) digest: String,
    pub(crate) size_bytes: u64,
    pub(crate) path: PathBuf,
}

/// A small blob in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Blob {
    pub(crate) digest: String,
    pub(crate) bytes: Vec<u8>,
}

/// The settings of an image that determine how its containers run.
#[derive(Debug, Clone, Default)]
pub(crate) struct ImageConfig<'a> {
    pub(crate) title: &'a str,
    pub(crate) version: &'a str,
    pub(crate) entrypoint: &'a [&'a str],
    /// The arguments of the entry point; none if it is empty.
    pub(crate) command: &'a [&'a str],
    /// The folder in which its programs start; the root folder if it is empty.
    pub(crate) working_dir: &'a str,
    /// The signal that stops it; SIGTERM if there is none.
    pub(crate) stop_signal: Option<&'a str>,
    pub(crate) env: &'a [&'a str],
    pub(crate) volumes: &'a [&'a str],
}

/// Packs the folder `tree` into `<folder>/layer.tar` and writes its digest to `<folder>/digest`.
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

/// Reads the layer that `pack` wrote to this folder.
pub(crate) fn packed(folder: &Path) -> Result<Layer> {
    let (path, digest) = (folder.join("layer.tar"), folder.join("digest"));
    let size_bytes = fs::metadata(&path).map_err(LabError::io("look at", &path))?.len();
    Ok(Layer {
        digest: fs::read_to_string(&digest).map_err(LabError::io("read", &digest))?,
        size_bytes,
        path,
    })
}

/// Builds the configuration blob of an image.
pub(crate) fn config(image: &ImageConfig<'_>, layers: &[Layer]) -> Blob {
    let volumes: serde_json::Map<String, Value> =
        image.volumes.iter().map(|path| ((*path).to_owned(), json!({}))).collect();
    let diff_ids: Vec<_> = layers.iter().map(|layer| &layer.digest).collect();
    let mut config = json!({
        "Entrypoint": image.entrypoint,
        "Env": image.env,
        "Volumes": volumes,
        "Labels": {
            "org.opencontainers.image.title": image.title,
            "org.opencontainers.image.version": image.version,
        },
        "StopSignal": image.stop_signal.unwrap_or("SIGTERM"),
    });
    if !image.command.is_empty() {
        config["Cmd"] = json!(image.command);
    }
    if !image.working_dir.is_empty() {
        config["WorkingDir"] = json!(image.working_dir);
    }
    blob(&json!({
        "architecture": architecture(),
        "os": "linux",
        "created": TIME,
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    }))
}

/// Builds the manifest of an image from its configuration and its layers.
pub(crate) fn manifest(config: &Blob, layers: &[Layer]) -> Blob {
    let layers: Vec<_> = layers
        .iter()
        .map(|layer| json!({"mediaType": LAYER_TYPE, "digest": layer.digest, "size": layer.size_bytes}))
        .collect();
    blob(&json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": {"mediaType": CONFIG_TYPE, "digest": config.digest, "size": config.bytes.len()},
        "layers": layers,
    }))
}

/// Returns the blob of a JSON document.
pub(crate) fn blob(value: &Value) -> Blob {
    blob_of(value.to_string().into_bytes())
}

/// Returns the blob of these bytes.
pub(crate) fn blob_of(bytes: Vec<u8>) -> Blob {
    Blob { digest: format!("sha256:{}", hex(&Sha256::digest(&bytes))), bytes }
}

/// Returns the processor architecture by the name that images use.
pub(crate) fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
mod tests;
