//! Reads the fields of a request, and reports all that are wrong at once.

use std::fmt::Display;
use std::str::FromStr;

use oml_common::text::problem::{Problem, Problems};
use tonic::Status;

use crate::ops::OpsError;
use crate::wire;

/// The mistakes in the fields of one request, as far as they were read.
#[derive(Debug, Default)]
pub(super) struct RequestFields {
    problems: Problems,
}

impl RequestFields {
    /// Reads a field. Returns `None` if it is wrong.
    pub(super) fn read<T>(&mut self, name: &str, text: &str) -> Option<T>
    where
        T: FromStr,
        T::Err: Display,
    {
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                let error: T::Err = error;
                self.problems.push(Problem::new(name, error.to_string()));
                None
            }
        }
    }

    /// Reads a field that may be empty. Returns `None` if it is wrong.
    pub(super) fn read_optional<T>(&mut self, name: &str, text: &str) -> Option<Option<T>>
    where
        T: FromStr,
        T::Err: Display,
    {
        if text.is_empty() { Some(None) } else { self.read(name, text).map(Some) }
    }

    /// Adds another mistake.
    pub(super) fn push(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// Returns what was read of all fields.
    ///
    /// # Errors
    /// Returns all mistakes, of which there is one if a field is not there.
    pub(super) fn finish<T>(self, value: Option<T>) -> Result<T, Status> {
        match value {
            Some(value) if self.problems.0.is_empty() => Ok(value),
            Some(_) | None => Err(wire::status_of(&OpsError::Problems(self.problems.sorted()))),
        }
    }
}

/// Parses one field of a request.
pub(super) fn field<T>(name: &str, text: &str) -> Result<T, Status>
where
    T: FromStr,
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error: T::Err| refusal(Problem::new(name, error.to_string())))
}

/// Makes the reply to a request of one mistake.
pub(super) fn refusal(problem: Problem) -> Status {
    wire::status_of(&OpsError::Problems(Problems::from(problem)))
}

/// Parses one field of a request that may be empty.
pub(super) fn optional<T>(name: &str, text: &str) -> Result<Option<T>, Status>
where
    T: FromStr,
    T::Err: std::fmt::Display,
{
    if text.is_empty() { Ok(None) } else { field(name, text).map(Some) }
}
