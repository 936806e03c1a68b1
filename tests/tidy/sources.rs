//! Reads the workspace's own Rust files.

use std::fs;
use std::path::{Path, PathBuf};

/// A Rust file of the workspace.
pub(crate) struct Source {
    /// The path relative to the workspace's root.
    pub(crate) path: String,
    pub(crate) text: String,
}

const FOLDERS: [&str; 10] = [
    "proto",
    "common",
    "daemon",
    "controller",
    "agent",
    "omlctl",
    "sim",
    "tests",
    "packaging",
    "catalog",
];

/// Returns the workspace's root folder.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("the crate is a folder of the workspace").to_path_buf()
}

/// Returns every Rust file, sorted by path.
pub(crate) fn all() -> Vec<Source> {
    let root = root();
    let mut sources = Vec::new();
    for folder in FOLDERS {
        collect(&root, &root.join(folder), &mut sources);
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(sources.len() > 50, "only {} files were found below {}", sources.len(), root.display());
    sources
}

/// The documents and scripts beside the sources, and the folders and endings of more of them.
const DOCUMENTS: [&str; 3] = ["README.md", "ARCHITECTURE.md", ".ci/run"];
const DOCUMENT_FOLDERS: [(&str, &str); 3] =
    [("docs", "md"), ("tests/scenarios", "txt"), ("proto/oml/v1", "proto")];

/// Returns the path and the text of every document and script.
pub(crate) fn documents() -> Vec<(String, String)> {
    let root = root();
    let mut paths: Vec<PathBuf> = DOCUMENTS.iter().map(PathBuf::from).collect();
    for (folder, ending) in DOCUMENT_FOLDERS {
        let entries = fs::read_dir(root.join(folder)).expect("the folder is there").flatten();
        let paths_here = entries.map(|entry| Path::new(folder).join(entry.file_name()));
        paths.extend(paths_here.filter(|path| path.extension().is_some_and(|it| it == ending)));
    }
    paths.sort();
    let read = |path: &PathBuf| {
        let text = fs::read_to_string(root.join(path)).expect("a document is UTF-8");
        (path.to_string_lossy().into_owned(), text)
    };
    paths.iter().map(read).collect()
}

fn collect(root: &Path, folder: &Path, sources: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).expect("the folder is there").flatten() {
        let path = entry.path();
        if path.is_dir() && entry.file_name() != "target" {
            collect(root, &path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a source file is UTF-8");
            let path = path
                .strip_prefix(root)
                .expect("it was found below the root")
                .to_string_lossy()
                .into_owned();
            sources.push(Source { path, text });
        }
    }
}

impl Source {
    /// Returns whether the whole file is test code, which may be as long as it needs to be.
    pub(crate) fn is_test(&self) -> bool {
        let folder = |name: &str| self.path.split('/').any(|part| part == name);
        self.path.ends_with("/tests.rs")
            || self.path.ends_with("/testing.rs")
            || self.path.ends_with("/contract.rs")
            || (folder("tests")
                && !self.path.starts_with("tests/src")
                && !self.path.starts_with("tests/lab/src"))
    }

    /// Returns the text without the inline test module at its end.
    pub(crate) fn production(&self) -> &str {
        self.text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(&self.text)
    }

    pub(crate) fn syntax(&self) -> syn::File {
        syn::parse_file(&self.text).unwrap_or_else(|error| panic!("{}: {error}", self.path))
    }
}
