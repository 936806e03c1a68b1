//! Labelled places at which a test build ends the process, as a crash would.
//!
//! Without the feature `kill-points` nothing here does anything. With it, the
//! variable `OML_KILL` names a place, and a marker file makes it happen once,
//! so that the restarted controller goes on.

/// Ends the process here if this is the place that was named.
#[cfg(not(feature = "kill-points"))]
pub(crate) fn reach(_place: &str) {}

/// Ends the process here if this is the place that was named.
#[cfg(feature = "kill-points")]
pub(crate) fn reach(place: &str) {
    let is_named = std::env::var("OML_KILL").is_ok_and(|named| named == place);
    if is_named && disarm(place) {
        std::process::abort();
    }
}

/// Whether the place was not reached before.
#[cfg(feature = "kill-points")]
fn disarm(place: &str) -> bool {
    let folder = std::env::var("OML_KILL_MARKERS")
        .unwrap_or_else(|_unset| "/var/lib/omlcontroller/kill-points".into());
    let marker = std::path::Path::new(&folder).join(place);
    std::fs::create_dir_all(folder).is_ok() && std::fs::File::create_new(marker).is_ok()
}
