//! The folders in which the engine puts images.

use std::path::{Path, PathBuf};

use oml_common::text::error::chain;
use serde::Deserialize;
use tracing::warn;

use super::calls::EngineInfo;
use crate::files;

/// The folder of a containerd whose configuration names none.
const CONTAINERD_ROOT: &str = "/var/lib/containerd";
/// The folder, below the engine's own, of a containerd that the engine started itself.
const OWN_CONTAINERD: &str = "containerd/daemon";

/// Returns true if the engine's images are in containerd's store, by the status of its storage
/// driver.
pub(super) fn is_containerd_store(driver_status: &[Vec<String>]) -> bool {
    let is_driver_type = |pair: &&Vec<String>| pair.first().is_some_and(|key| key == "driver-type");
    let driver = driver_status.iter().find(is_driver_type).and_then(|pair| pair.get(1));
    driver.is_some_and(|driver| driver.starts_with("io.containerd.snapshotter."))
}

/// Returns the folders of images and containers. One of containerd that does not exist is left
/// out: which of them is used cannot be asked.
pub(super) fn folders(info: &EngineInfo, containerd_config: &Path) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = info.root.iter().cloned().collect();
    if info.has_containerd_store {
        let own = info.root.as_ref().map(|root| root.join(OWN_CONTAINERD));
        let of_containerd = [Some(containerd_root(containerd_config)), own].into_iter().flatten();
        let (found, missing): (Vec<_>, Vec<_>) = of_containerd.partition(|folder| folder.is_dir());
        if found.is_empty() {
            warn!(?missing, "containerd's folder not found; its free space is not checked");
        }
        folders.extend(found);
    }
    folders
}

/// The part of containerd's configuration that is read here.
#[derive(Debug, Default, Deserialize)]
struct ContainerdConfig {
    #[serde(default)]
    root: PathBuf,
}

/// Reads the root folder from containerd's configuration. One that names none, or none that
/// exists, leaves the usual one.
fn containerd_root(config: &Path) -> PathBuf {
    let usual = PathBuf::from(CONTAINERD_ROOT);
    let path = config.display();
    let text = match files::read_if_there(config) {
        Ok(text) => text.unwrap_or_default(),
        Err(error) => {
            warn!(%path, error = chain(&error), "cannot read containerd's configuration");
            return usual;
        }
    };
    let read: ContainerdConfig = toml::from_str(&text).unwrap_or_else(|error| {
        let error = error.message().to_owned();
        warn!(%path, error, "cannot read containerd's configuration");
        ContainerdConfig::default()
    });
    let named = Some(read.root).filter(|root| root.is_absolute());
    match named {
        Some(root) if root.is_dir() => root,
        Some(root) => {
            warn!(%path, root = %root.display(), "the root of containerd does not exist");
            usual
        }
        None => usual,
    }
}

#[cfg(test)]
mod tests {
    //! Engines with images in one or in two places.

    use super::*;

    fn info(root: &Path, has_containerd_store: bool) -> EngineInfo {
        EngineInfo { log_driver: String::new(), root: Some(root.to_owned()), has_containerd_store }
    }

    #[test]
    fn the_folder_of_containerd_counts_where_the_images_are_in_its_store() {
        let dir = tempfile::tempdir().unwrap();
        let (root, other) = (dir.path().join("docker"), dir.path().join("containerd"));
        std::fs::create_dir_all(&other).unwrap();
        let config = dir.path().join("config.toml");
        let text = format!("version = 2\nroot = {other:?}\n[plugins]\nroot = \"/wrong\"\n");
        std::fs::write(&config, text).unwrap();
        assert_eq!(folders(&info(&root, false), &config), std::slice::from_ref(&root));
        assert_eq!(folders(&info(&root, true), &config), [root.clone(), other.clone()]);
        let own = root.join(OWN_CONTAINERD);
        std::fs::create_dir_all(&own).unwrap();
        assert_eq!(folders(&info(&root, true), &config), [root, other, own]);
    }

    #[test]
    fn the_root_of_containerd_is_a_key_of_its_top_level() {
        let dir = tempfile::tempdir().unwrap();
        let (config, root) = (dir.path().join("config.toml"), dir.path().join("big # disk"));
        std::fs::create_dir_all(&root).unwrap();
        let root_of = |text: &str| {
            std::fs::write(&config, text).unwrap();
            containerd_root(&config)
        };
        for text in [
            "",
            "disabled_plugins = []",
            "[plugins]\nroot = \"/x\"",
            "root = \"\"",
            "root = \"relative\"",
            "root = /not/quoted",
            "root = \"/no/such/folder\"",
        ] {
            assert_eq!(root_of(text), Path::new(CONTAINERD_ROOT), "{text}");
        }
        for text in [
            format!("root='{}'", root.display()),
            format!("root = {root:?} # big disk"),
            format!(
                "version = 3\nimports = [\n\"/x\",\n]\n\"root\" = {root:?}\n[grpc]\naddress = \"/y\""
            ),
        ] {
            assert_eq!(root_of(&text), root, "{text}");
        }
        std::fs::remove_file(&config).unwrap();
        assert_eq!(containerd_root(&config), Path::new(CONTAINERD_ROOT));
    }

    #[test]
    fn the_store_is_recognized_by_the_status_of_the_driver() {
        let status = |kind: &str| vec![vec!["driver-type".to_owned(), kind.to_owned()]];
        assert!(is_containerd_store(&status("io.containerd.snapshotter.v1")));
        assert!(!is_containerd_store(&status("overlay2")));
        let overlay = vec![vec!["Backing Filesystem".to_owned(), "extfs".to_owned()], Vec::new()];
        assert!(!is_containerd_store(&overlay));
    }
}
