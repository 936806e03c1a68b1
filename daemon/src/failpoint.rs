//! Labelled places at which a test build ends the process, as a crash would.
//!
//! Without the feature `failpoints` nothing here does anything. With it, the
//! variable `OML_FAILPOINT` names a place. Where `OML_FAILPOINT_MARKERS` names a
//! folder, a marker file in it makes the crash happen once, so that the
//! restarted program goes on; without one it happens every time.

/// Ends the process here if this is the place that was named.
#[cfg(not(feature = "failpoints"))]
pub fn reach(_place: &str) {}

/// Ends the process here if this is the place that was named.
#[cfg(feature = "failpoints")]
pub fn reach(place: &str) {
    if is_armed(place) && disarm(place) {
        std::process::abort();
    }
}

/// Whether this place was named and not reached before.
#[cfg(not(feature = "failpoints"))]
#[must_use]
pub fn is_armed(_place: &str) -> bool {
    false
}

/// Whether this place was named and not reached before.
#[cfg(feature = "failpoints")]
#[expect(clippy::disallowed_methods, reason = "so that any program of a test can be told")]
#[must_use]
pub fn is_armed(place: &str) -> bool {
    let is_named = std::env::var("OML_FAILPOINT").is_ok_and(|named| named == place);
    is_named && !marker(place).is_some_and(|marker| marker.exists())
}

#[cfg(feature = "failpoints")]
#[expect(clippy::disallowed_methods, reason = "so that any program of a test can be told")]
fn marker(place: &str) -> Option<std::path::PathBuf> {
    let folder = std::env::var_os("OML_FAILPOINT_MARKERS")?;
    Some(std::path::Path::new(&folder).join(place))
}

/// Whether the crash is still to happen: only the first to make the marker crashes.
#[cfg(feature = "failpoints")]
fn disarm(place: &str) -> bool {
    let Some(marker) = marker(place) else { return true };
    let has_folder = marker.parent().is_some_and(|folder| std::fs::create_dir_all(folder).is_ok());
    has_folder && std::fs::File::create_new(marker).is_ok()
}
