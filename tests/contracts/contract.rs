//! The contracts of the images of one catalog, which are data in this folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use oml_common::document::catalog::{Catalog, CatalogSources};
use serde::Deserialize;

/// The contracts of the images of one catalog.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Line {
    /// The file, or the folder, in the folder of catalogs.
    pub(crate) catalog: String,
    /// The tenant whose values are looked at.
    pub(crate) tenant: Tenant,
    pub(crate) contracts: Vec<Contract>,
}

/// A tenant with everything on one host.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tenant {
    pub(crate) roles: Vec<String>,
    pub(crate) settings: BTreeMap<String, String>,
    /// The components that it leaves out.
    #[serde(default)]
    pub(crate) without: Vec<String>,
}

/// What an image promises and expects.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Contract {
    /// The repository, with its registry.
    pub(crate) image: String,
    /// The components that run this program of the image; all of them if it has one program.
    #[serde(default)]
    pub(crate) components: Vec<String>,
    #[serde(default)]
    pub(crate) source: Vec<String>,
    #[serde(default)]
    pub(crate) reads: Reads,
    /// Whether the image starts something that serves if it gets no command.
    #[serde(default)]
    pub(crate) has_command: Option<bool>,
    /// The places where it wants a volume or a file.
    #[serde(default)]
    pub(crate) mounts: Vec<String>,
    /// The places where it refuses a volume.
    #[serde(default)]
    pub(crate) no_mounts: Vec<String>,
    /// Where it reads the certificate of the tenant.
    #[serde(default)]
    pub(crate) certificate: Option<CertificateFiles>,
    /// The ports that no variable moves.
    #[serde(default)]
    pub(crate) ports: Vec<String>,
    /// The programs in it that operations may run.
    #[serde(default)]
    pub(crate) programs: Vec<String>,
    /// Where and with what words it refuses to start. Nothing compares it; people read it.
    #[serde(default)]
    #[expect(dead_code, reason = "people read it")]
    pub(crate) refuses: Option<String>,
    /// Nothing is known about the image, so nothing is compared.
    #[serde(default)]
    pub(crate) unknown: bool,
    /// Why nothing is known.
    #[serde(default)]
    pub(crate) because: Option<String>,
}

/// The files of a certificate in a container.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CertificateFiles {
    /// The certificate with those that signed it.
    pub(crate) chain: String,
    pub(crate) key: String,
}

impl CertificateFiles {
    /// The secrets of the certificate, each with its file.
    pub(crate) fn secrets(&self) -> [(&'static str, &str); 2] {
        [("tls_certificate", &self.chain), ("tls_key", &self.key)]
    }
}

/// The environment variables of an image.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reads {
    /// It does not start, or does not work, without them.
    #[serde(default)]
    pub(crate) required: Vec<String>,
    #[serde(default)]
    pub(crate) optional: Vec<String>,
    /// The deploy tool gives them to the image; whether it reads them is not public.
    #[serde(default)]
    pub(crate) given: Vec<String>,
    /// The command of the catalog reads them.
    #[serde(default)]
    pub(crate) command: Vec<String>,
}

impl Reads {
    /// Whether somebody in the container looks at the variable.
    pub(crate) fn declares(&self, key: &str) -> bool {
        let all = [&self.required, &self.optional, &self.given, &self.command];
        all.into_iter().flatten().any(|declared| declared == key)
    }
}

impl Line {
    /// Reads the contracts of a catalog.
    pub(crate) fn parse(text: &str) -> Self {
        serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}:\n{text}"))
    }

    /// Reads the catalog itself, with everything that it includes.
    pub(crate) fn read(&self) -> Catalog {
        let folder = folder().join("../../catalog");
        let mut sources = CatalogSources::new(&self.catalog);
        loop {
            let missing = sources.missing();
            if missing.is_empty() {
                break;
            }
            for path in missing {
                let text = fs::read_to_string(folder.join(&path));
                sources.put(&path, text.map_err(|error| error.to_string()));
            }
        }
        sources.catalog().unwrap_or_else(|problems| panic!("{}: {problems}", self.catalog))
    }
}

/// The folder of the contracts.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("contracts")
}

/// Reads the contracts of all catalogs.
pub(crate) fn lines() -> Vec<Line> {
    let entries = fs::read_dir(folder()).expect("the folder is there");
    let paths = entries.map(|entry| entry.expect("it can be read").path());
    let mut paths: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|it| it == "yaml")).collect();
    paths.sort();
    let read = |path: &PathBuf| fs::read_to_string(path).expect("it can be read");
    paths.iter().map(read).map(|text| Line::parse(&text)).collect()
}
