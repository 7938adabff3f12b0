//! Load generator and measurements of Live Drop.

mod floor;
mod follow;
mod ledger;
mod rush;
mod watch;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures Live Drop, and checks while doing so that nothing is sold twice.
#[derive(Debug, Parser)]
#[command(name = "livedrop-bench", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Sends thousands of buyers at one drop, then recounts its ledger. Exit status 1 unless nothing was oversold, doubled or lost.
    Rush(rush::Options),
    /// What a call costs before it does anything: a bare tonic server under the same load.
    Floor(floor::Options),
    /// How many orders one drop's ledger takes a second, beside what people usually build on the same database.
    Ledger(ledger::Options),
    /// What pages and checks of follows cost at 100,000 followers, beside 100.
    Follow(follow::Options),
    /// How late a thousand watchers see a drop open. Exit status 1 unless each saw all that followed, in the ledger's order.
    Watch(watch::Options),
}

#[tokio::main]
async fn main() -> ExitCode {
    let command = Cli::parse().command;
    // Dropping the run kills the server it started, whichever branch wins.
    let result = tokio::select! {
        result = run(&command) => result,
        () = stopped() => Err(anyhow::anyhow!("stopped")),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: &Command) -> anyhow::Result<bool> {
    match command {
        Command::Rush(options) => rush::run(options).await,
        Command::Floor(options) => floor::run(options).await,
        Command::Ledger(options) => ledger::run(options).await,
        Command::Follow(options) => Box::pin(follow::run(options)).await,
        Command::Watch(options) => Box::pin(watch::run(options)).await,
    }
}

/// Ends when the process is asked to stop.
async fn stopped() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
