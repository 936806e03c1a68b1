//! The login with which the image of an instance is pulled.

use serde::{Deserialize, Serialize};

use super::KeptSecret;

/// The login of a tenant to the registry of an image. Its password is a secret that the controller
/// keeps, and is part of no document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistryLogin {
    pub user: String,
    pub password: KeptSecret,
}
