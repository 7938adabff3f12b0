//! Rust SDK of Live Drop.
