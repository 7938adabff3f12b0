//! `livedrop`: the server and its tools. See `livedrop --help`.

use std::process::ExitCode;

use clap::Parser as _;
use livedrop_server::cli::{self, Cli};

/// Many small, short-lived allocations on all threads: measurably faster than the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Right for settings and flags, as in clap.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    // Wrong flags end here, with clap's message and status 2.
    let cli = Cli::parse();
    let Err(error) = run(cli) else {
        return ExitCode::SUCCESS;
    };
    let is_usage = error
        .downcast_ref::<cli::Error>()
        .is_some_and(cli::Error::is_usage);
    eprintln!("livedrop: {error:#}");
    ExitCode::from(if is_usage { USAGE } else { 1 })
}

fn run(cli: Cli) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(cli::run(cli));
    // Blocking work that has outlived the shutdown's bound must not hold the process.
    runtime.shutdown_background();
    Ok(outcome?)
}
