//! Use cases: one file per family. They own all branching, talk to traits, and know neither tonic nor a backend.

pub mod accounts;
pub mod drops;
pub mod error;
pub mod orders;
pub mod requests;
pub mod sessions;

pub use error::{Error, Violation};

/// Short for what every use case returns.
pub type Result<T> = std::result::Result<T, Error>;
