//! The binary in a process of its own.

use std::{
    process::{Output, Stdio},
    time::Duration,
};

use livedrop::{Client, v1};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    net::TcpStream,
    process::{Child, ChildStdout, Command},
    time::timeout,
};

use super::{home::Home, sign_up_request};

/// Ends are promised within 5 s (`dev`).
pub(crate) const PROMPTLY: Duration = Duration::from_secs(5);
/// Starts take well below a second, but many may start at once.
const STARTS_WITHIN: Duration = Duration::from_secs(30);
/// A tool is at its end long before, but machines are slow when all tests run, and databases when they make tables.
const TOOLS_WITHIN: Duration = Duration::from_secs(120);

pub(crate) fn livedrop(args: &[&str]) -> Command {
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
pub(crate) async fn finish(mut command: Command) -> (i32, String, String) {
    told(
        timeout(TOOLS_WITHIN, command.output())
            .await
            .unwrap()
            .unwrap(),
    )
}

/// Runs to a good end: standard output.
pub(crate) async fn done(command: Command) -> String {
    let what = format!("{:?}", command.as_std());
    let (code, out, err) = finish(command).await;
    assert_eq!(code, 0, "{what}: {out}{err}");
    out
}

pub(crate) fn told(output: Output) -> (i32, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap_or(-1),
        text(output.stdout),
        text(output.stderr),
    )
}

/// A refusal in one line on standard error.
pub(crate) async fn refused(command: Command, status: i32, parts: &[&str]) {
    let what = format!("{:?}", command.as_std());
    let (code, out, err) = finish(command).await;
    assert_eq!((code, out.as_str()), (status, ""), "{what}: {err}");
    assert_eq!(err.lines().count(), 1, "{what}: {err}");
    for part in parts {
        assert!(err.contains(part), "{what}: {part:?} is not in {err}");
    }
}

/// A server in a process of its own.
pub(crate) struct Process {
    pub(crate) child: Child,
    pub(crate) out: Lines<BufReader<ChildStdout>>,
    pub(crate) endpoint: String,
}

impl Process {
    /// `dev --empty` on a free port.
    pub(crate) async fn dev(home: &Home) -> Self {
        Self::start(home.tool(&["dev", "--empty", "--listen", "127.0.0.1:0"])).await
    }

    /// The same on files.
    pub(crate) async fn dev_on(data: &str) -> Self {
        let flags = ["dev", "--empty", "--listen", "127.0.0.1:0", "--data", data];
        Self::start(livedrop(&flags)).await
    }

    /// Waits for the line with the address.
    pub(crate) async fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
        while let Some(line) = timeout(STARTS_WITHIN, out.next_line())
            .await
            .unwrap()
            .unwrap()
        {
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
    pub(crate) async fn end(mut self, signal: &str) -> (i32, String, String) {
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

    pub(crate) fn client(&self) -> Client {
        Client::builder(&self.endpoint).build().unwrap()
    }

    /// Somebody new, signed in, and how to sign in again.
    pub(crate) async fn signed_up(&self) -> (Client, v1::SignUpRequest) {
        let (client, request) = (self.client(), sign_up_request());
        client.sign_up(request.clone()).await.unwrap();
        (client, request)
    }

    pub(crate) async fn sign_in(&self, request: &v1::SignUpRequest) -> Client {
        let client = self.client();
        let request = v1::SignInRequest {
            email: request.email.clone(),
            password: request.password.clone(),
        };
        client.sign_in(request).await.unwrap();
        client
    }

    /// Answer to a plain GET.
    pub(crate) async fn get(&self, path: &str) -> String {
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
