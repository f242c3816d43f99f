//! Properties: what holds of every desired state, however it was written, cut or spoilt.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use evenkeel::engine::desired::load_files;
use evenkeel::model::document::{DesiredSet, Frozen};
use evenkeel::model::finding::Severity;
use evenkeel::model::tree::Tree;
use proptest::prelude::*;
use proptest::sample::Index;

/// Every document that is shipped, by its name.
static SHIPPED: LazyLock<Vec<(String, String)>> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<PathBuf> = [
        "examples/personal-journal",
        "examples/semiont",
        "desired-state",
    ]
    .iter()
    .flat_map(|folder| fs::read_dir(root.join(folder)).unwrap())
    .map(|entry| entry.unwrap().path())
    .collect();
    files.sort();
    files
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(root).unwrap().display().to_string();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect()
});

fn read(bytes: &[u8]) -> DesiredSet {
    load_files([("a.yaml", bytes)])
}

/// An error of the loader alone: what the kinds check of a set needs the set's other files.
fn has_error(set: &DesiredSet) -> bool {
    set.findings.iter().any(|f| f.severity == Severity::Error)
}

fn specs(set: &DesiredSet) -> BTreeMap<String, &Tree> {
    let documents = set.documents.iter();
    documents
        .map(|(key, d)| (key.to_string(), &d.spec))
        .collect()
}

/// Whether all that `part` says `whole` says, too: fields may be missing, and lists may end early.
fn is_part(part: &Tree, whole: &Tree) -> bool {
    match (part, whole) {
        (Tree::Object(part), Tree::Object(whole)) => part
            .iter()
            .all(|(name, value)| whole.get(name).is_some_and(|w| is_part(value, w))),
        (Tree::Array(part), Tree::Array(whole)) => {
            part.len() <= whole.len() && part.iter().zip(whole).all(|(p, w)| is_part(p, w))
        }
        _ => part == whole,
    }
}

/// What must hold of anything that was read from `bytes`.
fn lawful(bytes: &[u8]) -> Result<DesiredSet, TestCaseError> {
    let set = read(bytes);
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.split('\n').collect();
    for finding in &set.findings {
        prop_assert!(
            !finding.message.is_empty() && finding.help.is_some(),
            "{finding:?}"
        );
        let Some(at) = &finding.at else { continue };
        prop_assert!(
            (1..=lines.len()).contains(&(at.line as usize)),
            "{finding:?}"
        );
        let columns = lines[at.line as usize - 1].chars().count();
        prop_assert!(
            (1..=columns + 1).contains(&(at.column as usize)),
            "{finding:?}"
        );
    }
    prop_assert!(!has_error(&set) || set.frozen != Frozen::None, "{set:?}");
    Ok(set)
}

/// A cut that leaves something that loads loads less, never something else. Of what is less nothing
/// is written, but for the entries of a list that ends early: there the folder's rest protects, or a
/// plan that a person reads. What stands before a cut document in its file is whole, so each is cut by
/// itself; the files are cut at the ends of their lines.
#[test]
fn an_example_cut_at_any_byte_loads_no_value_that_it_does_not_have() {
    let (mut cuts, mut silent) = (0, 0);
    for (name, text) in SHIPPED.iter() {
        let at_any_byte = text
            .split_inclusive("---\n")
            .flat_map(|document| (0..document.len()).map(|end| &document[..end]));
        let lines = text.match_indices('\n').map(|(at, _)| &text[..=at]);
        let whole = read(text.as_bytes());
        let wanted = specs(&whole);
        for text in at_any_byte.chain(lines) {
            let cut = lawful(text.as_bytes()).unwrap();
            for (key, spec) in specs(&cut) {
                let frozen = cut.frozen.holds(key.split('/').next().unwrap());
                let same = wanted.get(&key).is_some_and(|whole| is_part(spec, whole));
                assert!(frozen || same, "{name} cut to {text}: {key} {spec}");
            }
            cuts += 1;
            silent += usize::from(!has_error(&cut));
        }
    }
    println!("{cuts} cuts, {silent} of them without an error");
    assert!(silent * 5 < cuts, "{silent} of {cuts}");
}

/// One way to spoil a text.
#[derive(Clone, Debug)]
enum Edit {
    Flip(Index, u8),
    Insert(Index, String),
    Delete(Index, usize),
    RepeatLine(Index),
    DropLine(Index),
    SwapLines(Index, Index),
    Cut(Index),
}

fn edit() -> impl Strategy<Value = Edit> {
    let index = any::<Index>;
    let piece = prop_oneof![
        "[ \\n\\t:,\\-\\[\\]{}&*#|>'\"!%@`?~0-9a-z]{1,4}",
        Just("---\n".to_owned()),
        Just("<<: *a\n".to_owned()),
        Just("&a ".to_owned()),
        Just("{{ x }}".to_owned()),
        Just("\u{feff}".to_owned()),
        Just("\u{202e}".to_owned()),
        Just("\r".to_owned()),
    ];
    prop_oneof![
        (index(), any::<u8>()).prop_map(|(at, byte)| Edit::Flip(at, byte)),
        (index(), piece).prop_map(|(at, text)| Edit::Insert(at, text)),
        (index(), 1..20_usize).prop_map(|(at, length)| Edit::Delete(at, length)),
        index().prop_map(Edit::RepeatLine),
        index().prop_map(Edit::DropLine),
        (index(), index()).prop_map(|(a, b)| Edit::SwapLines(a, b)),
        index().prop_map(Edit::Cut),
    ]
}

fn spoil(bytes: &mut Vec<u8>, edit: &Edit) {
    if bytes.is_empty() {
        return;
    }
    let by_lines = |bytes: &mut Vec<u8>, act: &dyn Fn(&mut Vec<Vec<u8>>)| {
        let mut lines = bytes.split(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
        act(&mut lines);
        *bytes = lines.join(&b'\n');
    };
    match edit {
        Edit::Flip(at, byte) => {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        Edit::Insert(at, text) => {
            let at = at.index(bytes.len() + 1);
            bytes.splice(at..at, text.bytes());
        }
        Edit::Delete(at, length) => {
            let at = at.index(bytes.len());
            bytes.drain(at..(at + length).min(bytes.len()));
        }
        Edit::RepeatLine(at) => by_lines(bytes, &|lines| {
            let at = at.index(lines.len());
            lines.insert(at, lines[at].clone());
        }),
        Edit::DropLine(at) => by_lines(bytes, &|lines| {
            lines.remove(at.index(lines.len()));
        }),
        Edit::SwapLines(a, b) => by_lines(bytes, &|lines| {
            let (a, b) = (a.index(lines.len()), b.index(lines.len()));
            lines.swap(a, b);
        }),
        Edit::Cut(at) => bytes.truncate(at.index(bytes.len())),
    }
}

/// One document as YAML in another hand: keys in another order, mappings and lists in blocks or in
/// flow, indented otherwise, texts quoted in either way.
fn rewritten(value: &Tree, hand: &mut impl FnMut(usize) -> usize) -> String {
    let mut out = String::new();
    block(value, 0, 1 + hand(5), hand, &mut out);
    out
}

fn block(
    value: &Tree,
    indent: usize,
    step: usize,
    hand: &mut impl FnMut(usize) -> usize,
    out: &mut String,
) {
    let pad = " ".repeat(indent);
    match value {
        Tree::Object(members) if !members.is_empty() => {
            for name in shuffled(members.keys(), hand) {
                out.push_str(&format!(
                    "{pad}{}:",
                    scalar(&Tree::from(name.as_str()), hand)
                ));
                below(&members[name], indent, step, hand, out);
            }
        }
        Tree::Array(items) if !items.is_empty() => {
            for item in items {
                out.push_str(&format!("{pad}-"));
                below(item, indent, step, hand, out);
            }
        }
        value => out.push_str(&format!("{pad}{}\n", flow(value, hand))),
    }
}

fn below(
    value: &Tree,
    indent: usize,
    step: usize,
    hand: &mut impl FnMut(usize) -> usize,
    out: &mut String,
) {
    let nested = matches!(value, Tree::Object(m) if !m.is_empty())
        || matches!(value, Tree::Array(i) if !i.is_empty());
    if nested && hand(4) > 0 {
        out.push_str([" # a remark\n", "\n", "\n"][hand(3)]);
        block(value, indent + step, step, hand, out);
    } else {
        out.push_str(&format!(
            "{}{}\n",
            " ".repeat(1 + hand(3)),
            flow(value, hand)
        ));
    }
}

fn flow(value: &Tree, hand: &mut impl FnMut(usize) -> usize) -> String {
    let space = [" ", "", "  "][hand(3)];
    match value {
        Tree::Object(members) => {
            let names = shuffled(members.keys(), hand);
            let parts: Vec<String> = names
                .into_iter()
                .map(|name| {
                    let key = scalar(&Tree::from(name.as_str()), hand);
                    format!("{key}: {}", flow(&members[name], hand))
                })
                .collect();
            format!("{{{space}{}{space}}}", parts.join(", "))
        }
        Tree::Array(items) => {
            let parts: Vec<String> = items.iter().map(|item| flow(item, hand)).collect();
            format!("[{space}{}{space}]", parts.join(", "))
        }
        value => scalar(value, hand),
    }
}

fn scalar(value: &Tree, hand: &mut impl FnMut(usize) -> usize) -> String {
    let Tree::String(text) = value else {
        return value.to_string();
    };
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_/".contains(c))
        && text.len() > 5;
    match hand(3) {
        0 if plain => text.clone(),
        1 => format!("'{}'", text.replace('\'', "''")),
        _ => value.to_string(),
    }
}

fn shuffled<'k>(
    names: impl Iterator<Item = &'k String>,
    hand: &mut impl FnMut(usize) -> usize,
) -> Vec<&'k String> {
    let mut names: Vec<&String> = names.collect();
    for at in (1..names.len()).rev() {
        names.swap(at, hand(at + 1));
    }
    names
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(96), ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        lawful(&bytes)?;
    }

    #[test]
    fn a_spoilt_example_is_read_without_panic_and_its_findings_stand_in_it(
        which in any::<Index>(),
        edits in prop::collection::vec(edit(), 1..6),
    ) {
        let (_, text) = which.get(&SHIPPED);
        let mut bytes = text.clone().into_bytes();
        for edit in &edits {
            spoil(&mut bytes, edit);
        }
        lawful(&bytes)?;
    }

    #[test]
    fn an_example_in_another_hand_is_the_same_desired_state(
        which in any::<Index>(),
        choices in prop::collection::vec(any::<u32>(), 64),
    ) {
        let (_, text) = which.get(&SHIPPED);
        let whole = read(text.as_bytes());
        // A file of policies alone holds none.
        prop_assume!(!whole.documents.is_empty());
        let mut turn = 0;
        let mut hand = |below: usize| {
            turn += 1;
            (choices[turn % choices.len()] as usize).wrapping_add(turn / choices.len()) % below
        };
        let mut again = String::new();
        for (key, document) in &whole.documents {
            let value = serde_json::json!({
                "apiVersion": "evenkeel/v1alpha1",
                "kind": key.kind,
                "metadata": {"app": key.app, "name": key.name},
                "spec": document.spec,
            });
            again.push_str("---\n");
            again.push_str(&rewritten(&value, &mut hand));
        }
        let set = lawful(again.as_bytes())?;
        prop_assert_eq!(specs(&set), specs(&whole), "{}\n{:#?}", again, set.findings);
        let rules = |set: &DesiredSet| {
            let mut rules: Vec<_> = set.findings.iter().map(|f| f.message.clone()).collect();
            rules.sort();
            rules
        };
        prop_assert_eq!(rules(&set), rules(&whole), "{}", again);
    }
}

/// Cases of a property that costs some milliseconds each: `PROPTEST_CASES` raises them.
fn cases(few: u32) -> u32 {
    match std::env::var("PROPTEST_CASES") {
        Ok(asked) => asked.parse().unwrap(),
        Err(_) => few,
    }
}
