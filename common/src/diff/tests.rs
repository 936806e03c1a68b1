//! See the sibling file.
