//! grpc-web by hand, over HTTP/1.1: what a browser sends, and what it should not.

use std::time::Duration;

use http::{HeaderMap, HeaderName};
use prost::Message;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    time::timeout,
};
use tonic::Status;

use crate::harness::Server;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A flag and a message, as in a body.
pub(super) fn frame(flag: u8, message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[flag][..], &length, message].concat()
}

/// A connection, as a browser keeps it open.
pub(super) struct Connection(BufReader<TcpStream>);

impl Connection {
    pub(super) async fn open(server: &Server) -> Self {
        let address = server.endpoint().replace("http://", "");
        Self(BufReader::new(TcpStream::connect(address).await.unwrap()))
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).await.unwrap();
    }

    /// The lines of a request up to its body, of so many bytes.
    pub(super) async fn ask(&mut self, request: &str, headers: &[&str], body: usize) {
        let mut head = format!("{request} HTTP/1.1\r\nhost: x\r\ncontent-length: {body}\r\n");
        for line in headers {
            head += &format!("{line}\r\n");
        }
        self.write(format!("{head}\r\n").as_bytes()).await;
    }

    /// Sends a call with whatever body; `path` is `Service/Method`.
    pub(super) async fn send(&mut self, path: &str, headers: &[&str], body: &[u8]) -> Answer {
        let web = [
            "content-type: application/grpc-web+proto",
            "x-grpc-web: 1",
            "origin: https://shop.example",
        ];
        let request = format!("POST /livedrop.v1.{path}");
        self.ask(&request, &[&web, headers].concat(), body.len())
            .await;
        self.write(body).await;
        self.answer().await
    }

    /// Sends a call as it should be.
    pub(super) async fn call(
        &mut self,
        path: &str,
        headers: &[&str],
        message: &impl Message,
    ) -> Answer {
        let body = frame(0, &message.encode_to_vec());
        self.send(path, headers, &body).await
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        let read = timeout(PATIENCE, self.0.read_line(&mut line)).await;
        read.expect("a line in time").unwrap();
        line.trim_end().to_owned()
    }

    async fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        let read = timeout(PATIENCE, self.0.read_exact(&mut bytes)).await;
        read.expect("bytes in time").unwrap();
        bytes
    }

    /// The head of the next answer.
    pub(super) async fn answer(&mut self) -> Answer {
        let first = self.line().await;
        let code = first.split(' ').nth(1);
        let code = code.unwrap_or_else(|| panic!("no status in {first:?}"));
        let mut headers = HeaderMap::new();
        loop {
            let line = self.line().await;
            let Some((name, value)) = line.split_once(": ") else {
                break;
            };
            let name = HeaderName::try_from(name).unwrap();
            headers.append(name, value.parse().unwrap());
        }
        Answer {
            code: code.parse().unwrap(),
            headers,
            unread: Vec::new(),
            is_over: false,
        }
    }

    /// The next message of an answer, or its trailers; `None` at its end.
    pub(super) async fn part(&mut self, answer: &mut Answer) -> Option<Part> {
        loop {
            if let Some(part) = answer.take() {
                return Some(part);
            }
            if answer.is_over {
                assert!(answer.unread.is_empty(), "cut inside a frame");
                return None;
            }
            if let Some(length) = answer.headers.get("content-length") {
                let length = length.to_str().unwrap().parse().unwrap();
                answer.unread = self.bytes(length).await;
                answer.is_over = true;
                continue;
            }
            let size = usize::from_str_radix(&self.line().await, 16).unwrap();
            let chunk = self.bytes(size).await;
            answer.unread.extend(chunk);
            answer.is_over = size == 0;
            assert_eq!(self.line().await, "");
        }
    }

    /// The outcome of a unary call: its message, or why not.
    pub(super) async fn outcome<M: Message + Default>(
        &mut self,
        answer: &mut Answer,
    ) -> Result<M, Status> {
        if let Some(status) = Status::from_header_map(&answer.headers) {
            // Chrome's fetch never ends if the body does not.
            assert_eq!(self.part(answer).await, None);
            return Err(status);
        }
        let mut message = None;
        while let Some(part) = self.part(answer).await {
            match part {
                Part::Message(bytes) => message = Some(M::decode(&*bytes).unwrap()),
                Part::Trailers(trailers) => {
                    let status = Status::from_header_map(&trailers).unwrap();
                    if status.code() != tonic::Code::Ok {
                        return Err(status);
                    }
                }
            }
        }
        Ok(message.expect("an answer without error has a message"))
    }

    /// Nothing more comes, and the server closes.
    pub(super) async fn closed(&mut self) {
        let mut rest = Vec::new();
        let read = timeout(PATIENCE, self.0.read_to_end(&mut rest)).await;
        read.expect("the server closes").unwrap();
        assert!(rest.is_empty(), "{rest:?}");
    }
}

/// An answer of which the head has come.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) code: u16,
    pub(super) headers: HeaderMap,
    unread: Vec<u8>,
    is_over: bool,
}

/// What an answer's body consists of.
#[derive(Debug, PartialEq)]
pub(super) enum Part {
    Message(Vec<u8>),
    Trailers(HeaderMap),
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }

    /// The next part, if all of it has come.
    fn take(&mut self) -> Option<Part> {
        let (head, rest) = self.unread.split_first_chunk::<5>()?;
        let [flag, length @ ..] = *head;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap();
        let data = rest.get(..length)?.to_vec();
        self.unread.drain(..5 + length);
        if flag == 0 {
            return Some(Part::Message(data));
        }
        assert_eq!(flag, 0x80);
        let text = String::from_utf8(data).unwrap();
        let lines = text.lines().filter_map(|line| line.split_once(':'));
        let trailers = lines.map(|(name, value)| {
            let name = HeaderName::try_from(name).unwrap();
            (name, value.trim().parse().unwrap())
        });
        Some(Part::Trailers(trailers.collect()))
    }
}
