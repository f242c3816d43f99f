//! How much memory `run` takes on a thousand services with four alarms each, in order: the real
//! binary, over a twin on loopback, after its second look. Linux only.

#![allow(
    dead_code,
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a measurement over real time that shares the tests' rig, of which it uses a part"
)]

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::Duration;

use evenkeel::twin::server;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

#[path = "../tests/estates.rs"]
mod estates;
#[path = "../tests/rig.rs"]
mod rig;

const METRICS: &str = "127.0.0.1:19464";

/// The thousand, as one file an app.
fn thousand_by_app() -> BTreeMap<String, String> {
    let text = estates::thousand_text();
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for document in text.split("---\n").filter(|d| !d.is_empty()) {
        let (_, rest) = document.split_once("app: ").unwrap();
        let (app, _) = rest.split_once(',').unwrap();
        let file = files.entry(app.to_owned()).or_default();
        file.push_str("---\n");
        file.push_str(document);
    }
    files
}

async fn looks() -> u64 {
    let Ok(mut stream) = TcpStream::connect(METRICS).await else {
        return 0;
    };
    let request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let mut page = String::new();
    if stream.write_all(request).await.is_err() || stream.read_to_string(&mut page).await.is_err() {
        return 0;
    }
    page.lines()
        .find_map(|line| line.strip_prefix("evenkeel_looks_total ")?.parse().ok())
        .unwrap_or(0)
}

fn megabytes(pid: u32, field: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|l| l.starts_with(field)).unwrap();
    let kib: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib / 1024.0
}

#[tokio::main]
async fn main() {
    let rig = rig::Rig::new().await;
    estates::settle_thousand(&rig).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(server::serve(
        rig.twin.clone(),
        listener,
        std::future::pending(),
    ));
    let folder = tempfile::tempdir().unwrap();
    for (app, text) in thousand_by_app() {
        std::fs::write(folder.path().join(format!("{app}.yaml")), text).unwrap();
    }
    let mut child = Command::new(env!("CARGO_BIN_EXE_evenkeel"))
        .args(["run", ".", "--interval", "2s", "--listen", METRICS])
        .args(["--endpoint-url", &url, "--region", "us-east-1"])
        .env("AWS_ACCESS_KEY_ID", "model")
        .env("AWS_SECRET_ACCESS_KEY", "model")
        .current_dir(folder.path())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    for _ in 0..600 {
        if looks().await >= 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let (now, most) = (
        megabytes(child.id(), "VmRSS"),
        megabytes(child.id(), "VmHWM"),
    );
    let seen = looks().await;
    child.kill().unwrap();
    child.wait().unwrap();
    println!(
        "run on 1,000 services and 4,000 alarms after {seen} looks: {now:.0} MB resident, {most:.0} MB at most"
    );
    assert!(seen >= 2, "it never looked twice");
    assert!(most < 100.0, "more than 100 MB");
}
