//! The Live Drop server. Modules in reading order: what the product is about first, how it meets the world last.

pub mod domain;
pub mod env;

pub mod ledger;
pub mod store;

pub mod events;

pub mod auth;
pub mod media;
pub mod payments;
pub mod projectors;
pub mod search;
pub mod service;

pub mod jobs;
pub mod rpc;
pub mod web;

pub mod app;
pub mod cli;
pub mod config;
pub mod telemetry;
