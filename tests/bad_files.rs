//! Bad files: what is said about a folder that no commit can hold - pipes, links, rights, sheer size.
//!
//! Each is made in a folder of its own and compared with `tests/bad-files/NN-name.expected`, word
//! for word; the numbers are those of `tests/bad-inputs/INDEX.md`. `UPDATE_EXPECT=1` writes them anew.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use evenkeel::engine::desired;
use evenkeel::model::document::Frozen;
use rustix::fs::{CWD, FileType, Mode};
use tempfile::TempDir;

use crate::bad_inputs::told;

const WEB: &str = "apiVersion: evenkeel/v1alpha1\nkind: Service\n\
                   metadata: {app: shop, name: web}\nspec: {cluster: main, desiredCount: 2}\n";

/// A folder that holds one good document, and whatever `make` puts beside it.
fn folder(make: impl FnOnce(&Path)) -> TempDir {
    folder_in(&std::env::temp_dir(), make)
}

/// In memory where the system has such a place: a hundred thousand names take half a minute on disk.
fn folder_in_memory(make: impl FnOnce(&Path)) -> TempDir {
    let memory = Path::new("/dev/shm");
    let disk = std::env::temp_dir();
    folder_in(if memory.is_dir() { memory } else { &disk }, make)
}

fn folder_in(place: &Path, make: impl FnOnce(&Path)) -> TempDir {
    let dir = tempfile::tempdir_in(place).unwrap();
    fs::create_dir(dir.path().join("desired-state")).unwrap();
    fs::write(dir.path().join("desired-state/web.yaml"), WEB).unwrap();
    make(&dir.path().join("desired-state"));
    dir
}

/// What is told of its `desired-state`.
fn told_of(dir: &TempDir) -> String {
    let set = desired::load(&dir.path().join("desired-state"));
    let above = format!("{}/", dir.path().display());
    told(&set).replace(&above, "")
}

fn compare(name: &str, found: &str) {
    let expected = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/bad-files")
        .join(format!("{name}.expected"));
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&expected, found).unwrap();
    }
    let expected = fs::read_to_string(&expected).unwrap_or_default();
    assert!(expected == found, "{name}: not as expected:\n{found}");
}

#[test]
fn a_file_of_a_hundred_megabytes_is_refused_unread() {
    let dir = folder(|root| {
        let huge = File::create(root.join("huge.yaml")).unwrap();
        huge.set_len(100 << 20).unwrap();
    });
    compare("09-huge-file", &told_of(&dir));
}

#[test]
fn a_folder_that_is_gone_or_is_none_is_not_an_empty_one() {
    let dir = folder(|root| fs::remove_dir_all(root).unwrap());
    compare("52-folder-gone", &told_of(&dir));
    fs::write(dir.path().join("desired-state"), WEB).unwrap();
    compare("52b-no-folder", &told_of(&dir));
}

/// The binary as another user, since rights do not bind the superuser.
fn check_without_rights(dir: &TempDir) -> Option<String> {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("evenkeel"));
    command
        .args(["check", "desired-state"])
        .current_dir(dir.path());
    if rustix::process::geteuid().is_root() {
        // Nobody, by custom. The binary has to be where nobody may go, too.
        let binary = dir.path().join("evenkeel");
        fs::copy(assert_cmd::cargo::cargo_bin!("evenkeel"), &binary).unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        command = Command::new(binary);
        command
            .args(["check", "desired-state"])
            .current_dir(dir.path())
            .uid(65_534)
            .gid(65_534);
    }
    match command.output() {
        Ok(ended) => {
            assert_eq!(ended.status.code(), Some(1));
            let (out, err) = (ended.stdout, ended.stderr);
            Some(String::from_utf8([out, err].concat()).unwrap())
        }
        Err(why) => {
            println!("skipped: no process of a user without rights can be started here: {why}");
            None
        }
    }
}

#[test]
fn a_file_that_may_not_be_read_freezes_all_and_says_who_needs_which_right() {
    let locked = |name: &str, make: fn(&Path)| {
        let dir = folder(|root| {
            make(&root.join("locked.yaml"));
            let none = fs::Permissions::from_mode(0o0);
            fs::set_permissions(root.join("locked.yaml"), none).unwrap();
        });
        let found = check_without_rights(&dir);
        // Or its own user could not delete it.
        let all = fs::Permissions::from_mode(0o700);
        fs::set_permissions(dir.path().join("desired-state/locked.yaml"), all).unwrap();
        if let Some(found) = found {
            compare(name, &found);
        }
    };
    locked("53-no-right-to-a-file", |path| {
        fs::write(path, WEB).unwrap()
    });
    locked("53b-no-right-to-a-folder", |path| {
        fs::create_dir(path).unwrap()
    });
}

#[test]
fn a_link_out_of_the_folder_is_not_followed() {
    let dir = folder(|root| {
        symlink("/etc/hostname", root.join("absolute.yaml")).unwrap();
        symlink("../elsewhere.yaml", root.join("relative.yaml")).unwrap();
        symlink("..", root.join("sub")).unwrap();
        symlink("nothing.yaml", root.join("zero.yaml")).unwrap();
    });
    fs::write(dir.path().join("elsewhere.yaml"), WEB).unwrap();
    compare("62-links-out", &told_of(&dir));
}

#[test]
fn links_that_lead_in_a_circle_end() {
    let dir = folder(|root| {
        symlink("b.yaml", root.join("a.yaml")).unwrap();
        symlink("a.yaml", root.join("b.yaml")).unwrap();
        symlink(".", root.join("self")).unwrap();
    });
    compare("63-links-in-a-circle", &told_of(&dir));
}

#[test]
fn a_pipe_a_socket_and_a_folder_are_no_files_and_are_not_waited_for() {
    let dir = folder(|root| {
        let fifo = root.join("pipe.yaml");
        rustix::fs::mknodat(CWD, &fifo, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        drop(UnixListener::bind(root.join("socket.yaml")).unwrap());
        fs::create_dir(root.join("sub.yaml")).unwrap();
    });
    compare("64-no-files", &told_of(&dir));
}

#[test]
fn a_device_is_no_file() {
    let dir = folder(|_| {});
    let device = dir.path().join("desired-state/device.yaml");
    // The numbers of /dev/zero, which never ends.
    let zero = rustix::fs::makedev(1, 5);
    let mode = Mode::from_raw_mode(0o600);
    match rustix::fs::mknodat(CWD, &device, FileType::CharacterDevice, mode, zero) {
        Ok(()) => compare("64b-device", &told_of(&dir)),
        Err(why) => println!("skipped: no device can be made here: {why}"),
    }
}

#[test]
fn a_file_with_a_second_name_is_read_and_told() {
    let dir = folder(|_| {});
    let web = dir.path().join("desired-state/web.yaml");
    fs::hard_link(web, dir.path().join("elsewhere.yaml")).unwrap();
    compare("65-hard-link", &told_of(&dir));
}

#[test]
fn of_a_hundred_thousand_names_no_more_is_held_than_the_bound() {
    let dir = folder_in_memory(|root| {
        fs::create_dir(root.join("logs")).unwrap();
        for n in 0..100_000 {
            File::create(root.join(format!("logs/{n}.txt"))).unwrap();
        }
    });
    compare("69-hundred-thousand-names", &told_of(&dir));
}

#[test]
fn of_too_many_files_it_is_said_so_and_nothing_is_written() {
    let dir = folder_in_memory(|root| {
        for n in 0..10_000 {
            fs::write(root.join(format!("{n}.yaml")), "# nothing\n").unwrap();
        }
    });
    let set = desired::load(&dir.path().join("desired-state"));
    assert_eq!(set.frozen, Frozen::All);
    let walk = set.findings.iter().filter(|f| f.rule == "too-many-files");
    let words: Vec<_> = walk
        .map(|f| (f.message.as_str(), f.help.as_deref()))
        .collect();
    let help = "put several documents into one file, separated by `---`";
    assert_eq!(
        words,
        [("more than 10000 files of desired state", Some(help))]
    );
}
