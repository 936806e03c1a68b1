//! Placeholder of the program while its parts are built.

fn main() {}
