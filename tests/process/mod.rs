//! Processes: the real binary, over a twin that this process serves on loopback, in real time.

pub mod estate;
mod running;

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use evenkeel::clock::Clock;
use evenkeel::twin::{Twin, World, server};
use tempfile::TempDir;

pub use running::{Ended, Running};

/// Longest time that any command may take. The longest wait of the product itself is for a lost
/// write after a crash: 10 s for the call, 10 s for the takeover and 30 s for AWS to show it.
pub const LIMIT: Duration = Duration::from_secs(150);

/// A twin on a port, a folder to work in, and the binary.
pub struct Bench {
    pub twin: Twin,
    address: SocketAddr,
    folder: TempDir,
    /// Serves the twin until the bench goes.
    server: tokio::runtime::Runtime,
}

impl Bench {
    /// An account with `estate` in it. Rollouts take a second.
    pub fn new(estate: impl FnOnce(&mut World)) -> Self {
        let twin = Twin::new(Clock::system(), 7);
        twin.world(|w| {
            w.ecs.rollouts.duration = Duration::from_secs(1);
            w.ecs.rollouts.count_change = Duration::from_secs(1);
            estate(w);
            w.calls.clear();
        });
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(server::serve(
            twin.clone(),
            listener,
            std::future::pending(),
        ));
        Self {
            twin,
            address,
            folder: TempDir::new().unwrap(),
            server: runtime,
        }
    }

    /// The working directory of every command.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file under the working directory, whole at once, as editors save.
    pub fn save(&self, name: &str, text: &str) {
        let path = self.folder().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let beside = path.with_extension("swap");
        std::fs::write(&beside, text).unwrap();
        std::fs::rename(beside, path).unwrap();
    }

    /// The file of the embedded store.
    pub fn store(&self) -> PathBuf {
        self.folder().join("store.db")
    }

    /// The binary with these words, pointed at the twin, on the embedded store.
    pub fn evenkeel<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Command {
        let mut store = std::ffi::OsString::from("embedded:");
        store.push(self.store());
        let mut command = self.bare(words);
        command.arg("--store").arg(store);
        command
    }

    /// The binary with these words, pointed at the twin.
    pub fn bare<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Command {
        let mut command = self.unpointed(words);
        command.arg("--endpoint-url").arg(self.endpoint());
        command
    }

    /// Where the twin is.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The binary with these words, without an endpoint: the caller has to name one.
    pub fn unpointed<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("evenkeel"));
        let strange = |name: &str| {
            ["AWS_", "EVENKEEL_", "RUST_LOG", "NO_COLOR"]
                .iter()
                .any(|prefix| name.starts_with(prefix))
        };
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(strange) {
                command.env_remove(name);
            }
        }
        command
            .current_dir(self.folder())
            .env("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "example-only")
            .env("AWS_REGION", "us-east-1")
            // Nothing of this machine's user, and no asking around for credentials.
            .env("AWS_CONFIG_FILE", self.folder().join("no-config"))
            .env(
                "AWS_SHARED_CREDENTIALS_FILE",
                self.folder().join("no-credentials"),
            )
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .args(words)
            .stdin(Stdio::null());
        command
    }

    /// Runs it to its end.
    pub fn run<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Ended {
        Running::start(self.evenkeel(words)).wait(LIMIT)
    }

    /// Rows of the store, past the program: the engine that it embeds, on the same file.
    pub fn rows<T>(&self, act: impl AsyncFnOnce(aws_sdk_dynamodb::Client) -> T) -> T {
        let engine = evenkeel::store::embedded::Engine::open(&self.store()).unwrap();
        let sdk = self
            .twin
            .sdk_config()
            .to_builder()
            .http_client(evenkeel::store::embedded::http_client(engine))
            .behavior_version(aws_sdk_dynamodb::config::BehaviorVersion::latest())
            .build();
        self.server
            .block_on(act(aws_sdk_dynamodb::Client::new(&sdk)))
    }

    /// Names of the calls that reached the twin, in order.
    pub fn calls(&self) -> Vec<String> {
        self.twin
            .world(|w| w.calls.all().iter().map(|c| c.name.clone()).collect())
    }

    /// How many of them change something.
    pub fn writes(&self) -> usize {
        self.twin.world(|w| w.calls.writes().count())
    }
}

/// Waits until `condition` gives something, and fails the test after `limit`.
#[expect(
    clippy::disallowed_methods,
    reason = "between two looks at another process there is nothing to await"
)]
pub fn until<T>(what: &str, limit: Duration, mut condition: impl FnMut() -> Option<T>) -> T {
    let clock = Clock::system();
    let began = clock.boot();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(
            clock.boot() - began < limit,
            "waited {limit:?} in vain: {what}"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}
