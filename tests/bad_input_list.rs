//! The list of bad inputs: whether every one of the 75 has its file or test, and every file its number.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// How many kinds of bad input the list has.
const NUMBERS: usize = 75;
/// Where inputs lie, and what is said about them.
const FOLDERS: [&str; 3] = ["bad-inputs", "bad-documents", "bad-files"];

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

/// The rows of the list: number, what it is, what holds it.
fn rows() -> Vec<(usize, String, String)> {
    let text = fs::read_to_string(tests().join("bad-inputs/INDEX.md")).unwrap();
    text.lines()
        .filter_map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
            let [number, what, held] = cells.as_slice() else {
                return None;
            };
            Some((number.parse().ok()?, (*what).into(), (*held).into()))
        })
        .collect()
}

/// What stands in backticks.
fn named(held: &str) -> Vec<&str> {
    held.split('`').skip(1).step_by(2).collect()
}

/// The files named, below `tests`.
fn files(held: &str) -> Vec<&str> {
    let is_file = |name: &&str| FOLDERS.iter().any(|f| name.starts_with(&format!("{f}/")));
    named(held).into_iter().filter(is_file).collect()
}

/// The sources that a test's path such as `source::walk::tests::name` or `guard::name` may be in.
fn source_of(test: &str) -> Option<(PathBuf, &str)> {
    let (modules, name) = test.rsplit_once("::")?;
    let modules = modules.trim_end_matches("::tests");
    let root = tests().join("..");
    let path = modules.replace("::", "/");
    [
        root.join("tests").join(format!("{path}.rs")),
        root.join("src").join(format!("{path}.rs")),
        root.join("src").join(&path).join("mod.rs"),
    ]
    .into_iter()
    .find(|path| path.is_file())
    .map(|path| (path, name))
}

#[test]
fn every_number_of_the_list_is_there_once_and_held_by_something() {
    let rows = rows();
    let numbers: Vec<usize> = rows.iter().map(|row| row.0).collect();
    assert_eq!(numbers, (1..=NUMBERS).collect::<Vec<_>>());
    for (number, what, held) in rows {
        assert!(!what.is_empty(), "{number}");
        let excused = held.contains("does not apply: ") || held.contains("does not apply yet: ");
        assert!(excused || !named(&held).is_empty(), "{number}: {held}");
    }
}

#[test]
fn every_file_and_test_that_the_list_names_exists() {
    for (number, _, held) in rows() {
        for name in named(&held) {
            let there = match source_of(name) {
                _ if FOLDERS.iter().any(|f| name.starts_with(f)) => tests().join(name).exists(),
                Some((path, test)) => {
                    let source = fs::read_to_string(path).unwrap();
                    source.contains(&format!("fn {test}("))
                }
                None => false,
            };
            assert!(there, "{number}: there is no {name}");
        }
    }
}

#[test]
fn every_bad_input_is_on_the_list() {
    let rows = rows();
    let listed: BTreeSet<&str> = rows.iter().flat_map(|row| files(&row.2)).collect();
    let more = fs::read_to_string(tests().join("bad-inputs/INDEX.md")).unwrap();
    let beyond: BTreeSet<&str> = more
        .lines()
        .filter(|line| line.starts_with("- "))
        .flat_map(files)
        .collect();
    let mut unlisted = Vec::new();
    for folder in FOLDERS {
        let mut have: BTreeMap<String, usize> = BTreeMap::new();
        for entry in fs::read_dir(tests().join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let input = match name.strip_suffix(".expected") {
                Some(stem) if folder == "bad-files" => format!("{stem}.expected"),
                Some(_) => continue,
                None => name,
            };
            if input.starts_with(|c: char| c.is_ascii_digit()) {
                have.insert(format!("{folder}/{input}"), 0);
            }
        }
        let known =
            |name: &&String| listed.contains(name.as_str()) || beyond.contains(name.as_str());
        unlisted.extend(have.into_keys().filter(|name| !known(&name)));
    }
    assert!(unlisted.is_empty(), "{unlisted:#?}");
    for (number, _, held) in &rows {
        for file in files(held) {
            let (_, name) = file.split_once('/').unwrap();
            let digits = name.trim_start_matches('0');
            let its = digits.split(|c: char| !c.is_ascii_digit()).next().unwrap();
            assert_eq!(its, number.to_string(), "{file} stands at number {number}");
        }
    }
}

#[test]
fn every_input_has_what_is_told_of_it_beside_it() {
    for folder in ["bad-inputs", "bad-documents"] {
        for entry in fs::read_dir(tests().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if name.starts_with(|c: char| c.is_ascii_digit()) {
                let expected = path.with_extension("expected");
                assert!(expected.is_file(), "{folder}/{name}");
                let stem = path.with_extension("");
                let input = stem.is_dir() || path.with_extension("yaml").is_file();
                assert!(input, "{folder}/{name} is of no input");
            }
        }
    }
}
