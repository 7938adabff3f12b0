//! `livedrop`: the server and its tools. See `livedrop --help`.

fn main() {}
