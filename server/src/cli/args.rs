//! Flags and subcommands.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::domain::{DropId, OrderId};

/// Live Drop: sells limited drops to everyone at once, and nothing twice.
#[derive(Debug, Parser)]
#[command(
    name = "livedrop",
    version,
    after_help = "\
Examples:
  livedrop dev                              a server to play with, with demo content
  livedrop config --data DIR > livedrop.toml
                                            settings of a real server, to change
  livedrop serve --config livedrop.toml     a real server
  livedrop ledger verify --all --data DIR   check every ledger of a store
  livedrop order show DROP ORDER --data DIR
                                            an order and its payments"
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Start a server for development, with demo content and generous limits. Needs no flags.
    Dev(DevArgs),
    /// Start a server for real buyers, with strict limits.
    Serve(ServeArgs),
    /// Print the settings as TOML: what each means, and where it came from.
    Config(ConfigArgs),
    /// Read and check ledgers, of a running server or a stopped one.
    #[command(after_help = "\
Examples:
  livedrop ledger show DROP --data DIR
  livedrop ledger verify DROP --data DIR")]
    Ledger {
        #[command(subcommand)]
        command: LedgerCommand,
    },
    /// Look at orders and settle payments by hand, with a running server or a stopped one.
    #[command(after_help = "\
Examples:
  livedrop order show DROP ORDER --data DIR
  livedrop order settle DROP ORDER --attempt 1 --failed --note TEXT --data DIR")]
    Order {
        #[command(subcommand)]
        command: OrderCommand,
    },
    /// Make the keyspace and its tables in the database, or bring them up to date. Repeating it is harmless.
    Migrate(MigrateArgs),
    /// Make all derived rows anew from drops and ledgers, as after a restore. All servers must be stopped.
    Rebuild(RebuildArgs),
    /// Copy the data directory of an embedded store, while its server runs or not, so that a server can be started on the copy.
    ///
    /// The copy has the store as of one moment, the token keys, and the test provider's books. Not in it: the settings, certificates, and a
    /// key file that lies elsewhere. Who reads it can sign in as anyone: directory and files are for their owner only.
    Backup(BackupArgs),
    /// Write the truth into a file, to be moved to another store. All servers must be stopped.
    ///
    /// The truth is all that nothing else can be made of, from either backend: accounts and sessions, drops, ledgers, payments, the audit
    /// log. Not in it: the token keys, and the test provider's books. The file holds password hashes and the secrets of ledgers: mode 0600.
    Export(ExportArgs),
    /// Put the truth from a file into an empty store. All servers must be stopped.
    ///
    /// Every row is read again and compared with the file; then all derived rows are made, as `livedrop rebuild` does. One that was cut off
    /// is run again with the same file and goes on; no server starts on the store before its end. Nothing that is there is overwritten.
    Import(ImportArgs),
}

#[derive(Debug, Subcommand)]
pub(super) enum OrderCommand {
    /// Show an order: where it stands, its attempts to pay, what was done to it by hand.
    Show(ShowOrderArgs),
    /// Say in the provider's place what became of an attempt to pay that never resolves. Look at the provider first.
    Settle(SettleArgs),
}

#[derive(Debug, Subcommand)]
pub(super) enum LedgerCommand {
    /// Show the records of a drop's ledger, newest last.
    Show(ShowArgs),
    /// Walk a ledger's chain, recount it, and say what is wrong where. Exit status 1 if anything is.
    Verify(VerifyArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  livedrop dev                            everything in a temporary directory, gone at the end
  livedrop dev --data ./data              keeps its data
  livedrop dev --listen 127.0.0.1:0 --empty
                                          for scripts: a free port, one line with the address, nothing in it")]
pub(super) struct DevArgs {
    /// Have no demo buyers buy: nothing moves by itself.
    #[arg(long)]
    pub(super) quiet: bool,
    /// Make no demo world at all, and print one line only: `listening on http://…`.
    #[arg(long, conflicts_with = "quiet")]
    pub(super) empty: bool,
    #[command(flatten)]
    pub(super) settings: Settings,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  livedrop serve --config livedrop.toml
  livedrop serve --data /var/lib/livedrop --listen 0.0.0.0:7400
  LIVEDROP_SERVER__LISTEN=0.0.0.0:80 livedrop serve --config livedrop.toml
                                          a variable for each key of `livedrop config`; flags win over variables, variables over the file")]
pub(super) struct ServeArgs {
    #[command(flatten)]
    pub(super) settings: Settings,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  livedrop config                                 all keys with their meaning and defaults
  livedrop config --config livedrop.toml          what `serve` would use, and where each value came from
  livedrop config --data ./data > livedrop.toml   a file to start from: `livedrop serve --config livedrop.toml`")]
pub(super) struct ConfigArgs {
    /// Print the settings as TOML, without secrets; that is what happens anyway.
    #[arg(long)]
    print: bool,
    /// Begin with the defaults of `dev`, not of `serve`.
    #[arg(long)]
    pub(super) dev: bool,
    #[command(flatten)]
    pub(super) settings: Settings,
}

/// Flags that set something; each is also a key of the file.
#[derive(Debug, Default, Args)]
pub(super) struct Settings {
    /// Settings in TOML.
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Where data is kept.
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    /// Address of the public port; port 0 takes a free one.
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Address of `/metrics`.
    #[arg(long, value_name = "ADDR")]
    metrics_listen: Option<String>,
}

impl Settings {
    /// As the configuration takes them: flag, key, text.
    pub(super) fn flags(&self) -> Vec<(&'static str, &'static str, String)> {
        let given = [
            ("--data", "store.data", &self.data),
            ("--listen", "server.listen", &self.listen),
            (
                "--metrics-listen",
                "server.metrics_listen",
                &self.metrics_listen,
            ),
        ];
        given
            .into_iter()
            .filter_map(|(flag, key, text)| Some((flag, key, text.clone()?)))
            .collect()
    }
}

/// Where the store is.
#[derive(Debug, Args)]
pub(super) struct StoreArgs {
    /// Settings in TOML, which say where the data is.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data directory of an embedded store.
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
}

impl StoreArgs {
    /// The settings that count.
    pub(super) fn settings(&self) -> Settings {
        Settings {
            config: self.config.clone(),
            data: self.data.clone(),
            ..Settings::default()
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  livedrop ledger show 0199aa00-0000-7000-8000-000000000001 --data ./data
  livedrop ledger show 0199aa00-0000-7000-8000-000000000001 --data ./data --limit 3 --entries")]
pub(super) struct ShowArgs {
    /// The drop's id.
    pub(super) drop: DropId,
    #[command(flatten)]
    pub(super) store: StoreArgs,
    /// The newest so many records.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(super) limit: u32,
    /// Each entry too, with buyers and orders.
    #[arg(long)]
    pub(super) entries: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  livedrop ledger verify 0199aa00-0000-7000-8000-000000000001 --data ./data
  livedrop ledger verify --all --data ./data
  livedrop ledger verify --all --config livedrop.toml   also on a database, beside running servers")]
pub(super) struct VerifyArgs {
    /// The drop's id.
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    pub(super) drop: Option<DropId>,
    /// Every drop of the store.
    #[arg(long)]
    pub(super) all: bool,
    #[command(flatten)]
    pub(super) store: StoreArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  livedrop order show DROP ORDER --data ./data")]
pub(super) struct ShowOrderArgs {
    /// The drop's id.
    pub(super) drop: DropId,
    /// The order's id.
    pub(super) order: OrderId,
    #[command(flatten)]
    pub(super) store: StoreArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  livedrop order settle DROP ORDER --attempt 1 --captured --note ticket-4711 --data ./data
  livedrop order settle DROP ORDER --attempt 1 --failed --note provider-closed --data ./data
  livedrop order settle DROP ORDER --attempt 2 --refunded --note paid-back-by-transfer --data ./data")]
pub(super) struct SettleArgs {
    /// The drop's id.
    pub(super) drop: DropId,
    /// The order's id.
    pub(super) order: OrderId,
    /// Which attempt to pay, from 1.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    pub(super) attempt: i32,
    #[command(flatten)]
    pub(super) outcome: OutcomeArgs,
    /// Why, for the audit log: one line, at most 500 characters.
    #[arg(long, value_name = "TEXT")]
    pub(super) note: String,
    #[command(flatten)]
    pub(super) store: StoreArgs,
}

/// What became of the money.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct OutcomeArgs {
    /// The provider took the money: the order is paid, or refunded if that came too late.
    #[arg(long)]
    pub(super) captured: bool,
    /// The provider took nothing, and never will: the units come back when the hold has run out.
    #[arg(long)]
    pub(super) failed: bool,
    /// The money of a refund is back.
    #[arg(long)]
    pub(super) refunded: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  livedrop migrate --config livedrop.toml --print   what would be done
  livedrop migrate --config livedrop.toml           does it; before the servers of a new version start
  livedrop migrate --config livedrop.toml --wait 60
                                                    for start-up: waits up to a minute for the database and its nodes
  livedrop migrate --config livedrop.toml --replace-keys
                                                    after all processes were given another key file")]
pub(super) struct MigrateArgs {
    /// Settings in TOML, which say where the database is.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Only say what would be done, with its statements.
    #[arg(long)]
    pub(super) print: bool,
    /// Wait so many seconds for a database that is starting, and for as many nodes as there are copies.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_value_t = 0, default_missing_value = "300")]
    pub(super) wait: u64,
    /// Record the settings' key file in place of the one that was recorded before.
    #[arg(long)]
    pub(super) replace_keys: bool,
}

impl MigrateArgs {
    /// The settings that count.
    pub(super) fn settings(&self) -> Settings {
        Settings {
            config: self.config.clone(),
            ..Settings::default()
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  livedrop rebuild --data ./data
  livedrop rebuild --config livedrop.toml")]
pub(super) struct RebuildArgs {
    #[command(flatten)]
    pub(super) store: StoreArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  livedrop backup --data /var/lib/livedrop --to /backup/livedrop-2026-11-21
  livedrop backup --config livedrop.toml --to /backup/livedrop-2026-11-21
  livedrop serve --config livedrop.toml --data /backup/livedrop-2026-11-21
                                          a server on the copy: never while the other one runs")]
pub(super) struct BackupArgs {
    /// A directory that is not there yet. Nothing is overwritten.
    #[arg(long, value_name = "DIR")]
    pub(super) to: PathBuf,
    #[command(flatten)]
    pub(super) store: StoreArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  livedrop export --data /var/lib/livedrop --to livedrop.jsonl
  livedrop export --config livedrop.toml --to livedrop.jsonl")]
pub(super) struct ExportArgs {
    /// A file that is not there yet. Nothing is overwritten.
    #[arg(long, value_name = "FILE")]
    pub(super) to: PathBuf,
    #[command(flatten)]
    pub(super) store: StoreArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  livedrop import --from livedrop.jsonl --data ./new
  livedrop migrate --config cql.toml
  livedrop import --from livedrop.jsonl --config cql.toml
                                          into a keyspace that is empty")]
pub(super) struct ImportArgs {
    /// What `livedrop export` has written.
    #[arg(long, value_name = "FILE")]
    pub(super) from: PathBuf,
    #[command(flatten)]
    pub(super) store: StoreArgs,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    const DROP: &str = "0199aa00-0000-7000-8000-000000000001";

    fn parse(args: &[&str]) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(std::iter::once(&"livedrop").chain(args))
    }

    fn settle<'a>(rest: &[&'a str]) -> Vec<&'a str> {
        let head = ["order", "settle", DROP, DROP, "--data", "d"];
        head.into_iter().chain(rest.iter().copied()).collect()
    }

    #[test]
    fn flags_become_settings() {
        let cli = parse(&["dev", "--quiet", "--data", "d", "--listen", "127.0.0.1:0"]).unwrap();
        let Command::Dev(args) = cli.command else {
            panic!("not dev")
        };
        assert!(args.quiet);
        let expected = [
            ("--data", "store.data", "d".to_owned()),
            ("--listen", "server.listen", "127.0.0.1:0".to_owned()),
        ];
        assert_eq!(args.settings.flags(), expected);
    }

    #[test]
    fn wrong_use_is_refused_with_status_2() {
        let cases: [&[&str]; 22] = [
            &[],
            &["devel"],
            &["dev", "extra"],
            &["dev", "--quiet", "--empty"],
            &["config", "extra"],
            &["serve", "--quiet"],
            &["ledger", "show", "--data", "d"],
            &["ledger", "show", "not-an-id", "--data", "d"],
            &["ledger", "show", DROP, "--data", "d", "--limit", "0"],
            &["ledger", "verify", "--data", "d"],
            &["ledger", "verify", DROP, "--all", "--data", "d"],
            &["order", "show", DROP, "--data", "d"],
            &settle(&["--attempt", "1", "--note", "n"]),
            &settle(&["--attempt", "1", "--failed"]),
            &settle(&["--attempt", "0", "--failed", "--note", "n"]),
            &settle(&["--failed", "--note", "n"]),
            &settle(&["--attempt", "1", "--failed", "--captured", "--note", "n"]),
            &["rebuild", "extra"],
            &["backup", "--data", "d"],
            &["export", "--data", "d"],
            &["export", "--from", "f"],
            &["import", "--to", "f"],
        ];
        for args in cases {
            assert_eq!(parse(args).unwrap_err().exit_code(), 2, "{args:?}");
        }
        assert!(parse(&["ledger", "verify", "--all", "--data", "d"]).is_ok());
        assert!(parse(&["ledger", "verify", DROP, "--data", "d"]).is_ok());
        assert!(parse(&settle(&["--attempt", "5", "--refunded", "--note", "n"])).is_ok());
        let cli = parse(&["rebuild", "--data", "d"]).unwrap();
        let Command::Rebuild(args) = cli.command else {
            panic!("not rebuild")
        };
        let data = ("--data", "store.data", "d".to_owned());
        assert_eq!(args.store.settings().flags(), [data]);
    }

    /// Every subcommand has examples, and each example can be parsed.
    #[test]
    fn examples_are_there_and_right() {
        fn walk(command: &clap::Command, found: &mut Vec<String>) {
            let help = command.clone().render_long_help().to_string();
            let (_, examples) = help
                .split_once("Examples:\n")
                .unwrap_or_else(|| panic!("{}: no examples", command.get_name()));
            let lines = examples
                .lines()
                .map(str::trim)
                .filter(|line| line.contains("livedrop ") && !line.contains('`'));
            found.extend(lines.map(ToOwned::to_owned));
            for inner in command
                .get_subcommands()
                .filter(|inner| inner.get_name() != "help")
            {
                walk(inner, found);
            }
        }
        let mut examples = Vec::new();
        let mut command = Cli::command();
        command.build();
        walk(&command, &mut examples);
        assert!(examples.len() >= 14, "{examples:?}");
        for example in examples {
            let words = example
                .split("   ")
                .next()
                .unwrap()
                .split(" > ")
                .next()
                .unwrap();
            let words = words.replace(" DROP", &format!(" {DROP}"));
            let words = words.replace(" ORDER", &format!(" {DROP}"));
            let args: Vec<_> = words
                .split(' ')
                .skip_while(|word| *word != "livedrop")
                .collect();
            assert!(Cli::try_parse_from(&args).is_ok(), "{args:?}");
        }
    }
}
