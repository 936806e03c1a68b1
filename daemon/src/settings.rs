//! Reads a daemon's settings: its file, drop-ins over it, and the environment over both.
//!
//! What the settings are is each daemon's own matter. It names its [`Sources`],
//! gets what they say as one value, and checks that with [`SettingsError::value`]
//! for what is not possible.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use config::builder::DefaultState;
use config::{Config, ConfigBuilder, Environment, File};
use serde::de::DeserializeOwned;

/// Where a daemon's settings come from.
#[derive(Debug, Clone, Copy)]
pub struct Sources {
    /// The main file's name in the folder of settings; drop-ins are in `conf.d` beside it.
    pub file: &'static str,
    /// What the names of environment variables begin with, without the underscore behind it.
    pub prefix: &'static str,
    /// The settings that are lists; variables write them with commas.
    pub lists: &'static [&'static str],
}

/// Why there are no settings.
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
        /// What it should look like.
        expected: &'static str,
    },
    /// A file or folder cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
}

impl SettingsError {
    /// Says that the setting `key` cannot be `value`, and what it should look like.
    #[must_use]
    pub fn value(key: impl Into<String>, value: impl Into<String>, expected: &'static str) -> Self {
        Self::Value { key: key.into(), value: value.into(), expected }
    }
}

impl Sources {
    /// Reads the main file in `folder`, the drop-ins of `conf.d` in the order of
    /// their names, and the environment, each over the ones before. Neither file
    /// nor folder has to exist.
    ///
    /// # Errors
    /// The source that cannot be read or used.
    pub fn read<T: DeserializeOwned>(&self, folder: &Path) -> Result<T, SettingsError> {
        self.read_with(folder, None)
    }

    /// Reads as [`Sources::read`] does, with `variables` in the place of the process's own.
    fn read_with<T: DeserializeOwned>(
        &self,
        folder: &Path,
        variables: Option<HashMap<String, String>>,
    ) -> Result<T, SettingsError> {
        let mut builder = Config::builder();
        for path in self.files(folder)? {
            let place = path.display().to_string();
            let _valid: T = check(&place, Config::builder().add_source(File::from(path.clone())))?;
            builder = builder.add_source(File::from(path));
        }
        let environment = self.environment().source(variables);
        // The files were checked one by one, so what is wrong now is the environment.
        let place = format!("the environment ({}_…)", self.prefix);
        check(&place, builder.add_source(environment))
    }

    fn environment(&self) -> Environment {
        let environment =
            Environment::with_prefix(self.prefix).prefix_separator("_").separator("__");
        if self.lists.is_empty() {
            return environment;
        }
        // Lists are only taken apart where values are parsed.
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
