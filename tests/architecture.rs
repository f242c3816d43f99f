//! Architecture: the rules of this house that no compiler knows, each a test over the source text.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Lines before the tests: a file longer than this answers more than one question.
const LONGEST: usize = 450;

/// Names that say nothing about what a file is for.
const NAMELESS: [&str; 6] = ["utils", "util", "helpers", "helper", "common", "misc"];

/// What a pure file must not touch: AWS, a runtime, asynchrony, files.
const IMPURE: [&str; 4] = ["aws_", "tokio", "async fn", "std::fs"];

/// One Rust file of this package.
struct Source {
    /// Relative to the package, with forward slashes.
    path: String,
    text: String,
}

impl Source {
    /// The lines before the unit tests, numbered from 1, without comments; a `//` inside a string cuts the line there.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .take_while(|line| !line.starts_with("#[cfg(test)]"))
            .enumerate()
            .map(|(index, line)| (index + 1, line.split("//").next().unwrap_or(line)))
    }

    /// Every place in the code that holds one of `words`, as `path:line: word`.
    fn mentions(&self, words: &[&str]) -> Vec<String> {
        self.code()
            .flat_map(|(number, line)| {
                words
                    .iter()
                    .filter(move |word| line.contains(**word))
                    .map(move |word| format!("{}:{number}: {word}", self.path))
            })
            .collect()
    }

    /// Pure by its folder, by its name under a kind, or because its opening docs say `Pure:`.
    fn is_pure(&self) -> bool {
        let folder = ["src/model/", "src/check/", "src/plan/", "src/control/"]
            .iter()
            .any(|folder| self.path.starts_with(folder));
        let kind = self.path.starts_with("src/kinds/")
            && ["/spec.rs", "/rules.rs"]
                .iter()
                .any(|name| self.path.ends_with(name));
        let says_so = self
            .text
            .lines()
            .take_while(|line| line.starts_with("//!"))
            .any(|line| line.contains("Pure:"));
        folder || kind || says_so
    }
}

fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All Rust files under the named folders, sorted by path.
fn sources(folders: &[&str]) -> Vec<Source> {
    let mut files: Vec<PathBuf> = Vec::new();
    let mut open: Vec<PathBuf> = folders
        .iter()
        .map(|folder| package().join(folder))
        .collect();
    while let Some(folder) = open.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    assert!(!files.is_empty(), "no Rust files under {folders:?}");
    files
        .into_iter()
        .map(|path| Source {
            text: fs::read_to_string(&path).unwrap(),
            path: path
                .strip_prefix(package())
                .unwrap()
                .to_string_lossy()
                .replace('\\', "/"),
        })
        .collect()
}

/// The crates that the manifest names itself, with the table that names each.
fn direct_dependencies(manifest: &str) -> BTreeMap<String, String> {
    let mut table = String::new();
    let mut found = BTreeMap::new();
    for line in manifest.lines() {
        if let Some(name) = line
            .trim()
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            table = name.to_owned();
            // `[dependencies.name]`, the long form.
            if let Some((_, name)) = table.split_once("dependencies.") {
                found.insert(name.to_owned(), table.clone());
            }
        } else if table.ends_with("dependencies")
            && let Some((name, _)) = line.split_once('=')
            && !line.starts_with([' ', '#', '}', ']'])
        {
            // `name.workspace = true` and the like name the crate before the first dot.
            let name = name.trim().split('.').next().unwrap_or_default();
            found.insert(name.to_owned(), table.clone());
        }
    }
    found
}

fn none(faults: &[String], rule: &str) {
    assert!(faults.is_empty(), "{rule}:\n  {}", faults.join("\n  "));
}

#[test]
fn a_pure_file_touches_no_aws_no_runtime_and_no_files() {
    let faults: Vec<String> = sources(&["src"])
        .iter()
        .filter(|source| source.is_pure())
        .flat_map(|source| source.mentions(&IMPURE))
        .collect();
    none(
        &faults,
        "pure files only compute: move this to the edge (engine, source, store, aws, a kind's aws.rs)",
    );
}

#[test]
fn a_file_says_in_its_first_line_what_it_is_for() {
    let faults: Vec<String> = sources(&["src", "tests", "benches"])
        .iter()
        .filter(|source| {
            !source
                .text
                .lines()
                .next()
                .is_some_and(|line| line.starts_with("//! "))
        })
        .map(|source| source.path.clone())
        .collect();
    none(
        &faults,
        "the first line is `//! ` and the question that the file answers",
    );
}

#[test]
fn a_file_is_short_enough_to_answer_one_question() {
    let faults: Vec<String> = sources(&["src"])
        .iter()
        .map(|source| (source.path.as_str(), source.code().count()))
        .filter(|(_, lines)| *lines > LONGEST)
        .map(|(path, lines)| format!("{path}: {lines} lines before its tests"))
        .collect();
    none(
        &faults,
        &format!("more than {LONGEST} lines: split by noun"),
    );
}

#[test]
fn a_file_is_named_for_what_it_holds() {
    let faults: Vec<String> = sources(&["src", "tests"])
        .iter()
        .map(|source| source.path.clone())
        .filter(|path| path.split(['/', '.']).any(|part| NAMELESS.contains(&part)))
        .collect();
    none(
        &faults,
        "a name such as `utils` gathers everything: name the noun",
    );
}

#[test]
fn nothing_is_left_to_be_written_later() {
    let faults: Vec<String> = sources(&["src"])
        .iter()
        .flat_map(|source| source.mentions(&["todo!(", "unimplemented!("]))
        .collect();
    none(&faults, "finish it, or leave it out");
}

#[test]
fn a_silenced_lint_says_why() {
    // `expect` complains when it is no longer needed, `allow` never does: so an `allow` needs its reason all the more.
    let faults: Vec<String> = sources(&["src"])
        .iter()
        .flat_map(|source| {
            let code: Vec<&str> = source.code().map(|(_, line)| line).collect();
            let silenced = |line: &str| {
                ["#[allow(", "#![allow(", "#[expect(", "#![expect("]
                    .iter()
                    .any(|word| line.contains(word))
            };
            (0..code.len())
                .filter(|&at| silenced(code[at]))
                .filter(|&at| {
                    let end = (at..code.len())
                        .find(|&line| code[line].trim_end().ends_with(")]"))
                        .unwrap_or(at);
                    !code[at..=end].iter().any(|line| line.contains("reason ="))
                })
                .map(|at| format!("{}:{}", source.path, at + 1))
                .collect::<Vec<_>>()
        })
        .collect();
    none(&faults, "say `reason = \"...\"`");
}

#[test]
fn every_direct_dependency_is_accounted_for() {
    let manifest = fs::read_to_string(package().join("Cargo.toml")).unwrap();
    let account = fs::read_to_string(package().join("docs/dependencies.md")).unwrap();
    let named = direct_dependencies(&manifest);
    assert!(
        named.contains_key("serde"),
        "the manifest was not understood: {named:?}"
    );
    let missing: Vec<String> = named
        .iter()
        .filter(|(name, _)| !account.contains(&format!("`{name}`")))
        .map(|(name, table)| format!("{name} ({table})"))
        .collect();
    none(
        &missing,
        "docs/dependencies.md says of each why it is here and what was rejected",
    );
    let gone: Vec<String> = account
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|rest| rest.split('|').next())
        .flat_map(|names| {
            names
                .split(',')
                .map(|name| name.trim().trim_matches('`').to_owned())
                .collect::<Vec<_>>()
        })
        .filter(|name| !named.contains_key(name))
        .collect();
    none(
        &gone,
        "docs/dependencies.md accounts for crates that Cargo.toml no longer names",
    );
}

#[test]
fn both_forms_of_a_dependency_are_read_from_a_manifest() {
    let manifest = "[package]\nname = \"x\"\n[dependencies]\na = \"1\"\nb.version = \"2\"\nc = { version = \"3\", features = [\n  \"d\",\n] }\n\
                    [dev-dependencies.e]\nversion = \"5\"\n[lints.rust]\nf = \"warn\"\n";
    let names: Vec<String> = direct_dependencies(manifest).into_keys().collect();
    assert_eq!(names, ["a", "b", "c", "e"]);
}

#[test]
fn purity_is_judged_by_place_or_word_and_only_over_code() {
    let file = |path: &str, text: &str| Source {
        path: path.to_owned(),
        text: text.to_owned(),
    };
    let rules = file(
        "src/kinds/alarm/rules.rs",
        "//! Rules.\n// tokio in a comment\nuse std::fs;\n#[cfg(test)]\nuse tokio;\n",
    );
    assert!(rules.is_pure());
    assert_eq!(
        rules.mentions(&IMPURE),
        ["src/kinds/alarm/rules.rs:3: std::fs"]
    );
    assert!(file("src/a.rs", "//! A.\n//!\n//! Pure: only values.\n").is_pure());
    assert!(!file("src/kinds/alarm/aws.rs", "//! A.\n// Pure:\n").is_pure());
}
