//! The client against a server whose answers are written down beforehand.

mod refresh;
mod retry;
mod scripted;
