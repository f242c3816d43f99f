//! Walk: which files of the folder are read, and what stands in the way of reading the others.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read as _;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::beneath::{self, LinkFault};
use crate::model::document::Span;
use crate::model::finding::Finding;

/// Bytes of one file: 1 MiB. The largest estate seen in one file has a tenth of it.
pub(super) const FILE_BYTES: u64 = 1 << 20;
/// Bytes of all files together: 64 MiB.
const ALL_BYTES: u64 = 64 << 20;
/// Files read.
pub(super) const FILES: usize = 10_000;
/// Names looked at, of any kind.
const NAMES: usize = 100_000;
/// Folders in folders.
const DEPTH: usize = 64;

/// What the walk meets, in the order of names.
pub(super) enum Met {
    /// A file to read, with what it holds (nothing, if the walk only looks) and its state.
    File {
        name: String,
        bytes: Vec<u8>,
        stat: Stat,
    },
    /// Something that is not as it should be.
    Odd(Finding),
}

/// Whether the walk opens files or only looks at their names and times.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mind {
    Read,
    Look,
}

/// Walks the folder `root` and hands all that it meets to `sink`.
pub(super) fn walk(root: &Path, mind: Mind, sink: &mut dyn FnMut(Met)) {
    let shown = show(root.as_os_str());
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let fd = match rustix::fs::openat(CWD, root, flags, Mode::empty()) {
        Ok(fd) => fd,
        Err(err) => {
            let why = match err {
                Errno::NOENT => "is not there".to_owned(),
                Errno::NOTDIR => "is not a folder".to_owned(),
                err => format!("cannot be opened: {}", cause(err)),
            };
            sink(Met::Odd(
                Finding::error("no-folder", format!("the desired-state folder {shown} {why}"))
                    .help("check the path and whether it is mounted; nothing is written while it cannot be read"),
            ));
            return;
        }
    };
    let mut walker = Walker {
        root: fd.as_fd(),
        mind,
        sink,
        names: 0,
        files: 0,
        bytes: 0,
        ancestors: Vec::new(),
    };
    // A bound that is passed ends the walk; it was told about where it was passed.
    let _ = walker.folder(&fd, &[], shown.trim_end_matches('/'));
}

/// A bound of the walk is passed.
struct Enough;

struct Walker<'w> {
    root: BorrowedFd<'w>,
    mind: Mind,
    sink: &'w mut dyn FnMut(Met),
    names: usize,
    files: usize,
    bytes: u64,
    /// Device and inode of the folders that lead here, to know a loop.
    ancestors: Vec<(i128, i128)>,
}

impl Walker<'_> {
    fn odd(&mut self, rule: &str, name: &str, message: String, help: &str) {
        let at = Span {
            file: name.into(),
            line: 1,
            column: 1,
        };
        (self.sink)(Met::Odd(Finding::error(rule, message).help(help).at(at)));
    }

    /// Walks one open folder; `real` are the names that lead to it from the root, `shown` is how
    /// the user sees it.
    fn folder(&mut self, fd: &OwnedFd, real: &[OsString], shown: &str) -> Result<(), Enough> {
        let stat = rustix::fs::fstat(fd);
        // The width of these numbers differs between systems.
        let me = stat.map_or((0, 0), |s| (i128::from(s.st_dev), i128::from(s.st_ino)));
        if self.ancestors.contains(&me) {
            self.odd(
                "symlink-loop",
                shown,
                format!("{shown} leads back to a folder that it lies in"),
                "delete the symbolic link",
            );
            return Ok(());
        }
        if self.ancestors.len() >= DEPTH {
            self.odd(
                "too-deep",
                shown,
                format!("{shown} lies more than {DEPTH} folders deep"),
                "move its files up",
            );
            return Ok(());
        }
        let names = match self.list(fd) {
            Ok(names) => names,
            Err(err) => {
                self.odd(
                    "unreadable",
                    shown,
                    format!("the folder {shown} cannot be read: {}", cause(err)),
                    "give the user that runs evenkeel the right to read it",
                );
                return Ok(());
            }
        };
        if self.names > NAMES {
            self.odd(
                "too-many-files",
                shown,
                format!("more than {NAMES} names lie in the folder"),
                "point evenkeel at a folder that holds only desired state",
            );
            return Err(Enough);
        }
        self.ancestors.push(me);
        let done = names
            .iter()
            .try_for_each(|name| self.entry(fd, real, name, shown));
        self.ancestors.pop();
        done
    }

    fn list(&mut self, fd: &OwnedFd) -> rustix::io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(fd)? {
            let name = entry?.file_name().to_bytes().to_vec();
            self.names += 1;
            if self.names > NAMES {
                break;
            }
            if !is_ignored(&name) {
                names.push(OsString::from_vec(name));
            }
        }
        names.sort();
        Ok(names)
    }

    fn entry(
        &mut self,
        dir: &OwnedFd,
        real: &[OsString],
        name: &OsStr,
        shown: &str,
    ) -> Result<(), Enough> {
        let path = format!("{shown}/{}", show(name));
        let is_yaml = is_yaml(name.as_bytes());
        let stat = match rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            // Gone between listing and looking: as if it had never been there.
            Err(Errno::NOENT) => return Ok(()),
            Err(err) => return self.unreadable(&path, err),
        };
        let mut names = real.to_vec();
        let mut kind = FileType::from_raw_mode(stat.st_mode);
        if kind == FileType::Symlink {
            names = match beneath::resolve(self.root, real, name) {
                Ok(names) => names,
                Err(fault) => {
                    self.link(&path, &fault);
                    return Ok(());
                }
            };
            let target = names.iter().collect::<std::path::PathBuf>();
            kind = match rustix::fs::statat(self.root, &target, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => FileType::from_raw_mode(stat.st_mode),
                // The root itself.
                Err(_) if names.is_empty() => FileType::Directory,
                Err(err) => return self.unreadable(&path, err),
            };
        } else {
            names.push(name.to_owned());
        }
        match kind {
            FileType::Directory => match beneath::open(self.root, &names) {
                Ok(fd) => self.folder(&fd, &names, &path),
                Err(err) => self.unreadable(&path, err),
            },
            FileType::RegularFile if is_yaml => self.file(&names, name, path),
            _ if is_yaml => {
                self.odd(
                    "not-a-file",
                    &path,
                    format!("{path} is {}, not a file", what(kind)),
                    "delete it, or give it a name that does not end in .yaml",
                );
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn file(&mut self, names: &[OsString], name: &OsStr, path: String) -> Result<(), Enough> {
        self.files += 1;
        if self.files > FILES {
            self.odd(
                "too-many-files",
                &path,
                format!("more than {FILES} files of desired state"),
                "put several documents into one file, separated by `---`",
            );
            return Err(Enough);
        }
        if name.to_str().is_none() {
            self.odd(
                "bad-file-name",
                &path,
                format!("the name of {path} is not UTF-8"),
                "rename the file",
            );
            return Ok(());
        }
        let fd = match beneath::open(self.root, names) {
            Ok(fd) => fd,
            Err(err) => return self.unreadable(&path, err),
        };
        let before = match rustix::fs::fstat(&fd) {
            Ok(stat) => stat,
            Err(err) => return self.unreadable(&path, err),
        };
        let kind = FileType::from_raw_mode(before.st_mode);
        if kind != FileType::RegularFile {
            return self.moved(&path);
        }
        let size = u64::try_from(before.st_size).unwrap_or(u64::MAX);
        if size > FILE_BYTES {
            self.odd(
                "file-too-large",
                &path,
                format!("{path} has {size} bytes; at most {FILE_BYTES} are read"),
                "split it; if it is not desired state, move it out of the folder",
            );
            return Ok(());
        }
        self.bytes = self.bytes.saturating_add(size);
        if self.bytes > ALL_BYTES {
            self.odd(
                "too-many-files",
                &path,
                format!("the files have more than {ALL_BYTES} bytes together"),
                "point evenkeel at a folder that holds only desired state",
            );
            return Err(Enough);
        }
        let mut bytes = Vec::new();
        if self.mind == Mind::Read {
            let mut file = File::from(fd);
            // One more than allowed, to notice a file that grows while it is read.
            if let Err(err) = (&mut file).take(FILE_BYTES + 1).read_to_end(&mut bytes) {
                self.odd(
                    "unreadable",
                    &path,
                    format!("{path} cannot be read: {err}"),
                    "check the disk and the rights of the file",
                );
                return Ok(());
            }
            let still = |after: Stat| {
                after.st_size == before.st_size
                    && (after.st_mtime, after.st_mtime_nsec)
                        == (before.st_mtime, before.st_mtime_nsec)
                    && bytes.len() as u64 == size
            };
            if !rustix::fs::fstat(&file).is_ok_and(still) {
                return self.moved(&path);
            }
        }
        (self.sink)(Met::File {
            name: path,
            bytes,
            stat: before,
        });
        Ok(())
    }

    fn moved(&mut self, path: &str) -> Result<(), Enough> {
        self.odd(
            "changing-file",
            path,
            format!("{path} changed while it was read"),
            "nothing is to be done: it is read again when it rests",
        );
        Ok(())
    }

    fn unreadable(&mut self, path: &str, err: Errno) -> Result<(), Enough> {
        if matches!(err, Errno::LOOP | Errno::NOTDIR | Errno::NOENT) {
            return self.moved(path);
        }
        self.odd(
            "unreadable",
            path,
            format!("{path} cannot be read: {}", cause(err)),
            "give the user that runs evenkeel the right to read it, or move it out of the folder",
        );
        Ok(())
    }

    fn link(&mut self, path: &str, fault: &LinkFault) {
        let (rule, help) = match fault {
            LinkFault::LeadsOut => (
                "symlink-outside",
                "copy the file into the folder; what lies outside is not under the same review",
            ),
            LinkFault::Absolute => (
                "symlink-outside",
                "make it a relative link to something in the folder, or copy the file",
            ),
            LinkFault::Loop => ("symlink-loop", "delete the link"),
            LinkFault::Dangling => (
                "symlink-dangling",
                "delete the link, or bring back its target",
            ),
            LinkFault::Unreadable(_) => ("unreadable", "check the rights of its target"),
        };
        self.odd(
            rule,
            path,
            format!("the symbolic link {path} is not followed: {fault}"),
            help,
        );
    }
}

/// Hidden files, and those that editors leave beside the one that is edited.
pub(super) fn is_ignored(name: &[u8]) -> bool {
    name.starts_with(b".")
        || name.ends_with(b"~")
        || (name.starts_with(b"#") && name.ends_with(b"#"))
        || [&b".swp"[..], b".swo", b".orig", b".rej", b".bak", b".tmp"]
            .iter()
            .any(|end| name.ends_with(end))
}

fn is_yaml(name: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    name.ends_with(b".yaml") || name.ends_with(b".yml")
}

fn what(kind: FileType) -> &'static str {
    match kind {
        FileType::Fifo => "a named pipe",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        FileType::Directory => "a folder",
        _ => "something else",
    }
}

/// A name as it can be printed on one line.
fn show(name: &OsStr) -> String {
    name.to_string_lossy()
        .chars()
        .map(|c| match c {
            c if c.is_control() || super::bytes::is_invisible(c) => '\u{fffd}',
            c => c,
        })
        .collect()
}

fn cause(err: Errno) -> String {
    std::io::Error::from(err).to_string()
}
