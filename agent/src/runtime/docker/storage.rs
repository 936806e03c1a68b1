//! The folders in which the engine puts images.

use std::path::{Path, PathBuf};

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
        let text = files::read_if_there(containerd_config).ok().flatten().unwrap_or_default();
        let own = info.root.as_ref().map(|root| root.join(OWN_CONTAINERD));
        let of_containerd = [Some(containerd_root(&text)), own].into_iter().flatten();
        folders.extend(of_containerd.filter(|folder| folder.is_dir()));
    }
    folders
}

/// Reads the root folder from containerd's configuration, where it is a key of the top level.
fn containerd_root(config: &str) -> PathBuf {
    let top = config.lines().map(str::trim).take_while(|line| !line.starts_with('['));
    let mut named = top.filter_map(|line| {
        let (key, value) = line.split_once('=')?;
        let value = value.trim().trim_matches(['"', '\'']);
        (key.trim() == "root" && value.starts_with('/')).then(|| PathBuf::from(value))
    });
    named.next().unwrap_or_else(|| PathBuf::from(CONTAINERD_ROOT))
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
        for config in ["", "disabled_plugins = []", "[plugins]\nroot = \"/x\"", "root = \"\""] {
            assert_eq!(containerd_root(config), Path::new(CONTAINERD_ROOT), "{config}");
        }
        assert_eq!(containerd_root("root='/data/c'"), Path::new("/data/c"));
    }

    #[test]
    fn the_store_is_told_by_the_status_of_the_driver() {
        let status = |kind: &str| vec![vec!["driver-type".to_owned(), kind.to_owned()]];
        assert!(is_containerd_store(&status("io.containerd.snapshotter.v1")));
        assert!(!is_containerd_store(&status("overlay2")));
        let overlay = vec![vec!["Backing Filesystem".to_owned(), "extfs".to_owned()], Vec::new()];
        assert!(!is_containerd_store(&overlay));
    }
}
