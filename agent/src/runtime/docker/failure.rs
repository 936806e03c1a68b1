//! Classifies errors of the engine: it does not answer, it refuses, or the object does
//! not exist.

use std::time::Duration;

use bollard::errors::Error;

use super::refusal::Refusal;
use crate::runtime::RuntimeError;

/// Turns an error of the client library into ours.
pub(super) fn of(verb: &'static str, object: &str, error: Error) -> RuntimeError {
    if let Error::DockerResponseServerError { status_code, message } = error {
        return refused(verb, object, status_code, message.trim());
    }
    if let Error::DockerStreamError { error } = error {
        return RuntimeError::Refused {
            verb,
            object: object.to_owned(),
            detail: error,
            transient: true,
        };
    }
    let unreadable = matches!(
        error,
        Error::JsonDataError { .. } | Error::JsonSerdeError { .. } | Error::StrParseError { .. }
    );
    if unreadable {
        return RuntimeError::Refused {
            verb,
            object: object.to_owned(),
            detail: format!("its answer could not be read: {error}"),
            transient: true,
        };
    }
    let detail = if matches!(error, Error::RequestTimeoutError) {
        format!("no answer in time to {verb} {object}")
    } else {
        format!("{verb} {object}: {}", deepest(&error))
    };
    RuntimeError::Unavailable { daemon: "docker", detail }
}

/// Turns an error of creating a container into ours. The engine answers 500 also where it will
/// answer so again, as for a log driver that it does not have. What it lacks for a while, such as
/// room on its disk or its connection to containerd, it may have again.
pub(super) fn of_create(object: &str, error: Error) -> RuntimeError {
    let is_lasting = if let Error::DockerResponseServerError { status_code: 500, message } = &error
    {
        let refusal = Refusal::of(None, message);
        refusal == Refusal::Other || !refusal.is_transient()
    } else {
        false
    };
    match of("create", object, error) {
        RuntimeError::Refused { verb, object, detail, transient } => {
            RuntimeError::Refused { verb, object, detail, transient: transient && !is_lasting }
        }
        other @ (RuntimeError::Unavailable { .. } | RuntimeError::Foreign(_)) => other,
    }
}

/// Runs a call for at most `limit`.
pub(super) async fn within<T>(
    limit: Duration,
    verb: &'static str,
    object: &str,
    call: impl Future<Output = Result<T, Error>>,
) -> Result<T, RuntimeError> {
    within_sorted(limit, call, |error| of(verb, object, error)).await
}

/// The same, where `sort` turns an error of the client library into ours.
pub(super) async fn within_sorted<T>(
    limit: Duration,
    call: impl Future<Output = Result<T, Error>>,
    sort: impl FnOnce(Error) -> RuntimeError,
) -> Result<T, RuntimeError> {
    let answer = tokio::time::timeout(limit, call).await;
    answer.unwrap_or(Err(Error::RequestTimeoutError)).map_err(sort)
}

/// Like [`within`]; none when the engine says that there is no such object.
pub(super) async fn within_if_there<T>(
    limit: Duration,
    verb: &'static str,
    object: &str,
    call: impl Future<Output = Result<T, Error>>,
) -> Result<Option<T>, RuntimeError> {
    match tokio::time::timeout(limit, call).await {
        Ok(Ok(answer)) => Ok(Some(answer)),
        Ok(Err(Error::DockerResponseServerError { status_code: 404, .. })) => Ok(None),
        Ok(Err(error)) => Err(of(verb, object, error)),
        Err(_) => Err(of(verb, object, Error::RequestTimeoutError)),
    }
}

fn refused(verb: &'static str, object: &str, status: u16, message: &str) -> RuntimeError {
    // 409: a name or a removal that is still going on; 429 and 5xx: an error of the daemon itself.
    let transient = matches!(status, 409 | 429) || status >= 500;
    RuntimeError::Refused { verb, object: object.to_owned(), detail: message.to_owned(), transient }
}

/// The cause at the bottom: the layers above only say that a call failed.
fn deepest(error: &Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
