//! Bad inputs: what is said about every file of tests/bad-inputs and tests/bad-documents, word for
//! word. The first are about files and YAML, over kinds made for the purpose; the second about what
//! the real kinds refuse.
//!
//! `tests/bad-inputs/INDEX.md` lists them. An input is `NN-name.yaml` or a folder `NN-name`; `NN-name.expected` beside it holds all that is
//! told. After a change of wording run the test with `UPDATE_EXPECT=1` and read the difference.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use evenkeel::engine::desired;
use evenkeel::model::document::{DesiredSet, Frozen};
use evenkeel::model::finding::{Finding, Severity};
use evenkeel::source::{KindShape, load, load_files};
use schemars::JsonSchema;

/// A kind that has a field of every sort.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
struct Service {
    /// Name of the cluster.
    #[schemars(length(min = 1, max = 255))]
    cluster: String,
    /// Number of tasks, 0-1000.
    #[schemars(range(min = 0, max = 1000))]
    desired_count: Option<u32>,
    /// CPU units (1024 = 1 vCPU).
    cpu: Option<u32>,
    /// MiB.
    memory: Option<u32>,
    /// Percent of CPU.
    threshold: Option<f64>,
    /// Whether it is protected.
    protection: Option<bool>,
    /// Which launch type.
    launch: Option<Launch>,
    /// A window in UTC, hh:mm-hh:mm.
    #[schemars(regex(pattern = r"^[0-9]{2}:[0-9]{2}-[0-9]{2}:[0-9]{2}$"))]
    window: Option<String>,
    /// Tags to own.
    tags: Option<std::collections::BTreeMap<String, String>>,
    /// Bounds and policies.
    scaling: Option<Scaling>,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
enum Launch {
    /// On Fargate.
    #[serde(rename = "FARGATE")]
    Fargate,
    /// On instances.
    #[serde(rename = "EC2")]
    Instances,
}

#[derive(JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
struct Scaling {
    /// Fewest tasks.
    min_capacity: u32,
    /// Most tasks.
    max_capacity: u32,
    /// Policies that follow a metric.
    #[schemars(length(min = 1))]
    target_tracking: Option<Vec<Policy>>,
}

#[derive(JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
struct Policy {
    /// Name within the service.
    name: String,
    /// Predefined metric.
    metric: String,
    /// Percent.
    target_value: f64,
}

#[derive(JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
struct Table {
    /// Name of the table.
    table_name: Option<String>,
}

fn inputs(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut inputs: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir() || path.extension().is_some_and(|end| end == "yaml"))
        .collect();
    inputs.sort();
    inputs
}

/// All that is told of a set, as text.
pub fn told(set: &DesiredSet) -> String {
    let mut out = String::new();
    for finding in &set.findings {
        let Finding {
            severity,
            rule,
            message,
            help,
            at,
            key,
            stands_for,
            snippet,
        } = finding;
        let severity = match severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        writeln!(out, "{severity}[{rule}]: {message}").unwrap();
        match (snippet, at) {
            (Some(snippet), _) => writeln!(out, "{snippet}").unwrap(),
            (None, Some(at)) => writeln!(out, " --> {at}").unwrap(),
            (None, None) => {}
        }
        if let Some(help) = help {
            writeln!(out, "  help: {help}").unwrap();
        }
        if let Some(key) = key {
            writeln!(out, "  of: {key}").unwrap();
        }
        assert_eq!(
            *stands_for, 1,
            "no input has as many faults as are told: {rule}"
        );
        out.push('\n');
    }
    let mut documents: Vec<String> = set.documents.keys().map(ToString::to_string).collect();
    if documents.is_empty() {
        documents.push("none".to_owned());
    }
    writeln!(out, "documents: {}", documents.join(" ")).unwrap();
    let frozen = match &set.frozen {
        Frozen::None => "none".to_owned(),
        Frozen::All => "all".to_owned(),
        Frozen::Apps(apps) => apps.iter().cloned().collect::<Vec<_>>().join(" "),
    };
    writeln!(out, "frozen: {frozen}").unwrap();
    out
}

#[test]
fn every_bad_input_is_told_as_expected() {
    let service = schemars::schema_for!(Service).to_value();
    let table = schemars::schema_for!(Table).to_value();
    let kinds = [
        KindShape {
            name: "Service",
            spec_schema: &service,
        },
        KindShape {
            name: "Table",
            spec_schema: &table,
        },
    ];
    let read = |name: &str, input: &Path| {
        if input.is_dir() {
            load(input, None, &kinds, |set| set)
        } else {
            load_files(
                [(name, fs::read(input).unwrap().as_slice())],
                &kinds,
                |set| set,
            )
        }
    };
    compare("tests/bad-inputs", read);
}

#[test]
fn every_document_that_a_kind_refuses_is_told_as_expected() {
    compare("tests/bad-documents", |name, input| {
        let set = desired::load_files([(name, fs::read(input).unwrap().as_slice())]);
        for finding in set.findings.iter().filter(|f| f.at.is_some()) {
            assert!(
                finding.snippet.is_some(),
                "{name}: nothing is drawn: {finding:?}"
            );
        }
        set
    });
}

#[test]
fn what_an_unknown_field_holds_is_told_nowhere() {
    let canary = "canary-4711";
    let header = "apiVersion: evenkeel/v1alpha1\nkind: Service\nmetadata: {app: shop, name: web}\n";
    for rest in [
        "spec: {cluster: main, environment: {TOKEN: canary-4711}, nonsense: 1}\n",
        "spec: {cluster: main, cpu: many, containers: {app: {environment: [{name: A, value: canary-4711}]}}}\n",
        "secret: [\"canary-4711\", [{a: canary-4711}]]\nspec: {cluster: main}\n",
        "spec: {cluster: main, secret: &s canary-4711, more: *s}\n",
        "spec:\n  cluster: main\n  environment:\n    TOKEN: canary-4711\n    TOKEN: canary-4711\n",
    ] {
        let text = format!("{header}{rest}");
        let set = desired::load_files([("web.yaml", text.as_bytes())]);
        assert!(!set.findings.is_empty());
        let told = told(&set);
        assert!(!told.contains(canary), "{told}");
    }
}

fn compare(folder: &str, read: impl Fn(&str, &Path) -> DesiredSet) {
    let mut wrong = Vec::new();
    for input in inputs(folder) {
        let name = input.file_name().unwrap().to_str().unwrap();
        let above = format!("{}/", input.parent().unwrap().display());
        let found = told(&read(name, &input)).replace(&above, "");
        for row in found.lines().filter(|row| row.contains(" | ")) {
            assert!(row.chars().count() <= 160, "{name}: a long row: {row}");
        }
        let expected = input.with_extension("expected");
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            fs::write(&expected, &found).unwrap();
        } else if fs::read_to_string(&expected).unwrap_or_default() != found {
            wrong.push(format!("{name}:\n{found}"));
        }
    }
    assert!(wrong.is_empty(), "not as expected:\n{}", wrong.join("\n"));
}
