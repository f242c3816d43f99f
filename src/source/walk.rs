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
pub(super) const ALL_BYTES: u64 = 64 << 20;
/// Files read.
pub(super) const FILES: usize = 10_000;
/// Names looked at, of any kind.
pub(super) const NAMES: usize = 100_000;
/// Folders in folders.
pub(super) const DEPTH: usize = 64;

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
        // A socket, or a device that is none, where a file was seen: no such device.
        if matches!(
            err,
            Errno::LOOP | Errno::NOTDIR | Errno::NOENT | Errno::NXIO
        ) {
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

pub(super) fn is_yaml(name: &[u8]) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::os::unix::net::UnixListener;

    /// The files met, below the folder, and the rules of what was odd.
    fn met(root: &Path) -> (Vec<String>, Vec<String>) {
        let mut files = Vec::new();
        let mut odd = Vec::new();
        let below = format!("{}/", root.display());
        walk(root, Mind::Read, &mut |met| match met {
            Met::File { name, .. } => files.push(name.replace(&below, "")),
            Met::Odd(finding) => odd.push(finding.rule),
        });
        (files, odd)
    }

    fn folder() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("good.yaml"), "a: 1").unwrap();
        dir
    }

    #[test]
    fn files_come_in_the_order_of_names_from_any_depth() {
        let dir = tempfile::tempdir().unwrap();
        for name in [
            "b.yml",
            "a/z.yaml",
            "a/y/x.YAML",
            "c.yaml",
            "c.txt",
            "a/.b.yaml",
            "d.yaml~",
        ] {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "a: 1").unwrap();
        }
        let (files, odd) = met(dir.path());
        assert_eq!(files, ["a/y/x.YAML", "a/z.yaml", "b.yml", "c.yaml"]);
        assert_eq!(odd, [""; 0]);
    }

    #[test]
    fn a_folder_that_is_not_there_or_no_folder_is_told() {
        let dir = folder();
        assert_eq!(met(&dir.path().join("none")).1, ["no-folder"]);
        assert_eq!(met(&dir.path().join("good.yaml")).1, ["no-folder"]);
    }

    #[test]
    fn links_out_of_the_folder_are_refused() {
        let outside = folder();
        let dir = folder();
        let target = outside.path().join("good.yaml");
        symlink(&target, dir.path().join("absolute.yaml")).unwrap();
        symlink("../../etc/passwd", dir.path().join("relative.yaml")).unwrap();
        symlink(outside.path(), dir.path().join("whole")).unwrap();
        symlink("nothing", dir.path().join("zero.yaml")).unwrap();
        let (files, odd) = met(dir.path());
        assert_eq!(files, ["good.yaml"]);
        assert_eq!(
            odd,
            [
                "symlink-outside",
                "symlink-outside",
                "symlink-outside",
                "symlink-dangling"
            ]
        );
    }

    #[test]
    fn links_in_a_loop_are_refused() {
        let dir = folder();
        symlink("b.yaml", dir.path().join("a.yaml")).unwrap();
        symlink("a.yaml", dir.path().join("b.yaml")).unwrap();
        fs::create_dir(dir.path().join("sub")).unwrap();
        symlink("..", dir.path().join("sub/up")).unwrap();
        symlink(".", dir.path().join("self")).unwrap();
        let (files, odd) = met(dir.path());
        assert_eq!(files, ["good.yaml"]);
        assert_eq!(odd, ["symlink-loop"; 4]);
    }

    #[test]
    fn links_within_the_folder_are_followed_as_a_mounted_config_map_needs() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("..2026_01")).unwrap();
        fs::write(dir.path().join("..2026_01/web.yaml"), "a: 1").unwrap();
        symlink("..2026_01", dir.path().join("..data")).unwrap();
        symlink("..data/web.yaml", dir.path().join("web.yaml")).unwrap();
        assert_eq!(met(dir.path()), (vec!["web.yaml".to_owned()], vec![]));
    }

    #[test]
    fn pipes_sockets_and_folders_are_no_files() {
        let dir = folder();
        let fifo = dir.path().join("fifo.yaml");
        rustix::fs::mknodat(CWD, &fifo, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        let _socket = UnixListener::bind(dir.path().join("socket.yaml")).unwrap();
        symlink("fifo.yaml", dir.path().join("link.yaml")).unwrap();
        fs::create_dir(dir.path().join("folder.yaml")).unwrap();
        let (files, odd) = met(dir.path());
        assert_eq!(files, ["good.yaml"]);
        assert_eq!(odd, ["not-a-file"; 3]);
    }

    #[test]
    fn a_link_put_in_the_place_of_a_file_is_not_opened() {
        let dir = folder();
        let fd = rustix::fs::openat(CWD, dir.path(), OFlags::RDONLY, Mode::empty()).unwrap();
        fs::create_dir(dir.path().join("sub")).unwrap();
        symlink("/etc", dir.path().join("etc")).unwrap();
        symlink("good.yaml", dir.path().join("swapped.yaml")).unwrap();
        for names in [&["etc", "passwd"][..], &["swapped.yaml"]] {
            let names: Vec<OsString> = names.iter().map(OsString::from).collect();
            assert!(beneath::open(fd.as_fd(), &names).is_err(), "{names:?}");
        }
    }

    #[test]
    fn what_took_the_place_of_a_file_between_look_and_read_is_not_read() {
        let dir = folder();
        let path = dir.path().join("good.yaml");
        let swaps: [fn(&Path); 5] = [
            |path| fs::create_dir(path).unwrap(),
            |path| symlink("/etc/hostname", path).unwrap(),
            |path| drop(UnixListener::bind(path).unwrap()),
            |path| {
                let mode = Mode::from_raw_mode(0o600);
                rustix::fs::mknodat(CWD, path, FileType::Fifo, mode, 0).unwrap();
            },
            |_| {},
        ];
        for (nth, swap) in swaps.into_iter().enumerate() {
            // It was looked at as a file; now it is opened.
            let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir(&path));
            swap(&path);
            let fd = rustix::fs::openat(CWD, dir.path(), OFlags::RDONLY, Mode::empty()).unwrap();
            let mut odd = Vec::new();
            let mut sink = |met| match met {
                Met::File { name, .. } => panic!("{nth}: {name} was read"),
                Met::Odd(finding) => odd.push((finding.rule, finding.message)),
            };
            let mut walker = Walker {
                root: fd.as_fd(),
                mind: Mind::Read,
                sink: &mut sink,
                names: 0,
                files: 0,
                bytes: 0,
                ancestors: Vec::new(),
            };
            let name = OsStr::new("good.yaml");
            let done = walker.file(&[name.to_owned()], name, "good.yaml".to_owned());
            assert!(done.is_ok());
            let message = "good.yaml changed while it was read".to_owned();
            assert_eq!(odd, [("changing-file".to_owned(), message)], "{nth}");
        }
    }

    #[test]
    fn what_may_not_be_read_is_told_and_the_rest_is_read() {
        let dir = folder();
        let locked = dir.path().join("locked");
        fs::create_dir(&locked).unwrap();
        fs::write(dir.path().join("secret.yaml"), "a: 1").unwrap();
        for path in [&locked, &dir.path().join("secret.yaml")] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o0)).unwrap();
        }
        let (files, odd) = met(dir.path());
        fs::set_permissions(&locked, fs::Permissions::from_mode(0o700)).unwrap();
        // The superuser may read everything.
        if rustix::process::geteuid().is_root() {
            assert_eq!(files, ["good.yaml", "secret.yaml"]);
        } else {
            assert_eq!(files, ["good.yaml"]);
            assert_eq!(odd, ["unreadable"; 2]);
        }
    }

    #[test]
    fn names_that_are_no_text_are_told() {
        let dir = folder();
        let name = OsStr::from_bytes(b"caf\xe9.yaml");
        // Some file systems refuse such names themselves.
        if fs::write(dir.path().join(name), "a: 1").is_ok() {
            let (files, odd) = met(dir.path());
            assert_eq!(files, ["good.yaml"]);
            assert_eq!(odd, ["bad-file-name"]);
        }
    }

    #[test]
    fn a_huge_file_is_refused_unread_and_too_many_end_the_walk() {
        let dir = folder();
        let huge = File::create(dir.path().join("huge.yaml")).unwrap();
        huge.set_len(100 << 20).unwrap();
        assert_eq!(met(dir.path()).1, ["file-too-large"]);

        let many = tempfile::tempdir().unwrap();
        for n in 0..=FILES {
            File::create(many.path().join(format!("{n}.yaml"))).unwrap();
        }
        let (files, odd) = met(many.path());
        assert_eq!(
            (files.len(), odd),
            (FILES, vec!["too-many-files".to_owned()])
        );
    }
}
