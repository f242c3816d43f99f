//! Environments: one tree for all of them, values in a file for each, and errors where a person wrote.

use std::fs;
use std::path::Path;

use evenkeel::engine::desired::{load, load_in};
use evenkeel::model::document::DesiredSet;
use serde_json::json;

use crate::process::{Bench, LIMIT, Running};

const WEB: &str = "apiVersion: evenkeel/v1alpha1\nkind: Service\nmetadata: {app: shop, name: web}\n\
                   spec:\n  cluster: $cluster   # of its own\n  cpu: $cpu\n  memory: 512\n  \
                   tags: {owner: $owner}\n  \
                   scaling: {minCapacity: 1, maxCapacity: $most}\n---\napiVersion: evenkeel/v1alpha1\nkind: Alarm\n\
                   metadata: {app: shop, name: high}\n\
                   spec: {preset: CpuHigh, serviceRef: web, description: \"$cpu\"}\n";

fn tree(staging: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("environments")).unwrap();
    let save = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
    save("web.yaml", WEB);
    save("environments/staging.yaml", staging);
    save(
        "environments/production.yaml",
        "cluster: main\ncpu: 1024\nmost: 9\nowner: shop\nonlyHere: 1\n",
    );
    dir
}

const STAGING: &str = "# small\ncluster: shop-staging\ncpu: 256\nmost: 2\nowner: \"007\"\n";

/// Findings as `rule file:line:column message`, paths below the folder.
fn found(set: &DesiredSet, root: &Path) -> Vec<String> {
    let root = format!("{}/", root.display());
    set.findings
        .iter()
        .map(|f| {
            let at = f.at.as_ref().map_or_else(String::new, ToString::to_string);
            format!("{} {at} {}", f.rule, f.message).replace(&root, "")
        })
        .collect()
}

#[test]
fn a_value_takes_the_place_of_a_whole_scalar_with_its_own_type() {
    let dir = tree(STAGING);
    let set = load_in(dir.path(), Some("staging"));
    assert_eq!(found(&set, dir.path()), [""; 0]);
    let of = |kind: &str| set.documents.values().find(|d| d.key.kind == kind).unwrap();
    assert_eq!(of("Alarm").spec["description"], "$cpu");
    let spec = &of("Service").spec;
    assert_eq!(
        *spec,
        json!({
            "cluster": "shop-staging", "cpu": 256, "memory": 512,
            "tags": {"owner": "007"},
            "scaling": {"minCapacity": 1, "maxCapacity": 2},
        })
    );
}

#[test]
fn a_bad_value_is_told_at_its_own_line_and_names_the_line_that_uses_it() {
    let dir = tree("cluster: shop-staging\ncpu: many\nmost: 2\nowner: x\n");
    let set = load_in(dir.path(), Some("staging"));
    let [fault] = found(&set, dir.path()).try_into().unwrap();
    assert!(
        fault.starts_with("wrong-type environments/staging.yaml:2:6 "),
        "{fault}"
    );
    assert!(
        fault.ends_with("(the value `cpu`, used at web.yaml:6:8)"),
        "{fault}"
    );
    assert!(
        set.findings[0]
            .snippet
            .as_ref()
            .unwrap()
            .contains("cpu: many")
    );
    assert!(set.frozen.holds("shop"));
    // What only a rule over the whole document finds is told there, too.
    let dir = tree("cluster: shop-staging\ncpu: 300\nmost: 2\nowner: x\n");
    let set = load_in(dir.path(), Some("staging"));
    let [fault] = found(&set, dir.path()).try_into().unwrap();
    assert!(
        fault.starts_with("fargate-size environments/staging.yaml:2:6 "),
        "{fault}"
    );
    assert!(fault.contains("used at web.yaml:6:3"), "{fault}");
}

#[test]
fn a_missing_value_says_where_it_is_needed_and_who_has_it() {
    let dir = tree("cluster: shop-staging\nmost: 2\nowner: x\n");
    let set = load_in(dir.path(), Some("staging"));
    let [fault] = found(&set, dir.path()).try_into().unwrap();
    assert!(fault.starts_with("missing-value web.yaml:6:8 "), "{fault}");
    assert!(
        fault.contains("the environment staging does not have (`production` has it)")
            || fault.contains("the environment staging does not have (production has it)"),
        "{fault}"
    );
    assert!(set.frozen.holds("shop"));
    // Without an environment every one of them is missing, and it says what to choose.
    let set = load(dir.path());
    assert_eq!(set.findings.len(), 4, "{:?}", set.findings);
    let help = set.findings[0].help.as_ref().unwrap();
    assert!(
        help.contains("--environment NAME") && help.contains("production"),
        "{help}"
    );
    let set = load_in(dir.path(), Some("stagin"));
    assert!(
        found(&set, dir.path())
            .iter()
            .any(|f| f.starts_with("no-environment"))
    );
    let helps = set.findings.iter().filter_map(|f| f.help.as_ref());
    assert!(helps.into_iter().all(|help| !help.contains("stagin.yaml")));
}

#[test]
fn a_value_that_nobody_uses_and_one_that_is_none_are_told_where_they_stand() {
    let dir = tree(&format!("{STAGING}spare: 1\nlist: [1]\n"));
    let set = load_in(dir.path(), Some("staging"));
    let found = found(&set, dir.path());
    assert!(
        found
            .iter()
            .any(|f| f.starts_with("unused-value environments/staging.yaml:6:8")),
        "{found:?}"
    );
    assert!(
        found
            .iter()
            .any(|f| f.starts_with("environment-value environments/staging.yaml:7:7")),
        "{found:?}"
    );
}

#[test]
fn what_kustomize_writes_loads_as_it_is() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kustomize");
    let set = load(&file);
    assert_eq!(set.findings, []);
    assert_eq!(set.documents.len(), 2);
}

#[test]
fn the_editors_schema_accepts_a_value_where_a_number_belongs() {
    let schema = evenkeel::schema::editors(evenkeel::kinds::KINDS);
    let validator = jsonschema::validator_for(&schema).unwrap();
    let with = |cpu: serde_json::Value| {
        json!({
            "apiVersion": "evenkeel/v1alpha1", "kind": "Service",
            "metadata": {"app": "shop", "name": "web"}, "spec": {"cluster": "$cluster", "cpu": cpu},
        })
    };
    assert!(validator.is_valid(&with(json!("$cpu"))));
    assert!(validator.is_valid(&with(json!(256))));
    assert!(!validator.is_valid(&with(json!("many"))));
}

#[test]
fn render_prints_the_documents_as_they_are_with_comments_and_all() {
    let bench = Bench::new(|_| {});
    bench.save("desired-state/web.yaml", WEB);
    bench.save("desired-state/environments/staging.yaml", STAGING);
    bench.save("evenkeel.yaml", "environment: staging\n");
    let run = |words: &[&str]| Running::start(bench.unpointed(words.iter().copied())).wait(LIMIT);
    let shown = run(&["render"]).expect(0);
    assert!(
        shown
            .out
            .contains("  cluster: shop-staging   # of its own\n  cpu: 256\n"),
        "{}",
        shown.all()
    );
    assert!(
        shown.out.contains("tags: {owner: \"007\"}"),
        "{}",
        shown.all()
    );
    assert!(!shown.out.contains("# small"), "{}", shown.all());
    let wrong = run(&["render", "--environment", "production"]).expect(1);
    assert!(
        wrong
            .all()
            .contains("there is no environment \"production\""),
        "{}",
        wrong.all()
    );
    run(&["check"]).expect(0);
}

#[test]
fn fmt_changes_layout_only_leaves_alone_what_does_not_load_and_is_done_once() {
    use std::os::unix::fs::PermissionsExt as _;

    let bench = Bench::new(|_| {});
    let shown = "kind: Table\napiVersion: evenkeel/v1alpha1\n# whose\nmetadata:\n    app: shop  \n    \
                 name: a\nspec:\n    tableName: abc # kept\n\n\n";
    bench.save("desired-state/a.yaml", shown);
    bench.save("desired-state/broken.yaml", "a: [\n");
    let latin = b"kind: Table\n# Gr\xfc\xdfe\n";
    fs::write(bench.folder().join("desired-state/latin.yaml"), latin).unwrap();
    let file = bench.folder().join("desired-state/a.yaml");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::symlink("a.yaml", bench.folder().join("desired-state/link.yaml")).unwrap();
    let run = |words: &[&str]| Running::start(bench.unpointed(words.iter().copied())).wait(LIMIT);
    let check = run(&["fmt", "--check", "desired-state/a.yaml"]).expect(1);
    assert!(check.all().contains("is not formatted"), "{}", check.all());
    assert_eq!(fs::read_to_string(&file).unwrap(), shown);
    let done = run(&["fmt"]).expect(1);
    assert!(
        done.all().contains("broken.yaml: left alone"),
        "{}",
        done.all()
    );
    assert!(done.all().contains("is a symbolic link"), "{}", done.all());
    assert!(done.all().contains("it is no UTF-8"), "{}", done.all());
    assert_eq!(
        fs::read(bench.folder().join("desired-state/latin.yaml")).unwrap(),
        latin
    );
    assert_eq!(
        fs::read_to_string(&file).unwrap(),
        "apiVersion: evenkeel/v1alpha1\nkind: Table\n# whose\nmetadata:\n  app: shop\n  name: a\n\
         spec:\n  tableName: abc # kept\n"
    );
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o640
    );
    run(&["fmt", "--check", "desired-state/a.yaml"]).expect(0);
    assert!(
        fs::symlink_metadata(bench.folder().join("desired-state/link.yaml"))
            .unwrap()
            .is_symlink()
    );
}
