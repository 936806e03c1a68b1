//! Text in and out: YAML with positions, problems and errors as messages, plural forms.

pub mod error;
pub mod plural;
pub mod problem;
pub mod yaml;
