//! Labelled places at which a test build ends the process, as a crash would.
//!
//! Without the feature `failpoints` they have no effect. With it, the variable
//! `OML_FAILPOINT` names a place. If `OML_FAILPOINT_MARKERS` names a folder, a marker
//! file in it makes the crash happen once, so that the restarted program continues;
//! without the variable it happens every time.

/// Ends the process if the environment names this place. A simulated program ends if its
/// simulation says so, and none of its tasks continues, as after a crash.
#[cfg_attr(
    not(any(feature = "failpoints", feature = "sim")),
    expect(unused_variables, reason = "only test builds have places to end at")
)]
pub fn reach(place: &str) {
    #[cfg(feature = "sim")]
    if simulated::ask(simulated::Question::Reached, place) {
        std::panic::resume_unwind(Box::new("the program was killed"));
    }
    #[cfg(feature = "failpoints")]
    if is_named(place) && disarm(place) {
        std::process::abort();
    }
}

/// Returns whether the program would end at this place.
#[must_use]
pub fn is_armed(place: &str) -> bool {
    #[cfg(feature = "sim")]
    if simulated::ask(simulated::Question::IsNext, place) {
        return true;
    }
    is_named(place)
}

/// Returns true if the program must act as an earlier release that lacks this ability, because
/// `OML_FAILPOINT` is `without-` and its name.
#[must_use]
pub fn is_without(ability: &str) -> bool {
    is_named(&format!("without-{ability}"))
}

#[cfg(not(feature = "failpoints"))]
fn is_named(_place: &str) -> bool {
    false
}

/// Returns whether the environment names this place and it was not reached before.
#[cfg(feature = "failpoints")]
#[expect(clippy::disallowed_methods, reason = "so that a test can choose the place in any program")]
fn is_named(place: &str) -> bool {
    let is_named = std::env::var("OML_FAILPOINT").is_ok_and(|named| named == place);
    is_named && !marker(place).is_some_and(|marker| marker.exists())
}

#[cfg(feature = "failpoints")]
#[expect(clippy::disallowed_methods, reason = "so that a test can choose the place in any program")]
fn marker(place: &str) -> Option<std::path::PathBuf> {
    let folder = std::env::var_os("OML_FAILPOINT_MARKERS")?;
    Some(std::path::Path::new(&folder).join(place))
}

/// Makes the marker. Returns whether the crash is still to happen, which is so only for the
/// first process that makes the marker.
#[cfg(feature = "failpoints")]
fn disarm(place: &str) -> bool {
    let Some(marker) = marker(place) else { return true };
    let has_folder = marker.parent().is_some_and(|folder| std::fs::create_dir_all(folder).is_ok());
    has_folder && std::fs::File::create_new(marker).is_ok()
}

pub use scope::{about, carry};
#[cfg(feature = "sim")]
pub use simulated::{Crashes, Question, simulate};

/// The crashes of simulated programs.
#[cfg(feature = "sim")]
mod simulated {
    use std::cell::RefCell;
    use std::sync::Arc;

    /// Decides whether a program ends at a place. Its arguments are the question, the
    /// place, and the object that the program is working on.
    pub type Crashes = Arc<dyn Fn(Question, &str, &str) -> bool + Send + Sync>;

    /// The question about a place.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Question {
        /// Would the program end there?
        IsNext,
        /// Does it end, now that it is there?
        Reached,
    }

    pub(super) fn ask(question: Question, place: &str) -> bool {
        let asked = SCOPE.try_with(|scope| (scope.crashes)(question, place, &scope.about.borrow()));
        // A program that is not simulated never ends here.
        asked.unwrap_or(false)
    }

    pub(super) struct Scope {
        pub(super) crashes: Crashes,
        pub(super) about: RefCell<String>,
    }

    tokio::task_local! {
        pub(super) static SCOPE: Scope;
    }

    /// Runs a program that ends at the places that `crashes` chooses.
    pub async fn simulate<F: Future>(crashes: Crashes, program: F) -> F::Output {
        SCOPE.scope(Scope { crashes, about: RefCell::default() }, program).await
    }
}

#[cfg(feature = "sim")]
mod scope {
    use std::cell::RefCell;

    use super::simulated::{SCOPE, Scope};

    /// Sets the object that the program is working on from here on.
    pub fn about(what: &str) {
        // Nothing reads it outside of a simulation.
        let _is_simulated =
            SCOPE.try_with(|scope| *scope.about.borrow_mut() = what.to_owned()).is_ok();
    }

    /// Keeps a part of the program in the simulation when it runs as a separate task.
    pub fn carry<F: Future>(what: &str, part: F) -> impl Future<Output = F::Output> + use<F> {
        let crashes = SCOPE.try_with(|scope| scope.crashes.clone()).ok();
        let about = RefCell::new(what.to_owned());
        async move {
            match crashes {
                Some(crashes) => SCOPE.scope(Scope { crashes, about }, part).await,
                None => part.await,
            }
        }
    }
}

#[cfg(not(feature = "sim"))]
mod scope {
    /// Sets the object that the program is working on from here on.
    pub fn about(_what: &str) {}

    /// Returns the part of the program unchanged, because nothing is simulated.
    pub fn carry<F: Future>(_what: &str, part: F) -> F {
        part
    }
}
