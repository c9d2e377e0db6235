//! The `gateway` command: arguments, and one module per subcommand.

fn main() {}
