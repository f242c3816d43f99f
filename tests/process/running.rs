//! Running: one process from its start to its end, with what it says; it never outlives the test.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::until;

/// A process, and what it has said so far.
pub struct Running {
    child: Child,
    out: Said,
    err: Said,
}

/// What a process that has ended said, and how it ended.
pub struct Ended {
    /// `None` when a signal ended it.
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ended {
    /// Fails the test, telling all that was said, unless the process ended with `code`.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.all());
        self
    }

    /// Standard output and error, one after the other.
    pub fn all(&self) -> String {
        format!("--- stdout\n{}\n--- stderr\n{}", self.out, self.err)
    }
}

type Text = Arc<Mutex<Vec<u8>>>;

struct Said {
    text: Text,
    reader: Option<std::thread::JoinHandle<()>>,
}

impl Said {
    fn by(mut pipe: impl Read + Send + 'static) -> Self {
        let text = Text::default();
        let into = text.clone();
        let reader = std::thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(read @ 1..) = pipe.read(&mut chunk) {
                into.lock().unwrap().extend_from_slice(&chunk[..read]);
            }
        });
        Self {
            text,
            reader: Some(reader),
        }
    }

    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.text.lock().unwrap()).into_owned()
    }

    /// All of it, once the process has ended.
    fn whole(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        self.so_far()
    }
}

impl Running {
    pub fn start(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let out = Said::by(child.stdout.take().unwrap());
        let err = Said::by(child.stderr.take().unwrap());
        Self { child, out, err }
    }

    /// Its process id; it stays its own until it is waited for.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// What it has said so far, on both ways.
    pub fn so_far(&self) -> String {
        format!(
            "--- stdout\n{}\n--- stderr\n{}",
            self.out.so_far(),
            self.err.so_far()
        )
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for its end; one that takes longer is killed, and the test fails.
    pub fn wait(mut self, limit: Duration) -> Ended {
        let status = until("the process ends", limit, || self.child.try_wait().unwrap());
        Ended {
            code: status.code(),
            out: self.out.whole(),
            err: self.err.whole(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Of one that has ended and been waited for, the standard library knows it.
        if self.child.kill().is_ok() {
            let _ended = self.child.wait();
        }
    }
}
