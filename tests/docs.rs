//! Docs: the generated pages are up to date, and what the written ones show works.

use std::fs;
use std::path::Path;

use clap::Parser as _;
use evenkeel::cli::args::Cli;
use evenkeel::docs;
use evenkeel::engine::desired;
use evenkeel::model::finding::Severity;

fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_generated_pages_are_as_the_code_says() {
    let update = std::env::var_os("UPDATE_DOCS").is_some();
    let mut stale = Vec::new();
    for (path, text) in docs::pages() {
        let file = package().join(&path);
        if fs::read_to_string(&file).is_ok_and(|found| found == text) {
            continue;
        }
        if update {
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, text).unwrap();
        } else {
            stale.push(path);
        }
    }
    assert!(
        stale.is_empty(),
        "stale: {stale:?}; run `UPDATE_DOCS=1 cargo test --test main docs` and commit them"
    );
}

#[test]
fn no_generated_page_is_left_over() {
    let pages = docs::pages();
    for entry in fs::read_dir(package().join("docs/reference")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let path = format!("docs/reference/{name}");
        assert!(
            pages.contains_key(&path),
            "{path} is no page any more: delete it"
        );
    }
}

/// The names of the variants of `enum Hold`, read from its source, so that none can be forgotten.
fn holds() -> Vec<String> {
    let source = fs::read_to_string(package().join("src/model/change.rs")).unwrap();
    let (_, body) = source.split_once("pub enum Hold {").unwrap();
    let (body, _) = body.split_once("\n}\n").unwrap();
    body.lines()
        .filter_map(|line| line.strip_prefix("    "))
        .filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase()))
        .map(|line| line.trim_end_matches([' ', '{', ',']).to_owned())
        .collect()
}

#[test]
fn the_operations_guide_explains_every_hold_and_no_other() {
    let guide = fs::read_to_string(package().join("docs/operations.md")).unwrap();
    let explained: Vec<String> = guide
        .lines()
        .filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`'))
        .map(str::to_owned)
        .collect();
    let holds = holds();
    assert!(holds.len() > 10, "{holds:?}");
    assert_eq!(explained, holds);
}

/// The Markdown files that people read.
fn written() -> Vec<(String, String)> {
    let mut files = vec!["README.md".into(), "CONTRIBUTING.md".into()];
    for folder in ["docs", "docs/reference"] {
        for entry in fs::read_dir(package().join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name.ends_with(".md") {
                files.push(format!("{folder}/{name}"));
            }
        }
    }
    files.sort();
    files
        .into_iter()
        .filter_map(|file| Some((file.clone(), fs::read_to_string(package().join(file)).ok()?)))
        .collect()
}

/// The fenced blocks of `language` in `text`, with the line where each starts.
fn blocks<'t>(text: &'t str, language: &str) -> Vec<(usize, Vec<&'t str>)> {
    let mut found: Vec<(usize, Vec<&str>)> = Vec::new();
    let mut fence = None;
    for (number, line) in (1..).zip(text.lines()) {
        match (fence, line.strip_prefix("```")) {
            (None, Some(word)) => {
                fence = Some(word == language);
                if word == language {
                    found.push((number, Vec::new()));
                }
            }
            (Some(_), Some(_)) => fence = None,
            (Some(true), None) => found.last_mut().unwrap().1.push(line),
            _ => {}
        }
    }
    found
}

#[test]
fn every_document_that_the_docs_show_loads() {
    let mut shown = 0;
    for (file, text) in written() {
        for (line, block) in blocks(&text, "yaml") {
            let block = block.join("\n") + "\n";
            if !block.contains("apiVersion:") {
                continue;
            }
            shown += 1;
            let set = desired::load_files([(file.as_str(), block.as_bytes())]);
            // A document on its own may refer to one that the page does not show.
            let faults: Vec<String> = set
                .findings
                .iter()
                .filter(|f| f.severity == Severity::Error && !f.rule.contains("reference"))
                .map(|f| f.message.clone())
                .collect();
            assert!(faults.is_empty(), "{file}:{line}: {faults:?}");
        }
    }
    assert!(shown > 0);
}

#[test]
fn every_link_between_pages_leads_somewhere() {
    for (file, text) in written() {
        let folder = package().join(&file).parent().unwrap().to_owned();
        for link in text.split("](").skip(1) {
            let target = link.split([')', '#']).next().unwrap();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            assert!(folder.join(target).exists(), "{file}: {target}");
        }
    }
}

#[test]
fn every_application_that_is_shipped_loads_and_satisfies_the_editors_schema() {
    let schema = evenkeel::schema::editors(evenkeel::kinds::KINDS);
    let validator = jsonschema::validator_for(&schema).unwrap();
    let mut shown = 0;
    for folder in [
        "desired-state",
        "examples/personal-journal",
        "examples/semiont",
    ] {
        let set = desired::load(&package().join(folder));
        assert!(set.findings.is_empty(), "{folder}: {:#?}", set.findings);
        let policies = set.policies.values().map(|policy| &policy.document);
        for document in set.documents.values().chain(policies) {
            let whole = serde_json::json!({
                "apiVersion": evenkeel::source::API_VERSION,
                "kind": document.key.kind,
                "metadata": {"app": document.key.app, "name": document.key.name},
                "spec": document.spec,
            });
            let faults: Vec<String> = validator
                .iter_errors(&whole)
                .map(|error| error.to_string())
                .collect();
            assert!(faults.is_empty(), "{}: {faults:?}", document.key);
            shown += 1;
        }
    }
    assert!(shown > 20);
}

#[test]
fn every_command_that_the_docs_show_can_be_typed() {
    let mut shown = 0;
    for (file, text) in written() {
        for (line, block) in blocks(&text, "console") {
            for typed in block.iter().filter_map(|l| l.strip_prefix("$ ")) {
                let typed = typed.split(" > ").next().unwrap();
                // Words in quotes belong together.
                let words = typed
                    .split('"')
                    .enumerate()
                    .flat_map(|(i, part)| match i % 2 {
                        0 => part.split_whitespace().collect(),
                        _ => vec![part],
                    });
                let parsed = Cli::try_parse_from(words);
                assert!(parsed.is_ok(), "{file}:{line}: {}", parsed.unwrap_err());
                shown += 1;
            }
        }
    }
    assert!(shown > 10, "{shown}");
}
