//! Front: a server before the twin that refuses credentials and spoils answers, byte by byte.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use evenkeel::twin::wire::{self, TwinError};
use evenkeel::twin::{NoAnswer, Twin};
use http::{Request, Response};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::process::Bench;

/// What comes back instead of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoilt {
    /// A captive portal's page, with a 200.
    Page,
    /// A proxy's JSON, with a 200.
    Json,
    /// A 200 with nothing in it.
    Empty,
    /// Half of the answer, and a length that says it is all.
    Cut,
    /// Half of the answer, and the connection is closed.
    BrokenOff,
    /// Half of the answer, and the connection is reset.
    Reset,
    /// All of it, and a length that is too short.
    ShortLength,
}

/// All of them.
pub const SPOILT: [Spoilt; 7] = [
    Spoilt::Page,
    Spoilt::Json,
    Spoilt::Empty,
    Spoilt::Cut,
    Spoilt::BrokenOff,
    Spoilt::Reset,
    Spoilt::ShortLength,
];

/// What is done about a request.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// The twin answers.
    Pass,
    /// The twin answers, and this is what arrives.
    Spoil(Spoilt),
    /// This page arrives, and the twin never hears of the request.
    Instead(Spoilt),
    /// The answer is this error, and nothing is done.
    Refuse(TwinError),
}

/// A request, as the judge sees it.
pub struct Seen<'r> {
    /// `ecs.UpdateService`.
    pub name: &'r str,
    /// The access key that signed it.
    pub key: &'r str,
}

type Judge = dyn FnMut(&Seen<'_>) -> Verdict + Send;

/// A server before the twin of one bench.
pub struct Front {
    address: SocketAddr,
    judge: Arc<Mutex<Box<Judge>>>,
    _server: tokio::runtime::Runtime,
}

impl Front {
    pub fn new(bench: &Bench, judge: impl FnMut(&Seen<'_>) -> Verdict + Send + 'static) -> Self {
        let server = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = server.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let judge: Arc<Mutex<Box<Judge>>> = Arc::new(Mutex::new(Box::new(judge)));
        let (twin, shared) = (bench.twin.clone(), Arc::clone(&judge));
        server.spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (twin, judge) = (twin.clone(), Arc::clone(&shared));
                tokio::spawn(async move { exchange(socket, &twin, &judge).await });
            }
        });
        Self {
            address,
            judge,
            _server: server,
        }
    }

    /// Judges otherwise from now on.
    pub fn judges(&self, judge: impl FnMut(&Seen<'_>) -> Verdict + Send + 'static) {
        *self.judge.lock().unwrap() = Box::new(judge);
    }

    /// The binary with these words, on the bench's store, pointed here.
    pub fn evenkeel(&self, bench: &Bench, words: &[&str]) -> Command {
        let mut command = bench.unpointed(words);
        command
            .arg("--store")
            .arg(format!("embedded:{}", bench.store().display()))
            .arg("--endpoint-url")
            .arg(format!("http://{}", self.address));
        command
    }
}

/// One request and its answer; then the connection is closed.
async fn exchange(mut socket: TcpStream, twin: &Twin, judge: &Mutex<Box<Judge>>) {
    let Some(request) = request(&mut socket).await else {
        return;
    };
    let incoming = wire::read(&request).unwrap_or_else(|(_, error)| panic!("{error:?}"));
    let (name, key) = (incoming.name(), key(&request).to_owned());
    let verdict = judge.lock().unwrap()(&Seen {
        name: &name,
        key: &key,
    });
    let (spoilt, answer) = match verdict {
        Verdict::Pass => (None, twin.exchange(request).await),
        Verdict::Spoil(spoilt) => (Some(spoilt), twin.exchange(request).await),
        Verdict::Instead(spoilt) => (Some(spoilt), Ok(Response::new(Bytes::from("{}")))),
        Verdict::Refuse(error) => {
            let (service, operation) = (incoming.service, &incoming.operation);
            let outcome = Err(error);
            let answer = wire::answer(incoming.protocol, service, operation, &outcome, "front");
            (None, Ok(answer))
        }
    };
    let answer = match answer {
        Ok(answer) => answer,
        // Never answered: the caller's own patience ends it.
        Err(NoAnswer::Lost | NoAnswer::Refused) => return,
    };
    let _gone_already = respond(&mut socket, answer, spoilt).await;
}

/// The access key in `Credential=AKIAEXAMPLE/20261123/us-east-1/rds/aws4_request`.
fn key(request: &Request<Bytes>) -> &str {
    let signed = request.headers().get("authorization");
    let signed = signed.map_or("", |value| value.to_str().unwrap());
    let scope = signed.split("Credential=").nth(1).unwrap_or_default();
    scope.split('/').next().unwrap_or_default()
}

async fn request(socket: &mut TcpStream) -> Option<Request<Bytes>> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        if socket.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let mut first = lines.next().unwrap().split(' ');
    let mut request = Request::builder()
        .method(first.next().unwrap())
        .uri(first.next().unwrap());
    let mut length = 0;
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        if name.eq_ignore_ascii_case("content-length") {
            length = value.parse().unwrap();
        }
        request = request.header(name, value);
    }
    let mut body = bytes[end + 4..].to_vec();
    while body.len() < length {
        if socket.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    Some(request.body(Bytes::from(body)).unwrap())
}

const PAGE: &str = "<!doctype html><html><body><h1>Sign in to AirportNet</h1></body></html>";
const JSON: &str = r#"{"status":"login required","login":"https://portal.example/"}"#;

async fn respond(
    socket: &mut TcpStream,
    answer: Response<Bytes>,
    spoilt: Option<Spoilt>,
) -> std::io::Result<()> {
    let (parts, body) = answer.into_parts();
    let half = &body[..body.len() / 2];
    let (kind, sent, length): (Option<&str>, &[u8], usize) = match spoilt {
        None => (None, &body, body.len()),
        Some(Spoilt::Page) => (Some("text/html"), PAGE.as_bytes(), PAGE.len()),
        Some(Spoilt::Json) => (Some("application/json"), JSON.as_bytes(), JSON.len()),
        Some(Spoilt::Empty) => (None, &[], 0),
        Some(Spoilt::Cut) => (None, half, half.len()),
        Some(Spoilt::BrokenOff | Spoilt::Reset) => (None, half, body.len()),
        Some(Spoilt::ShortLength) => (None, &body, half.len()),
    };
    let mut head = format!("HTTP/1.1 {} Answer\r\n", parts.status.as_u16());
    if let Some(kind) = kind {
        head += &format!("content-type: {kind}\r\n");
    } else {
        for (name, value) in &parts.headers {
            head += &format!("{name}: {}\r\n", value.to_str().unwrap());
        }
    }
    head += &format!("content-length: {length}\r\nconnection: close\r\n\r\n");
    socket.write_all(head.as_bytes()).await?;
    socket.write_all(sent).await?;
    if spoilt == Some(Spoilt::Reset) {
        // Closed with nothing lingering, it is reset.
        socket.set_zero_linger()?;
        return Ok(());
    }
    socket.shutdown().await
}
