//! Trees: the files of desired state in one commit, within the same limits as those of a folder.

use std::collections::BTreeMap;

use super::command::{Git, GitError, LOCAL_LIMIT, REMOTE_LIMIT, refused};
use crate::model::document::Span;
use crate::model::finding::Finding;
use crate::model::source::CommitId;
use crate::source::walk::{ALL_BYTES, DEPTH, FILE_BYTES, FILES, NAMES, is_ignored, is_yaml};

/// What a commit has below the folder of desired state.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Content {
    /// The folder that it is of, from the root of the repository; empty for all.
    pub folder: String,
    /// The files, by their path from the root of the repository.
    pub files: BTreeMap<String, Vec<u8>>,
    /// What is not as it should be: each keeps all from being written.
    pub odd: Vec<Finding>,
}

/// A file that is to be read.
struct Blob {
    path: String,
    id: String,
}

/// Reads the folder `folder` (empty for all) of `commit`. A folder that is not there has no files.
pub fn read(git: &Git, commit: &CommitId, folder: &str) -> Result<Content, GitError> {
    let mut content = Content {
        folder: folder.to_owned(),
        ..Content::default()
    };
    let Some(tree) = tree_of(git, commit, folder)? else {
        return Ok(content);
    };
    let words = ["ls-tree", "-r", "-z", "--full-tree", tree.as_str()];
    let listed = git.ask(&words, LOCAL_LIMIT)?;
    let blobs = chosen(&listed, folder, &mut content.odd);
    let sizes = sizes(git, &blobs)?;
    let mut total: u64 = 0;
    let mut wanted = Vec::new();
    for blob in blobs {
        let size = sizes.get(&blob.id).copied().unwrap_or(0);
        total = total.saturating_add(size);
        if total > ALL_BYTES {
            content.odd.push(odd(
                "too-many-files",
                &blob.path,
                format!("the files have more than {ALL_BYTES} bytes together"),
                "point evenkeel at a folder that holds only desired state",
            ));
            break;
        }
        if size > FILE_BYTES {
            content.odd.push(odd(
                "file-too-large",
                &blob.path,
                format!(
                    "{} has {size} bytes; at most {FILE_BYTES} are read",
                    blob.path
                ),
                "split it; if it is not desired state, move it out of the folder",
            ));
        } else {
            wanted.push(blob);
        }
    }
    content.files = contents(git, wanted)?;
    Ok(content)
}

/// The tree of `folder`; `None` where the commit has no such folder.
fn tree_of(git: &Git, commit: &CommitId, folder: &str) -> Result<Option<String>, GitError> {
    if folder.is_empty() {
        return Ok(Some(commit.to_string()));
    }
    let words = [
        "ls-tree",
        "-z",
        "--full-tree",
        "-d",
        commit.as_str(),
        "--",
        folder,
    ];
    let listed = git.ask(&words, LOCAL_LIMIT)?;
    Ok(entries(&listed)
        .find(|entry| entry.mode == "040000" && entry.path == folder.as_bytes())
        .map(|entry| entry.id.to_owned()))
}

/// One line of `ls-tree -z`.
struct Line<'l> {
    mode: &'l str,
    id: &'l str,
    path: &'l [u8],
}

fn entries(listed: &[u8]) -> impl Iterator<Item = Line<'_>> {
    listed.split(|b| *b == 0).filter_map(|line| {
        let tab = line.iter().position(|b| *b == b'\t')?;
        let head = std::str::from_utf8(line.get(..tab)?).ok()?;
        let mut head = head.split(' ');
        let (mode, _, id) = (head.next()?, head.next()?, head.next()?);
        Some(Line {
            mode,
            id,
            path: line.get(tab + 1..)?,
        })
    })
}

/// The files of a listing that are desired state; what stands in the way of others is odd.
fn chosen(listed: &[u8], folder: &str, found: &mut Vec<Finding>) -> Vec<Blob> {
    let mut blobs = Vec::new();
    for (names, line) in entries(listed).enumerate() {
        let below = |path: &str| match folder {
            "" => path.to_owned(),
            folder => format!("{folder}/{path}"),
        };
        let shown = below(&show(line.path));
        if names >= NAMES {
            found.push(odd(
                "too-many-files",
                &shown,
                format!("more than {NAMES} names lie in the folder"),
                "point evenkeel at a folder that holds only desired state",
            ));
            break;
        }
        let mut parts = line.path.split(|b| *b == b'/');
        if parts.clone().any(is_ignored) {
            continue;
        }
        if parts.clone().count() > DEPTH {
            found.push(odd(
                "too-deep",
                &shown,
                format!("{shown} lies more than {DEPTH} folders deep"),
                "move its files up",
            ));
            continue;
        }
        let name = parts.next_back().unwrap_or_default();
        match line.mode {
            "120000" => found.push(odd(
                "symlink-in-commit",
                &shown,
                format!("{shown} is a symbolic link, and none is followed in a commit"),
                "put a copy of the file in its place",
            )),
            "160000" => found.push(odd(
                "submodule",
                &shown,
                format!("{shown} is a submodule, and none is read"),
                "put its documents into this repository: they are under the same review then",
            )),
            "100644" | "100755" | "100664" if is_yaml(name) => {
                let Ok(path) = std::str::from_utf8(line.path) else {
                    found.push(odd(
                        "bad-file-name",
                        &shown,
                        format!("the name of {shown} is not UTF-8"),
                        "rename the file",
                    ));
                    continue;
                };
                if blobs.len() >= FILES {
                    found.push(odd(
                        "too-many-files",
                        &shown,
                        format!("more than {FILES} files of desired state"),
                        "put several documents into one file, separated by `---`",
                    ));
                    break;
                }
                blobs.push(Blob {
                    path: below(path),
                    id: line.id.to_owned(),
                });
            }
            _ => {}
        }
    }
    blobs
}

/// The size of each blob, by its id. What a clone without blobs lacks is fetched, all at once.
fn sizes(git: &Git, blobs: &[Blob]) -> Result<BTreeMap<String, u64>, GitError> {
    let here = checked(git, blobs)?;
    let missing: Vec<&str> = blobs
        .iter()
        .map(|blob| blob.id.as_str())
        .filter(|id| !here.contains_key(*id))
        .collect();
    if missing.is_empty() {
        return Ok(here);
    }
    let words = [
        "fetch",
        "--quiet",
        "--no-tags",
        "--no-write-fetch-head",
        "--recurse-submodules=no",
        "--filter=blob:none",
        "--stdin",
        "origin",
    ];
    let said = git.run(&words, lines(&missing).as_bytes(), REMOTE_LIMIT)?;
    if said.code != Some(0) {
        return Err(refused(&words, &said));
    }
    let all = checked(git, blobs)?;
    match blobs.iter().find(|blob| !all.contains_key(&blob.id)) {
        Some(blob) => Err(GitError::Refused {
            act: "fetch".to_owned(),
            said: format!("the remote did not give {} ({})", blob.path, blob.id),
        }),
        None => Ok(all),
    }
}

/// The sizes of those blobs that are here.
fn checked(git: &Git, blobs: &[Blob]) -> Result<BTreeMap<String, u64>, GitError> {
    let ids: Vec<&str> = blobs.iter().map(|blob| blob.id.as_str()).collect();
    let words = [
        "cat-file",
        "--batch-check=%(objectname) %(objecttype) %(objectsize)",
    ];
    let git = git.alone();
    let said = git.run(&words, lines(&ids).as_bytes(), LOCAL_LIMIT)?;
    if said.code != Some(0) {
        return Err(refused(&words, &said));
    }
    let text = String::from_utf8_lossy(&said.out);
    Ok(text
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            let (id, kind, size) = (words.next()?, words.next()?, words.next()?);
            (kind == "blob").then_some(())?;
            Some((id.to_owned(), size.parse().ok()?))
        })
        .collect())
}

/// What the blobs hold, by their paths.
fn contents(git: &Git, blobs: Vec<Blob>) -> Result<BTreeMap<String, Vec<u8>>, GitError> {
    if blobs.is_empty() {
        return Ok(BTreeMap::new());
    }
    let ids: Vec<&str> = blobs.iter().map(|blob| blob.id.as_str()).collect();
    let words = ["cat-file", "--batch=%(objectname) %(objectsize)"];
    let said = git.run(&words, lines(&ids).as_bytes(), LOCAL_LIMIT)?;
    if said.code != Some(0) {
        return Err(refused(&words, &said));
    }
    let mut rest = said.out.as_slice();
    let mut files = BTreeMap::new();
    for blob in blobs {
        let Some((bytes, left)) = next_blob(rest, &blob.id) else {
            return Err(GitError::Refused {
                act: "cat-file".to_owned(),
                said: format!("it did not give {} ({})", blob.path, blob.id),
            });
        };
        rest = left;
        files.insert(blob.path, bytes.to_owned());
    }
    Ok(files)
}

/// The first object of `cat-file --batch`, if it is `id`, and what comes after it.
fn next_blob<'o>(out: &'o [u8], id: &str) -> Option<(&'o [u8], &'o [u8])> {
    let line = out.iter().position(|b| *b == b'\n')?;
    let head = std::str::from_utf8(out.get(..line)?).ok()?;
    let (found, size) = head.split_once(' ')?;
    let size: usize = size.parse().ok()?;
    let body = out.get(line + 1..)?;
    let (bytes, rest) = (body.get(..size)?, body.get(size..)?);
    (found == id && rest.first() == Some(&b'\n')).then_some(())?;
    Some((bytes, rest.get(1..)?))
}

fn lines(ids: &[&str]) -> String {
    ids.iter().flat_map(|id| [*id, "\n"]).collect()
}

fn odd(rule: &str, path: &str, message: String, help: &str) -> Finding {
    let at = Span {
        file: path.into(),
        line: 1,
        column: 1,
    };
    Finding::error(rule, message).help(help).at(at)
}

/// A name as it can be printed on one line.
fn show(name: &[u8]) -> String {
    String::from_utf8_lossy(name)
        .chars()
        .map(|c| match c {
            c if c.is_control() || crate::source::bytes::is_invisible(c) => '\u{fffd}',
            c => c,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(lines: &[(&str, &str)]) -> Vec<u8> {
        let id = "a".repeat(40);
        lines
            .iter()
            .flat_map(|(mode, path)| format!("{mode} blob {id}\t{path}\0").into_bytes())
            .collect()
    }

    #[test]
    fn only_documents_are_chosen_and_links_and_submodules_are_odd() {
        let listed = listing(&[
            ("100644", "web.yaml"),
            ("100755", "deep/er/api.YML"),
            ("100644", "README.md"),
            ("100644", ".github/workflow.yaml"),
            ("100644", "web.yaml~"),
            ("120000", "link.yaml"),
            ("160000", "module"),
        ]);
        let mut odd = Vec::new();
        let blobs = chosen(&listed, "desired-state", &mut odd);
        let paths: Vec<&str> = blobs.iter().map(|blob| blob.path.as_str()).collect();
        assert_eq!(
            paths,
            ["desired-state/web.yaml", "desired-state/deep/er/api.YML"]
        );
        let rules: Vec<&str> = odd.iter().map(|f| f.rule.as_str()).collect();
        assert_eq!(rules, ["symlink-in-commit", "submodule"]);
    }

    #[test]
    fn too_many_and_too_deep_end_as_they_do_in_a_folder() {
        let names: Vec<String> = (0..=FILES).map(|n| format!("{n}.yaml")).collect();
        let lines: Vec<(&str, &str)> = names.iter().map(|n| ("100644", n.as_str())).collect();
        let mut odd = Vec::new();
        assert_eq!(chosen(&listing(&lines), "", &mut odd).len(), FILES);
        assert_eq!(odd[0].rule, "too-many-files");
        let deep = format!("{}a.yaml", "d/".repeat(DEPTH));
        let mut odd = Vec::new();
        assert!(chosen(&listing(&[("100644", &deep)]), "", &mut odd).is_empty());
        assert_eq!(odd[0].rule, "too-deep");
    }

    #[test]
    fn an_object_that_is_cut_off_or_another_one_is_not_taken() {
        let out = b"aa 3\nxyz\nbb 1\n!\n";
        let (bytes, rest) = next_blob(out, "aa").unwrap();
        assert_eq!(bytes, b"xyz");
        assert_eq!(next_blob(rest, "bb").unwrap().0, b"!");
        assert_eq!(next_blob(rest, "cc"), None);
        assert_eq!(next_blob(b"aa 9\nxyz\n", "aa"), None);
        assert_eq!(next_blob(b"aa missing\n", "aa"), None);
    }
}
