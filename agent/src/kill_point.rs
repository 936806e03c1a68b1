//! Labelled places at which a test build ends the process, as a crash would.
//!
//! Without the feature `kill-points` nothing here does anything. With it, the
//! variable `OML_KILL` names a place, and a marker file makes it happen once,
//! so that the restarted agent goes on.

/// Ends the process here if this is the place that was named.
#[cfg(not(feature = "kill-points"))]
pub(crate) fn reach(_place: &str) {}

/// Ends the process here if this is the place that was named.
#[cfg(feature = "kill-points")]
pub(crate) fn reach(place: &str) {
    if is_armed(place) && disarm(place) {
        std::process::abort();
    }
}

/// Whether this place was named and not reached before.
#[cfg(not(feature = "kill-points"))]
pub(crate) fn is_armed(_place: &str) -> bool {
    false
}

/// Whether this place was named and not reached before.
#[cfg(feature = "kill-points")]
pub(crate) fn is_armed(place: &str) -> bool {
    std::env::var("OML_KILL").is_ok_and(|named| named == place) && !marker(place).exists()
}

#[cfg(feature = "kill-points")]
fn marker(place: &str) -> std::path::PathBuf {
    let folder = std::env::var("OML_KILL_MARKERS").unwrap_or_else(|_| "/run/omlagent/kill".into());
    std::path::Path::new(&folder).join(place)
}

#[cfg(feature = "kill-points")]
fn disarm(place: &str) -> bool {
    let marker = marker(place);
    let made = marker.parent().is_some_and(|folder| std::fs::create_dir_all(folder).is_ok());
    made && std::fs::File::create_new(marker).is_ok()
}
