//! The folders in which the engine puts images.

use std::os::unix::fs::MetadataExt as _;
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
/// The folders in which containerd keeps what it pulls and what it unpacks, below its own.
const CONTAINERD_FOLDERS: [&str; 2] =
    ["io.containerd.content.v1.content", "io.containerd.snapshotter.v1.overlayfs"];

/// Returns true if the engine's images are in containerd's store, by the status of its storage
/// driver.
pub(super) fn is_containerd_store(driver_status: &[Vec<String>]) -> bool {
    let is_driver_type = |pair: &&Vec<String>| pair.first().is_some_and(|key| key == "driver-type");
    let driver = driver_status.iter().find(is_driver_type).and_then(|pair| pair.get(1));
    driver.is_some_and(|driver| driver.starts_with("io.containerd.snapshotter."))
}

/// Returns the folders of images and containers, and those below them that are on a disk of their own.
/// One of containerd that does not exist is left out: which of them is used cannot be asked.
pub(super) fn folders(info: &EngineInfo, containerd_config: &Path) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = info.root.iter().cloned().collect();
    let of_driver = info.root.iter().filter(|_| !info.driver.is_empty());
    folders.extend(of_driver.filter_map(|root| elsewhere(root, &info.driver)));
    if info.has_containerd_store {
        let own = info.root.as_ref().map(|root| root.join(OWN_CONTAINERD));
        let of_containerd = [Some(containerd_root(containerd_config)), own].into_iter().flatten();
        let (found, missing): (Vec<_>, Vec<_>) = of_containerd.partition(|folder| folder.is_dir());
        if found.is_empty() {
            warn!(?missing, "containerd's folder not found; its free space is not checked");
        }
        for folder in found {
            let below = CONTAINERD_FOLDERS.iter().filter_map(|name| elsewhere(&folder, name));
            folders.extend(below.collect::<Vec<_>>());
            folders.push(folder);
        }
    }
    folders
}

/// Returns a folder below that one if it is there and on another disk, by a mount or a link.
fn elsewhere(folder: &Path, name: &str) -> Option<PathBuf> {
    let below = folder.join(name);
    let disk = |path: &Path| std::fs::metadata(path).ok().map(|found| found.dev());
    let (own, of_folder) = (disk(&below)?, disk(folder)?);
    (own != of_folder).then_some(below)
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
        EngineInfo {
            log_driver: String::new(),
            driver: "overlay2".to_owned(),
            root: Some(root.to_owned()),
            has_containerd_store,
        }
    }

    #[test]
    fn a_folder_of_images_counts_beside_its_root_where_it_is_on_another_disk() {
        let dir = tempfile::tempdir().unwrap();
        let (root, other) = (dir.path().join("docker"), dir.path().join("containerd"));
        for folder in [root.join("overlay2"), other.join(CONTAINERD_FOLDERS[1])] {
            std::fs::create_dir_all(folder).unwrap();
        }
        let config = dir.path().join("config.toml");
        std::fs::write(&config, format!("root = {other:?}\n")).unwrap();
        assert_eq!(folders(&info(&root, true), &config), [root.clone(), other.clone()]);
        // What is below /proc is on a disk of its own.
        let content = other.join(CONTAINERD_FOLDERS[0]);
        std::os::unix::fs::symlink("/proc", &content).unwrap();
        std::fs::remove_dir(root.join("overlay2")).unwrap();
        std::os::unix::fs::symlink("/proc", root.join("overlay2")).unwrap();
        let expected = [root.clone(), root.join("overlay2"), content, other];
        assert_eq!(folders(&info(&root, true), &config), expected);
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
