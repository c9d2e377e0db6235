//! `cargo xtask`: set-up, demo, tests and builds.

fn main() {}
