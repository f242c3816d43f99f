//! Beneath: opening what lies below a folder and never what lies outside it.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

/// Links followed for one name before a loop is assumed; the same as Linux.
const LINKS: usize = 40;

/// Why a symbolic link was not followed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum LinkFault {
    #[error("it leads out of the folder")]
    LeadsOut,
    #[error("it leads to an absolute path")]
    Absolute,
    #[error("it leads back to itself")]
    Loop,
    #[error("it leads to nothing")]
    Dangling,
    #[error("it cannot be read")]
    Unreadable(#[source] Errno),
}

/// The names, from `root`, of what the link `name` in the real directory `dir` stands for.
/// None of them is a link (at the time of looking; opening refuses links once more).
pub(super) fn resolve(
    root: BorrowedFd<'_>,
    dir: &[OsString],
    name: &OsStr,
) -> Result<Vec<OsString>, LinkFault> {
    let mut real = dir.to_vec();
    let mut todo = VecDeque::from([name.to_owned()]);
    let mut links = 0;
    while let Some(part) = todo.pop_front() {
        match part.as_bytes() {
            b"" | b"." => continue,
            b".." => {
                real.pop().ok_or(LinkFault::LeadsOut)?;
                continue;
            }
            _ => real.push(part),
        }
        let path: PathBuf = real.iter().collect();
        let stat = match rustix::fs::statat(root, &path, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT | Errno::NOTDIR) => return Err(LinkFault::Dangling),
            Err(err) => return Err(LinkFault::Unreadable(err)),
        };
        if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
            continue;
        }
        links += 1;
        if links > LINKS {
            return Err(LinkFault::Loop);
        }
        let target =
            rustix::fs::readlinkat(root, &path, Vec::new()).map_err(LinkFault::Unreadable)?;
        if target.as_bytes().starts_with(b"/") {
            return Err(LinkFault::Absolute);
        }
        real.pop();
        for part in target.as_bytes().split(|b| *b == b'/').rev() {
            todo.push_front(OsStr::from_bytes(part).to_owned());
        }
    }
    Ok(real)
}

/// Opens the file or directory at `names` below `root`, following no link on the way.
/// Never waits: a FIFO opens at once.
pub(super) fn open(root: BorrowedFd<'_>, names: &[OsString]) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let mut here: Option<OwnedFd> = None;
    for (i, name) in names.iter().enumerate() {
        let at = here.as_ref().map_or(root, AsFd::as_fd);
        let last = i + 1 == names.len();
        let flags = if last {
            flags | OFlags::NOCTTY
        } else {
            flags | OFlags::DIRECTORY
        };
        here = Some(rustix::fs::openat(at, name, flags, Mode::empty())?);
    }
    match here {
        Some(fd) => Ok(fd),
        None => rustix::fs::openat(root, ".", flags | OFlags::DIRECTORY, Mode::empty()),
    }
}
