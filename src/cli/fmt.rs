//! `evenkeel fmt`: documents indented and ordered alike, with every comment kept.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::args::author::FmtArgs;
use super::exit::Exit;
use crate::author::fmt::{Left, formatted};
use crate::engine::desired::load_files;
use crate::render::findings;
use crate::source;

/// Runs it.
///
/// # Errors
/// A file that cannot be read or written.
pub fn run(args: &FmtArgs) -> anyhow::Result<Exit> {
    let mut exit = Exit::Fine;
    for path in &args.paths {
        let (root, only) = rooted(path)?;
        let (files, odd) = source::files(&root);
        let of_path = |name: &str| only.as_ref().is_none_or(|only| Path::new(name) == only);
        let odd: Vec<_> = odd
            .into_iter()
            .filter(|f| f.at.as_ref().is_none_or(|at| of_path(&at.file)))
            .collect();
        if !odd.is_empty() {
            exit = Exit::Failed;
            anstream::eprint!("{}", findings::text(&odd));
        }
        let mut met = false;
        for (name, bytes) in files.into_iter().filter(|(name, _)| of_path(name)) {
            met = true;
            if one(&name, &bytes, args.check)? == Exit::Failed {
                exit = Exit::Failed;
            }
        }
        if !met && odd.is_empty() && only.is_some() {
            bail!(
                "{} is no file of documents: its name ends neither in .yaml nor in .yml",
                path.display()
            );
        }
    }
    Ok(exit)
}

/// The folder to walk for `path`, and the one file in it that is meant, if it is one.
fn rooted(path: &Path) -> anyhow::Result<(PathBuf, Option<PathBuf>)> {
    let kind = fs::symlink_metadata(path).with_context(|| format!("reading {}", path.display()))?;
    if kind.is_dir() {
        return Ok((path.to_owned(), None));
    }
    if kind.is_symlink() {
        bail!(
            "{} is a symbolic link, and what it leads to may be written elsewhere; name the file \
             itself",
            path.display()
        );
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let name = path.file_name().unwrap_or_default();
    Ok((folder.to_owned(), Some(folder.join(name))))
}

fn one(name: &str, bytes: &[u8], check: bool) -> anyhow::Result<Exit> {
    let path = Path::new(name);
    if fs::symlink_metadata(path).is_ok_and(|m| m.is_symlink()) {
        anstream::eprintln!("{name}: left alone: it is a symbolic link; name the file itself");
        return Ok(Exit::Fine);
    }
    let Ok(text) = str::from_utf8(bytes) else {
        anstream::eprintln!("{name}: left alone: it is no UTF-8; save it as UTF-8 first");
        return Ok(Exit::Failed);
    };
    let done = match formatted(text) {
        Ok(done) => done,
        Err(left) => {
            anstream::eprintln!("{name}: left alone: {left}");
            if left == Left::Unreadable {
                let set = load_files([(name, bytes)]);
                anstream::eprint!("{}", findings::text(&set.findings));
            }
            return Ok(Exit::Failed);
        }
    };
    if done == text {
        return Ok(Exit::Fine);
    }
    if check {
        anstream::eprintln!("{name}: is not formatted; `evenkeel fmt` would change it");
        return Ok(Exit::Failed);
    }
    replace(path, &done)?;
    anstream::eprintln!("{name}: formatted");
    Ok(Exit::Fine)
}

/// Puts `text` in the place of the file at once, with its permissions: whoever reads meanwhile reads
/// the one or the other.
fn replace(path: &Path, text: &str) -> anyhow::Result<()> {
    let permissions = fs::metadata(path)
        .with_context(|| format!("reading {}", path.display()))?
        .permissions();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // Hidden, so that no loader reads it while it is written.
    let beside = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let written = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&beside)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.set_permissions(permissions)?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&beside, path));
    if let Err(error) = written {
        let _ = fs::remove_file(&beside);
        return Err(error).with_context(|| format!("writing {}", path.display()));
    }
    Ok(())
}
