//! (being written)

pub mod admin;
pub mod drop_list;
