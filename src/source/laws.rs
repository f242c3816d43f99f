//! Laws: what holds for every input, whatever it is.

use proptest::prelude::*;
use serde_json::json;

use super::{KindShape, load_files};
use crate::model::document::{DesiredSet, Frozen};
use crate::model::finding::Severity;

const GOOD: &str = "\
apiVersion: evenkeel/v1alpha1
kind: Service
metadata: {app: shop, name: web}
spec: &web
  cluster: 'main'
  cpu: 512 # units
  tags: {team: \"jour\\u006eal\", größe: klein}
  scaling:
    minCapacity: 1
    policies:
      - &cpu {name: cpu, value: 70.5}
      - <<: *cpu
  note: |
    two
    lines
---
apiVersion: evenkeel/v1alpha1
kind: Service
metadata:
  app: blog
  name: api
spec: {cluster: main}
";

fn schema() -> serde_json::Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["cluster"],
        "properties": {
            "cluster": {"type": "string", "minLength": 1},
            "cpu": {"type": ["integer", "null"], "format": "uint32", "minimum": 0},
            "tags": {"type": "object", "additionalProperties": {"type": "string"}},
            "note": {"type": "string", "pattern": "^two"},
            "scaling": {"anyOf": [{"$ref": "#/$defs/Scaling"}, {"type": "null"}]},
        },
        "$defs": {
            "Scaling": {
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "minCapacity": {"type": "integer"},
                    "policies": {"type": "array", "items": {"$ref": "#/$defs/Policy"}},
                },
            },
            "Policy": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "value": {"type": "number"}},
            },
        },
    })
}

fn read(bytes: &[u8]) -> DesiredSet {
    let schema = schema();
    let kinds = [KindShape {
        name: "Service",
        spec_schema: &schema,
    }];
    load_files([("a.yaml", bytes)], &kinds, |set| set)
}

/// Checks what must hold of any set that was read from `bytes`.
fn lawful(bytes: &[u8]) -> Result<DesiredSet, TestCaseError> {
    let set = read(bytes);
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let text = String::from_utf8_lossy(bytes).replace('\0', "");
    let lines: Vec<&str> = text.split('\n').collect();
    let mut errors = 0;
    for finding in &set.findings {
        let Some(at) = &finding.at else { continue };
        let line = lines.get(at.line as usize - 1);
        prop_assert!(line.is_some(), "{finding:?}");
        let columns = line.map_or(0, |line| line.chars().count());
        prop_assert!(at.column as usize <= columns + 1, "{finding:?}");
        if let Some(snippet) = &finding.snippet {
            prop_assert!(snippet.contains('^'), "{snippet}");
        }
        errors += usize::from(finding.severity == Severity::Error);
    }
    // An error always keeps something from being written.
    prop_assert!(errors == 0 || set.frozen != Frozen::None, "{set:?}");
    for document in set.documents.values() {
        prop_assert!(document.spec.is_object());
        for (path, line, column) in document.fields.iter() {
            prop_assert!(lines.len() >= line as usize, "{path} {line}:{column}");
        }
    }
    Ok(set)
}

#[test]
fn the_good_file_is_read_as_it_was_written() {
    let set = read(GOOD.as_bytes());
    assert_eq!(set.findings, []);
    let web = set.find("shop", "Service", "web").unwrap();
    assert_eq!(
        web.spec,
        json!({
            "cluster": "main", "cpu": 512, "tags": {"team": "journal", "größe": "klein"},
            "scaling": {"minCapacity": 1, "policies": [
                {"name": "cpu", "value": 70.5}, {"name": "cpu", "value": 70.5}]},
            "note": "two\nlines\n",
        })
    );
    let place = |path: &str| {
        let span = web.span_of(path);
        (span.line, span.column)
    };
    assert_eq!(place("cpu"), (6, 3));
    assert_eq!(place("tags.größe"), (7, 32));
    assert_eq!(place("scaling.policies.0.value"), (11, 26));
    assert_eq!(place("scaling.policies.1"), (12, 9));
    // A merged key stands where it was written.
    assert_eq!(place("scaling.policies.1.value"), (11, 26));
    assert_eq!(place("memory"), (4, 1));
    assert_eq!(set.frozen, Frozen::None);
}

#[test]
fn a_file_cut_at_any_byte_never_loads_something_else_without_a_word() {
    let whole = read(GOOD.as_bytes());
    for end in 0..GOOD.len() {
        let set = lawful(&GOOD.as_bytes()[..end]).unwrap();
        for (key, document) in &set.documents {
            assert!(
                whole.documents.contains_key(key) || key.app != "shop",
                "{end}: {key}"
            );
            assert!(document.spec.get("cluster").is_some(), "{end}");
        }
    }
}

#[test]
fn an_error_in_one_app_leaves_the_others_free() {
    let bad = GOOD.replace("cpu: 512", "cpu: many");
    let set = read(bad.as_bytes());
    assert_eq!(set.findings.len(), 1);
    assert_eq!(set.frozen, Frozen::Apps(["shop".to_owned()].into()));
    assert!(set.find("blog", "Service", "api").is_some());
}

#[test]
fn a_thousand_faults_are_told_in_bounds_and_counted_whole() {
    let fields: String = (0..1000).map(|n| format!("  f{n}: 1\n")).collect();
    let text = format!("{}{fields}", &GOOD[..GOOD.find("  note").unwrap()]);
    let schema = schema();
    let kinds = [KindShape {
        name: "Service",
        spec_schema: &schema,
    }];
    let checked = |set| crate::check::check(set, &[]);
    let set = load_files([("a.yaml", text.as_bytes())], &kinds, checked);
    assert_eq!(set.findings.len(), 201);
    let last = set.findings.last().unwrap();
    assert_eq!(
        (last.rule.as_str(), last.stands_for),
        ("more-findings", 800)
    );
    let all: usize = set.findings.iter().map(|f| f.stands_for).sum();
    assert_eq!(all, 1000);
}

#[test]
fn a_file_that_is_given_up_says_so_last() {
    let twice: String = (0..300).map(|_| "  cpu: 1\n").collect();
    let text = format!("{}{twice}", &GOOD[..GOOD.find("  tags").unwrap()]);
    let set = read(text.as_bytes());
    let last = set.findings.last().unwrap();
    assert_eq!(last.rule, "more-findings");
    assert!(
        last.message.contains("the rest of the file is not read"),
        "{last:?}"
    );
    let others = set.findings.iter().filter(|f| f.rule == "more-findings");
    assert_eq!(others.count(), 1);
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        lawful(&bytes)?;
    }

    #[test]
    fn any_text_of_yaml_is_read_without_panic(
        text in "([-?:,\\[\\]{}#&*!|>'\"%@` \t\r\n]|<<|\\.\\.\\.|---|a|app: |é|\u{200b}|1|~|\\$\\{){0,80}"
    ) {
        lawful(text.as_bytes())?;
    }

    #[test]
    fn any_mutation_of_a_good_file_is_read_without_panic(
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_usize), 1..6)
    ) {
        let mut bytes = GOOD.as_bytes().to_vec();
        for (index, byte, act) in edits {
            if bytes.is_empty() {
                break;
            }
            let at = index.index(bytes.len());
            match act {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, b" \n\t:-[]{}'\"*&#|"[byte as usize % 15]),
                2 => { bytes.remove(at); }
                _ => bytes.truncate(at),
            }
        }
        lawful(&bytes)?;
    }
}
