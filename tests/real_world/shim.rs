//! Shim: how a process is given a clock that steps, a disk that fails, or a moment to stop at.

use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/real_world/shim.c");

/// The library, compiled once for each process of the tests.
fn library() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        std::fs::create_dir_all(folder).unwrap();
        let library = folder.join(format!("shim-{}.so", std::process::id()));
        let built = Command::new("cc")
            .args([
                "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o",
            ])
            .arg(&library)
            .arg(SOURCE)
            .output()
            .expect("a C compiler is needed to build Evenkeel and to test it");
        let said = String::from_utf8_lossy(&built.stderr);
        assert!(built.status.success(), "{said}");
        // One name for all: whoever comes later puts the same in the same place.
        let shared = folder.join("shim.so");
        std::fs::rename(library, &shared).unwrap();
        shared
    })
}

fn preload(command: &mut Command) -> &mut Command {
    command.env("LD_PRELOAD", library())
}

/// Wall time that is off, by as much as is set from outside.
pub struct WallClock(PathBuf);

impl WallClock {
    /// One in `folder` that is right.
    pub fn new(folder: &Path, name: &str) -> Self {
        let path = folder.join(name);
        std::fs::write(&path, 0_i64.to_ne_bytes()).unwrap();
        Self(path)
    }

    /// From now on it is off by so many seconds.
    pub fn step(&self, seconds: i64) {
        // In place: the process has the file mapped.
        let file = std::fs::OpenOptions::new().write(true).open(&self.0);
        file.unwrap()
            .write_all_at(&seconds.to_ne_bytes(), 0)
            .unwrap();
    }

    /// The process reads its wall time here.
    pub fn of(&self, mut command: Command) -> Command {
        preload(&mut command).env("SHIM_CLOCK", &self.0);
        command
    }
}

/// When a process stops itself.
#[derive(Clone, Copy, Debug)]
pub enum Stop {
    /// A transaction of the store that writes this text is in the middle, its lock held.
    Locked(&'static str),
    /// The same transaction is over.
    Committed(&'static str),
    /// The request that holds this text is about to leave.
    Sending(&'static str),
}

impl Stop {
    pub fn of(self, mut command: Command) -> Command {
        let (when, text) = match self {
            Self::Locked(text) => ("locked", text),
            Self::Committed(text) => ("commit", text),
            Self::Sending(text) => ("send", text),
        };
        preload(&mut command).env("SHIM_STOP", format!("{when}:{text}"));
        command
    }
}

/// What a disk does to the store. The numbers are of its write transactions, from 1.
#[derive(Clone, Copy, Debug)]
pub enum Disk {
    /// Full from here on.
    Full(usize),
    /// Writes fail from here on.
    WritesFail(usize),
    /// What is written from here on cannot be made durable.
    SyncsFail(usize),
    /// The machine goes down in the middle of a page.
    Torn(usize),
    /// Mounted read-only.
    ReadOnly,
    /// Its files belong to somebody else.
    Denied,
    /// Well; what happens is only written down.
    Well,
}

impl Disk {
    /// Of the files whose path holds `part`.
    pub fn of(self, part: &str, mut command: Command) -> Command {
        let (what, nth) = match self {
            Self::Full(nth) => ("full", nth),
            Self::WritesFail(nth) => ("eio", nth),
            Self::SyncsFail(nth) => ("sync", nth),
            Self::Torn(nth) => ("torn", nth),
            Self::ReadOnly => ("rofs", 0),
            Self::Denied => ("denied", 0),
            Self::Well => ("log", 0),
        };
        preload(&mut command).env("SHIM_DISK", format!("{what}:{part}:{nth}"));
        command
    }
}
