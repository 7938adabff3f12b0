//! The binary as people and supervisors meet it: what it prints, how it ends, what it refuses and with which exit status.

mod operators;
mod settings;

use std::{
    path::Path,
    process::{Output, Stdio},
    time::Duration,
};

use livedrop::{Client, v1};
use livedrop_server::{app::admin::SOCKET_NAME, store::embedded::FILE_NAME};
use redb::{Database, ReadableTable as _, TableDefinition};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    net::TcpStream,
    process::{Child, ChildStdout, Command},
    time::timeout,
};

/// Ends are promised within 5 s (`dev`); starts take well below that.
const PROMPTLY: Duration = Duration::from_secs(5);

fn livedrop(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_livedrop"));
    // Settings of whoever runs the tests don't count.
    command
        .args(args)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Runs to the end: (exit status, standard output, standard error).
async fn run(args: &[&str]) -> (i32, String, String) {
    told(
        timeout(PROMPTLY, livedrop(args).output())
            .await
            .unwrap()
            .unwrap(),
    )
}

fn told(output: Output) -> (i32, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap_or(-1),
        text(output.stdout),
        text(output.stderr),
    )
}

/// A refusal in one line on standard error.
async fn refused(args: &[&str], status: i32, parts: &[&str]) {
    let (code, out, err) = run(args).await;
    assert_eq!((code, out.as_str()), (status, ""), "{args:?}: {err}");
    assert_eq!(err.lines().count(), 1, "{args:?}: {err}");
    for part in parts {
        assert!(err.contains(part), "{args:?}: {part:?} is not in {err}");
    }
}

/// A server in a process of its own.
struct Process {
    child: Child,
    out: Lines<BufReader<ChildStdout>>,
    endpoint: String,
}

impl Process {
    /// `dev --quiet` on a free port.
    async fn dev(data: &Path) -> Self {
        let data = data.to_str().unwrap();
        Self::start(livedrop(&[
            "dev",
            "--quiet",
            "--listen",
            "127.0.0.1:0",
            "--data",
            data,
        ]))
        .await
    }

    /// Waits for the line with the address.
    async fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
        while let Some(line) = timeout(PROMPTLY, out.next_line()).await.unwrap().unwrap() {
            if let Some(endpoint) = line
                .split_whitespace()
                .find(|word| word.starts_with("http://"))
            {
                return Self {
                    child,
                    out,
                    endpoint: endpoint.trim_end_matches(',').to_owned(),
                };
            }
        }
        panic!(
            "no start: {:?}",
            told(child.wait_with_output().await.unwrap())
        );
    }

    async fn signal(&self, name: &str) {
        let pid = self.child.id().unwrap();
        let kill = Command::new("sh")
            .args(["-c", &format!("kill -{name} {pid}")])
            .status()
            .await
            .unwrap();
        assert!(kill.success());
    }

    /// Signals and waits: (exit status, further standard output, standard error).
    async fn end(mut self, signal: &str) -> (i32, String, String) {
        self.signal(signal).await;
        let output = timeout(PROMPTLY, self.child.wait_with_output())
            .await
            .expect("ends in time")
            .unwrap();
        let (code, _, err) = told(output);
        let mut rest = String::new();
        while let Some(line) = self.out.next_line().await.unwrap() {
            rest += &line;
        }
        (code, rest, err)
    }

    fn client(&self) -> Client {
        Client::builder(&self.endpoint).build().unwrap()
    }

    /// Answer to a plain GET.
    async fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.endpoint.strip_prefix("http://").unwrap())
            .await
            .unwrap();
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        timeout(PROMPTLY, stream.read_to_string(&mut answer))
            .await
            .unwrap()
            .unwrap();
        answer
    }
}

#[tokio::test]
async fn dev_starts_answers_and_ends_at_either_signal() {
    for signal in ["INT", "TERM"] {
        let temporary = tempfile::tempdir().unwrap();
        let mut command = livedrop(&["dev", "--quiet", "--listen", "127.0.0.1:0"]);
        command.env("TMPDIR", temporary.path());
        let server = Process::start(command).await;
        assert!(
            server.get("/healthz").await.starts_with("HTTP/1.1 200"),
            "{signal}"
        );
        assert!(server.get("/readyz").await.ends_with("ready"), "{signal}");
        assert_eq!(
            std::fs::read_dir(temporary.path()).unwrap().count(),
            1,
            "data is in a temporary directory"
        );
        // A connection that stays open must not hold the end up.
        let client = server.client();
        let absent = v1::GetDropRequest {
            drop_id: crate::harness::request_id(),
        };
        assert!(client.get_drop(absent).await.is_err());

        let (code, out, err) = server.end(signal).await;
        assert_eq!((code, out.as_str(), err.as_str()), (0, "", ""), "{signal}");
        assert_eq!(
            std::fs::read_dir(temporary.path()).unwrap().count(),
            0,
            "gone with the server"
        );
        drop(client);
    }
}

#[tokio::test]
async fn dev_makes_demo_content_that_works_at_every_start() {
    let dir = tempfile::tempdir().unwrap();
    let mut known = Vec::new();
    for start in 1..=2 {
        let data = dir.path().to_str().unwrap();
        let mut server = Process::start(livedrop(&[
            "dev",
            "--listen",
            "127.0.0.1:0",
            "--data",
            data,
        ]))
        .await;
        let mut text = String::new();
        while let Some(line) = timeout(PROMPTLY, server.out.next_line())
            .await
            .unwrap()
            .unwrap()
        {
            text += &format!("{line}\n");
            if line.starts_with("Ctrl-C") {
                break;
            }
        }
        for login in text.lines().filter(|line| line.contains("@demo.example")) {
            let words: Vec<_> = login.split_whitespace().collect();
            let request = v1::SignInRequest {
                email: words[1].into(),
                password: words[3].into(),
            };
            server.client().sign_in(request).await.unwrap();
        }
        let drops: Vec<_> = text
            .lines()
            .filter(|line| line.contains("open now") || line.contains("opens in 30 s"))
            .collect();
        assert_eq!(drops.len(), 2, "{text}");
        for (line, state) in drops
            .iter()
            .zip([v1::DropState::Live, v1::DropState::Scheduled])
        {
            let drop_id = line.split_whitespace().next().unwrap().to_owned();
            assert!(!known.contains(&drop_id), "start {start} makes new ones");
            known.push(drop_id.clone());
            let found = server
                .client()
                .get_drop(v1::GetDropRequest { drop_id })
                .await
                .unwrap()
                .drop
                .unwrap();
            assert_eq!(found.state(), state);
        }
        for command in [
            "npx --yes @bufbuild/buf",
            "cargo run --release -p livedrop --example buy",
            "cargo run --release -p livedrop-bench -- rush",
        ] {
            let line = text
                .lines()
                .find(|line| line.contains(command))
                .unwrap_or_else(|| panic!("{command}: {text}"));
            assert!(line.contains(&server.endpoint), "{line}");
        }
        let verify = text
            .lines()
            .find_map(|line| line.trim().strip_prefix("cargo run --release -- "))
            .unwrap_or_else(|| panic!("no command to verify: {text}"));
        let (code, out, err) = run(&verify.split(' ').collect::<Vec<_>>()).await;
        assert_eq!((code, err.as_str()), (0, ""), "{verify}");
        assert!(out.contains("checked, 0 wrong"), "{out}");
        assert_eq!(server.end("INT").await.0, 0);
    }
}

#[tokio::test]
async fn serve_says_when_it_is_ready_logs_json_and_ends_at_a_signal() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("livedrop.toml");
    std::fs::write(
        &file,
        "[server]\nlisten = \"127.0.0.1:1\"\nmetrics_listen = \"127.0.0.1:0\"\n",
    )
    .unwrap();
    let mut command = livedrop(&[
        "serve",
        "--config",
        file.to_str().unwrap(),
        "--listen",
        "127.0.0.1:0",
    ]);
    command.env("LIVEDROP_STORE__DATA", dir.path().join("data"));
    let server = Process::start(command).await;
    assert!(server.get("/readyz").await.ends_with("ready"));
    let (code, out, err) = server.end("TERM").await;
    assert_eq!((code, out.as_str()), (0, ""));
    assert!(!err.is_empty());
    for line in err.lines() {
        assert!(
            line.starts_with('{') && line.contains("\"level\":"),
            "{line}"
        );
    }
}

#[tokio::test]
async fn what_can_t_start_says_why_in_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let dev = |data: &str| {
        ["dev", "--quiet", "--listen", "127.0.0.1:0", "--data", data].map(str::to_owned)
    };
    let server = Process::dev(&dir.path().join("used")).await;
    let refused_dev = async |data: &str, parts: &[&str]| {
        let args = dev(data);
        refused(&args.each_ref().map(String::as_str), 1, parts).await;
    };

    refused_dev(
        &path("used"),
        &["in use by another livedrop process", &path("used")],
    )
    .await;
    let taken = server.endpoint.strip_prefix("http://").unwrap();
    refused(
        &["dev", "--quiet", "--listen", taken],
        1,
        &["can't listen on", "--listen"],
    )
    .await;
    assert_eq!(server.end("TERM").await.0, 0);

    std::fs::write(path("file"), "").unwrap();
    refused_dev(
        &path("file/data"),
        &["can't use the data directory", "--data"],
    )
    .await;

    let newer = dir.path().join("used");
    set_format(&newer, 1_000);
    refused_dev(&path("used"), &["newer version"]).await;
    set_format(&newer, 1);

    let keys = newer.join("keys.toml");
    std::fs::set_permissions(&keys, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    refused_dev(&path("used"), &["chmod 600"]).await;
    std::fs::set_permissions(&keys, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    std::fs::write(&keys, "version = 1\nsigning_key = \"hunter2\"\n").unwrap();
    refused_dev(&path("used"), &["keys.toml is malformed"]).await;
}

#[tokio::test]
async fn ledgers_are_shown_and_verified_with_and_without_a_server() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().to_str().unwrap();
    let server = Process::dev(dir.path()).await;
    let drop_id = sell_one(&server).await;
    let all = ["ledger", "verify", "--all", "--data", data];
    let verify = ["ledger", "verify", &drop_id, "--data", data];
    let show = ["ledger", "show", &drop_id, "--data", data, "--entries"];

    let running = (run(&show).await, run(&verify).await, run(&all).await);
    let (code, table, err) = &running.0;
    assert_eq!((*code, err.as_str()), (0, ""));
    for part in ["TermsFrozen 1", "Held 1, Sold 1", "; by PlaceOrder of "] {
        assert!(table.contains(part), "{part} is not in {table}");
    }
    assert!(
        running.1.1.contains("ok: ") && running.1.1.contains("sold 1;"),
        "{}",
        running.1.1
    );
    assert!(
        running.2.1.contains("1 ledger checked, 0 wrong"),
        "{}",
        running.2.1
    );
    refused(
        &[
            "ledger",
            "show",
            &crate::harness::request_id(),
            "--data",
            data,
        ],
        1,
        &["has no ledger"],
    )
    .await;

    // A killed server leaves its socket; neither tools nor the next server mind.
    assert_eq!(server.end("KILL").await.0, -1);
    assert!(dir.path().join(SOCKET_NAME).exists());
    assert_eq!(
        (run(&show).await, run(&verify).await, run(&all).await),
        running
    );
    let server = Process::dev(dir.path()).await;
    assert_eq!(run(&verify).await, running.1);
    assert_eq!(server.end("TERM").await.0, 0);
    assert!(!dir.path().join(SOCKET_NAME).exists());

    for place in [0.1, 0.5, 1.0] {
        change_last_record(dir.path(), place);
        let (code, out, err) = run(&verify).await;
        assert_eq!(code, 1, "{out}");
        assert!(out.contains(&format!("{drop_id} WRONG: ")), "{out}");
        assert!(err.contains("wrong ledgers: 1 of 1"), "{err}");
        assert_eq!(run(&all).await.0, 1);
        change_last_record(dir.path(), place);
    }
    assert_eq!(run(&verify).await, running.1, "as before");
    refused(
        &["ledger", "verify", "--all", "--data", "/no/such"],
        2,
        &["no store in /no/such"],
    )
    .await;
}

/// A free unit, sold; the drop's id.
async fn sell_one(server: &Process) -> String {
    let client = server.client();
    client
        .sign_up(crate::harness::sign_up_request())
        .await
        .unwrap();
    client
        .become_creator(crate::harness::profile_request())
        .await
        .unwrap();
    let drop = crate::harness::open_drop(&client, &[(0, 5)]).await;
    crate::harness::place(&client, &drop, &[(0, 1)])
        .await
        .unwrap();
    drop.drop_id
}

const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
const LEDGER: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("drop_ledger");

fn set_format(dir: &Path, format: u64) {
    let database = Database::open(dir.join(FILE_NAME)).unwrap();
    let transaction = database.begin_write().unwrap();
    assert!(
        transaction
            .open_table(META)
            .unwrap()
            .insert("format", format)
            .unwrap()
            .is_some()
    );
    transaction.commit().unwrap();
}

/// Flips a bit of the newest record: 0.0 is its first byte, 1.0 its last. Twice is as before.
fn change_last_record(dir: &Path, place: f64) {
    let database = Database::open(dir.join(FILE_NAME)).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let mut table = transaction.open_table(LEDGER).unwrap();
        let (key, mut row) = {
            let (key, row) = table.last().unwrap().unwrap();
            (key.value().to_vec(), row.value().to_vec())
        };
        let at = ((row.len() - 1) as f64 * place) as usize;
        row[at] ^= 1;
        table.insert(&key[..], &row[..]).unwrap();
    }
    transaction.commit().unwrap();
}
