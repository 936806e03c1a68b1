//! The connection to the engine.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::Docker as Client;

use super::unfinished::Unfinished;
use super::{failure, login};
use crate::runtime::RuntimeError;

/// The engine behind a socket. Every call opens its own connection, so a
/// restarted engine needs no care.
#[derive(Debug, Clone)]
pub(super) struct Engine {
    socket: PathBuf,
    pub(super) unfinished: Unfinished,
}

impl Engine {
    /// The engine behind this socket; it may be away.
    pub(super) fn at(socket: &Path) -> Self {
        Self { socket: socket.to_owned(), unfinished: Unfinished::default() }
    }

    /// A client for one call. The version in a request's path is left out by
    /// the client library, so the engine answers in its own.
    pub(super) fn client(&self, limit: Duration) -> Result<Client, RuntimeError> {
        let socket = self.socket.to_string_lossy();
        let client = Client::connect_with_unix(
            &socket,
            limit.as_secs().max(1),
            bollard::API_DEFAULT_VERSION,
        )
        .map_err(|error| failure::of("reach", "the engine", error))?;
        Ok(client.with_request_modifier(login::as_url_safe))
    }
}
