//! The agent: makes one host match its assignment.

fn main() {}
