//! Text in and out: YAML with positions, problems and errors as messages, plural forms, foreign
//! text made safe.

pub mod error;
pub mod plural;
pub mod printable;
pub mod problem;
pub mod secret;
pub mod secret_text;
pub mod yaml;
