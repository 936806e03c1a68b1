//! Texts: reading YAML with places, telling mistakes and errors, plural forms.

pub mod error;
pub mod plural;
pub mod problem;
pub mod yaml;
