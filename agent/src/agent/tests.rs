//! To be written with the fake runtime.
