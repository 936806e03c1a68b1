//! The whole chain on real hosts.

fn main() {}
