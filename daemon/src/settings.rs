//! Reads a daemon's settings: its file, drop-ins over it, and the environment over both.
//!
//! Each daemon defines its own settings. It names its [`Sources`], gets their content as
//! one value, and reports impossible values with [`SettingsError::value`].

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use config::builder::DefaultState;
use config::{Config, ConfigBuilder, Environment, File};
use oml_common::text::problem::Problems;
use serde::de::DeserializeOwned;

use crate::regular_file;

/// The sources of a daemon's settings.
#[derive(Debug, Clone, Copy)]
pub struct Sources {
    /// The name of the main file in the folder of settings; drop-ins are in `conf.d`
    /// beside it.
    pub file: &'static str,
    /// The prefix of environment variables, without the underscore after it.
    pub prefix: &'static str,
    /// The settings that are lists; variables separate their items with commas.
    pub lists: &'static [&'static str],
}

/// The error of settings that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A source cannot be parsed or names a setting that does not exist.
    #[error("cannot use the settings of {place}")]
    Source {
        /// The file, or the environment.
        place: String,
        source: Box<config::ConfigError>,
    },
    /// A value is not possible.
    #[error("{key}: {value:?} is not {expected}")]
    Value {
        key: String,
        value: String,
        /// The expected form of the value.
        expected: &'static str,
    },
    /// A file or folder cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        source: io::Error,
    },
    /// Values are not possible, each with its place.
    #[error(transparent)]
    Problems(#[from] Problems),
}

impl SettingsError {
    /// Makes the error of a setting `key` that cannot be `value`, with the expected form.
    #[must_use]
    pub fn value(key: impl Into<String>, value: impl Into<String>, expected: &'static str) -> Self {
        Self::Value { key: key.into(), value: value.into(), expected }
    }
}

impl Sources {
    /// Reads the main file in `folder`, the drop-ins of `conf.d` in the order of their
    /// names, and the environment. Each source overrides the ones before it. Neither the
    /// file nor the folder has to exist.
    ///
    /// # Errors
    /// Returns an error for the source that cannot be read or used.
    pub fn read<T: DeserializeOwned>(&self, folder: &Path) -> Result<T, SettingsError> {
        self.read_with(folder, None)
    }

    /// Does the same as [`Sources::read`], with `variables` instead of those of the
    /// process.
    fn read_with<T: DeserializeOwned>(
        &self,
        folder: &Path,
        variables: Option<HashMap<String, String>>,
    ) -> Result<T, SettingsError> {
        let mut builder = Config::builder();
        for path in self.files(folder)? {
            // The loader would wait for the writer of a pipe.
            regular_file::open(&path)
                .map_err(|source| SettingsError::Read { path: path.clone(), source })?;
            let place = path.display().to_string();
            let _valid: T = check(&place, Config::builder().add_source(File::from(path.clone())))?;
            builder = builder.add_source(File::from(path));
        }
        let environment = self.environment().source(variables);
        // The files were checked one by one, so only the environment can be wrong now.
        let place = format!("the environment ({}_…)", self.prefix);
        check(&place, builder.add_source(environment))
    }

    fn environment(&self) -> Environment {
        let environment =
            Environment::with_prefix(self.prefix).prefix_separator("_").separator("__");
        if self.lists.is_empty() {
            return environment;
        }
        // Lists are only split if values are parsed.
        let environment = environment.list_separator(",").try_parsing(true);
        self.lists.iter().fold(environment, |all, key| all.with_list_parse_key(key))
    }

    fn files(&self, folder: &Path) -> Result<Vec<PathBuf>, SettingsError> {
        let main = Some(folder.join(self.file)).filter(|path| path.exists());
        let drop_ins = folder.join("conf.d");
        let listed: io::Result<Vec<PathBuf>> = match drop_ins.read_dir() {
            Ok(entries) => entries.map(|entry| entry.map(|entry| entry.path())).collect(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        };
        let mut listed = listed.map_err(|source| SettingsError::Read { path: drop_ins, source })?;
        listed.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
        listed.sort();
        Ok(main.into_iter().chain(listed).collect())
    }
}

fn check<T: DeserializeOwned>(
    place: &str,
    builder: ConfigBuilder<DefaultState>,
) -> Result<T, SettingsError> {
    let read = builder.build().and_then(Config::try_deserialize);
    read.map_err(|source| SettingsError::Source {
        place: place.to_owned(),
        source: Box::new(source),
    })
}

#[cfg(test)]
mod tests;
