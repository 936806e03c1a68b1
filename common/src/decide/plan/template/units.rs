//! The filters of templates that write a size or a duration in the unit of a program.

use minijinja::{Environment, Error, ErrorKind};

use crate::document::catalog::size_bytes;
use crate::time::parse_duration_ms;

/// Adds the filters `bytes`, `mebibytes`, `milliseconds` and `seconds`. What is not a whole number
/// of a unit is an error.
pub(super) fn add(engine: &mut Environment<'static>) {
    engine.add_filter("bytes", |text: String| size(&text, "B", 1));
    engine.add_filter("mebibytes", |text: String| size(&text, "MiB", 1 << 20));
    engine.add_filter("milliseconds", |text: String| duration(&text, "ms", 1));
    engine.add_filter("seconds", |text: String| duration(&text, "s", 1000));
}

fn size(text: &str, unit: &str, factor: u64) -> Result<u64, Error> {
    let bytes = size_bytes(text).ok_or_else(|| {
        Error::new(ErrorKind::InvalidOperation, format!("{text:?} is not a size such as 512MiB"))
    })?;
    whole(text, bytes, unit, factor)
}

fn duration(text: &str, unit: &str, factor: u64) -> Result<u64, Error> {
    let ms = parse_duration_ms(text)
        .map_err(|error| Error::new(ErrorKind::InvalidOperation, format!("{text:?}: {error}")))?;
    whole(text, ms, unit, factor)
}

fn whole(text: &str, number: u64, unit: &str, factor: u64) -> Result<u64, Error> {
    if number.is_multiple_of(factor) {
        return Ok(number / factor);
    }
    let message = format!("{text} is not a whole number of {unit}");
    Err(Error::new(ErrorKind::InvalidOperation, message))
}
