//! What every host is like while nobody does anything to it.

use crate::facts::OurFiles;

/// What every component must run, and our files about it.
#[derive(Debug, Clone)]
pub(crate) struct Desired {
    /// The id of the image of every component; empty if it has none.
    pub(crate) images: Vec<String>,
    /// The settings that the container of every component is made with.
    pub(crate) settings: Vec<String>,
    pub(crate) files: Vec<OurFiles>,
}
