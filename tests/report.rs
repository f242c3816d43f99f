//! Reports: what they say in every format, and that the page reads well in a real browser.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use evenkeel::engine::apply::Wait;
use evenkeel::engine::report::Asked;
use evenkeel::model::change::{Drift, Hold};
use evenkeel::model::drift::{Authorship, Before, DriftKind, DriftRecord, End, How, Sighting};
use evenkeel::model::key::ResourceKey;
use evenkeel::model::plan::{ObjectPlan, Plan, Status, Summary};
use evenkeel::model::report::{Material, Report};
use evenkeel::model::scope::Scope;
use evenkeel::model::stake::Stake;
use evenkeel::model::survey::{Coverage, Share, Sort, Unowned};
use evenkeel::model::trail::Author;
use evenkeel::model::tree::{FieldPath, Tree};
use evenkeel::render::{json, report as render};
use evenkeel::twin::estate::FargateService;
use evenkeel::twin::wire::TwinError;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::rig::{Rig, load};

/// Monday morning.
fn morning() -> Timestamp {
    "2026-03-02T08:00:00Z".parse().unwrap()
}

fn ago(hours: i64, minutes: i64) -> Timestamp {
    morning() - SignedDuration::from_mins(60 * hours + minutes)
}

fn named(principal: &str, call: &str, at: Timestamp) -> Authorship {
    Authorship::Named(Author {
        principal: format!("arn:aws:{principal}"),
        at,
        address: "203.0.113.9".into(),
        call: call.into(),
        agent: "console".into(),
        event: "0a1b2c3d".into(),
    })
}

fn record(
    key: &str,
    (path, kind, stake): (&str, DriftKind, Stake),
    (desired, live): (Tree, Tree),
    began: Timestamp,
) -> DriftRecord {
    let key: ResourceKey = key.parse().unwrap();
    let sighting = Sighting {
        kind,
        path: FieldPath::dotted(path),
        desired,
        live,
        stake,
    };
    let before = Before {
        at: began - SignedDuration::from_secs(60),
        generation: "g".into(),
    };
    DriftRecord::open(&key, &sighting, Some(&before), "g", began)
}

fn corrected(mut record: DriftRecord, seconds: i64, author: Authorship) -> (DriftRecord, bool) {
    record.author = author;
    let at = record.first_seen + SignedDuration::from_secs(seconds);
    let how = How::Corrected {
        intent: "7c9e6679-7425-40de-944b-e07fc1f90ae7".into(),
    };
    (record.ended(End { at, how }, None), false)
}

fn object(key: &str, status: Status, holds: Vec<Hold>) -> ObjectPlan {
    ObjectPlan {
        key: key.parse().unwrap(),
        status,
        drift: Vec::<Drift>::new(),
        change: None,
        holds,
        notes: Vec::new(),
        pin: String::new(),
        remember: BTreeMap::new(),
        rollout: None,
        look_for: Vec::new(),
        moving: false,
        beside: Vec::new(),
        tasks: 0,
    }
}

/// A week of two applications, with one of everything.
fn sample() -> Report {
    use DriftKind as K;
    let dana = |at| named("iam::123456789012:user/dana", "ecs.UpdateService", at);
    let ci = |at| {
        named(
            "sts::123456789012:assumed-role/ci-deployer/github-actions-18234",
            "ecs.UpdateService",
            at,
        )
    };
    let robin = |at| {
        named(
            "iam::123456789012:user/robin",
            "cloudwatch.PutMetricAlarm",
            at,
        )
    };
    let count = ("spec.desiredCount", K::Changed, Stake::Cost);
    let cpu = ("spec.cpu", K::Changed, Stake::Availability);
    let threshold = ("spec.threshold", K::Changed, Stake::Alarms);
    let mut records = Vec::new();
    for (days, times) in [(6, 1), (4, 3), (3, 2), (1, 1)] {
        for n in 0..times {
            let began = ago(24 * days + n, 12);
            let one = record("shop/Service/web", count, (json!(2), json!(9)), began);
            records.push(corrected(
                one,
                14,
                dana(began - SignedDuration::from_secs(41)),
            ));
        }
    }
    let began = ago(50, 0);
    let one = record(
        "semiont/Service/backend",
        cpu,
        (json!(512), json!(256)),
        began,
    );
    records.push(corrected(
        one,
        95,
        ci(began - SignedDuration::from_secs(20)),
    ));
    let began = ago(51, 0);
    let one = record(
        "semiont/Alarm/backend-cpu-high",
        threshold,
        (json!(80), json!(100)),
        began,
    );
    records.push(corrected(
        one,
        9,
        robin(began - SignedDuration::from_secs(12)),
    ));
    let began = ago(4, 58);
    let one = record("shop/Service/web", count, (json!(2), json!(9)), began);
    records.push(corrected(
        one,
        11,
        dana(began - SignedDuration::from_secs(33)),
    ));
    let mut right = record(
        "shop/Database/orders",
        ("spec.deletionProtection", K::Changed, Stake::Data),
        (json!(true), json!(false)),
        ago(30, 0),
    );
    right.author = Authorship::NotFound;
    let end = End {
        at: ago(29, 0),
        how: How::SetRight,
    };
    records.push((right.ended(end, None), false));
    let mut contested = record(
        "semiont/Service/frontend",
        (
            "spec.scaling.minCapacity",
            K::Contested,
            Stake::Availability,
        ),
        (json!(2), json!(1)),
        ago(3, 0),
    );
    contested.author = ci(ago(3, 1));
    records.push((contested, true));
    let pending = record(
        "semiont/Database/graph",
        ("spec.backupRetentionDays", K::Pending, Stake::Data),
        (json!(7), json!(1)),
        ago(20, 0),
    );
    records.push((pending, true));
    let mut unmanaged = record(
        "shop/Service/web",
        (
            "spec.scaling.targetTracking.by-hand",
            K::Unmanaged,
            Stake::Availability,
        ),
        (
            Tree::Null,
            json!({"metric": "ECSServiceAverageCPUUtilization", "targetValue": 50.0}),
        ),
        ago(200, 0),
    );
    unmanaged.author = dana(ago(200, 1));
    records.push((unmanaged, true));
    let suspended = record(
        "shop/Service/web",
        ("spec.scaling.suspended", K::Suspended, Stake::Availability),
        (Tree::Null, json!(["ScheduledScaling"])),
        ago(26, 0),
    );
    records.push((suspended, true));
    let mut on_its_way = record(
        "shop/Service/web",
        cpu,
        (json!(512), json!(256)),
        ago(70, 0),
    );
    on_its_way.origin = evenkeel::model::drift::Origin::Document;
    records.push(corrected(on_its_way, 60, Authorship::NotYet));
    let stalled = "corrected 3 times within the hour and set back each time; find who else sets \
                   spec.scaling.minCapacity (a CI template, Terraform, another controller) and \
                   let one of them own it";
    let plan = Plan {
        version: 1,
        plan_id: String::new(),
        made_at: morning(),
        history_consulted: true,
        history_unread: BTreeMap::new(),
        pauses: Vec::new(),
        source: None,
        objects: vec![
            object("semiont/Alarm/backend-cpu-high", Status::InSync, vec![]),
            object(
                "semiont/Database/graph",
                Status::Deferred,
                vec![Hold::Pending {
                    why: "backupRetentionDays 7 is pending; RDS makes it so in its maintenance \
                          window (mon:09:00-mon:10:00 UTC)"
                        .into(),
                }],
            ),
            object("semiont/Service/backend", Status::InSync, vec![]),
            object(
                "semiont/Service/frontend",
                Status::Blocked,
                vec![Hold::Stalled {
                    why: stalled.into(),
                }],
            ),
            object("shop/Database/orders", Status::InSync, vec![]),
            object("shop/Service/web", Status::InSync, vec![]),
        ],
        findings: Vec::new(),
        calls: BTreeMap::new(),
        summary: Summary::default(),
    };
    let share = |sort, live, owned| Share { sort, live, owned };
    let coverage = Coverage {
        sorts: vec![
            share(Sort::Service, 5, 3),
            share(Sort::ScalableTarget, 3, 3),
            share(Sort::Alarm, 9, 7),
            share(Sort::DbInstance, 2, 1),
            share(Sort::DbCluster, 1, 1),
            share(Sort::Table, 6, 2),
        ],
        unowned: vec![
            Unowned {
                sort: Sort::Service,
                name: "semiont/semiont-migrations-one-off".into(),
                beside: None,
            },
            Unowned {
                sort: Sort::Alarm,
                name: "web <script>alert(1)</script> by hand".into(),
                beside: Some("shop/Service/web".parse().unwrap()),
            },
        ],
        unread: vec!["tables: dynamodb.ListTables on all tables: not permitted".into()],
    };
    Report::of(Material {
        place: ("123456789012", "us-east-1"),
        app: None,
        plan: &plan,
        records,
        statuses: &BTreeMap::new(),
        coverage: Some(coverage),
        since: ago(7 * 24, 0),
        overrides: vec![
            "Service/api of shop is paused until 2026-03-02 15:00 UTC by dana: incident 42".into(),
        ],
        notes: vec!["the history of blog could not be read: no network".into()],
    })
}

/// Compares with the golden file, or writes it with `UPDATE_GOLDEN=1`.
fn is_golden(name: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, text).unwrap();
    }
    let golden = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        golden == text,
        "{name} differs; look at it, and write it again with UPDATE_GOLDEN=1:\n{text}"
    );
}

fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

#[test]
fn a_report_in_text_is_as_golden_and_fits_a_terminal() {
    let text = plain(&render::text::text(&sample()));
    let wide: Vec<&str> = text.lines().filter(|l| l.chars().count() > 80).collect();
    assert!(wide.is_empty(), "{wide:#?}");
    is_golden("report.txt", &text);
}

#[test]
fn a_report_in_markdown_is_as_golden_and_no_name_breaks_out_of_its_cell() {
    let text = render::markdown::markdown(&sample());
    assert!(!text.contains("<script>"));
    is_golden("report.md", &text);
}

#[test]
fn a_report_in_json_is_as_golden() {
    is_golden("report.json", &json::text(&sample()));
}

#[test]
fn every_member_of_the_json_is_documented() {
    fn members(tree: &Tree, found: &mut std::collections::BTreeSet<String>) {
        match tree {
            Tree::Object(object) => {
                for (name, inner) in object {
                    found.insert(name.clone());
                    // What a document wants and what is there is the kind's own.
                    if name != "desired" && name != "live" {
                        members(inner, found);
                    }
                }
            }
            Tree::Array(items) => items.iter().for_each(|item| members(item, found)),
            _ => {}
        }
    }
    let mut found = std::collections::BTreeSet::new();
    members(&serde_json::to_value(sample()).unwrap(), &mut found);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/report.md");
    let page = std::fs::read_to_string(file).unwrap();
    let told = |name: &String| {
        page.contains(&format!("`{name}`")) || page.contains(&format!("`{name}[]`"))
    };
    let missing: Vec<&String> = found.iter().filter(|name| !told(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(found.len() > 50, "{found:?}");
}

#[test]
fn a_report_in_html_is_as_golden_loads_nothing_and_runs_nothing() {
    let page = render::html::html(&sample()).unwrap();
    for forbidden in [
        "<script", "http://", "https://", "url(", "@import", " on", "src=",
    ] {
        let found = page.matches(forbidden).count();
        // Words of the text begin with "on", too; attributes that run something end in `="`.
        let runs = forbidden == " on" && !page.contains(" onload=") && !page.contains(" onclick=");
        assert!(found == 0 || runs, "{forbidden}");
    }
    for needed in [
        "<title>",
        "lang=\"en\"",
        "<caption>",
        "role=\"img\"",
        "aria-labelledby",
    ] {
        assert!(page.contains(needed), "{needed}");
    }
    is_golden("report.html", &page);
}

#[test]
fn a_report_of_nothing_says_so_in_every_format() {
    let plan = Plan {
        version: 1,
        plan_id: String::new(),
        made_at: morning(),
        history_consulted: true,
        history_unread: BTreeMap::new(),
        pauses: Vec::new(),
        source: None,
        objects: vec![object("shop/Service/web", Status::InSync, vec![])],
        findings: Vec::new(),
        calls: BTreeMap::new(),
        summary: Summary::default(),
    };
    let report = Report::of(Material {
        place: ("123456789012", "us-east-1"),
        app: Some("shop"),
        plan: &plan,
        records: Vec::new(),
        statuses: &BTreeMap::new(),
        coverage: None,
        since: ago(24, 0),
        overrides: Vec::new(),
        notes: Vec::new(),
    });
    let said = "1 of 1 objects are in order; nothing drifted, 0 corrected, nothing stands open.";
    assert_eq!(report.sentence(), said);
    assert_eq!(report.over_time.len(), 25, "by the hour");
    assert!(
        render::html::html(&report)
            .unwrap()
            .contains("Nothing stands open.")
    );
    assert!(plain(&render::text::text(&report)).contains("Drift report of shop"));
    assert!(render::markdown::markdown(&report).contains("drift report of shop"));
    assert_eq!(report.figures.mean_seconds_to_detect, None);
}

#[test]
fn what_is_not_known_is_not_counted_into_a_mean() {
    let report = sample();
    let figures = &report.figures;
    // Every drift of the week but the four of which nobody is known; the policy is older.
    assert_eq!(
        (figures.began, figures.detected_of),
        (14, 11),
        "{figures:?}"
    );
    assert_eq!((figures.corrected, figures.corrected_of), (10, 10));
    assert_eq!(
        (figures.open, figures.contested, figures.rolled_out),
        (4, 1, 1)
    );
    let by: Vec<(&str, usize)> = report
        .by_principal
        .iter()
        .map(|t| (t.name.rsplit('/').next().unwrap(), t.drift))
        .collect();
    assert_eq!(by[0], ("dana", 9));
    assert_eq!(
        report.open[0].record.kind,
        DriftKind::Contested,
        "the worst first"
    );
}

#[tokio::test(start_paused = true)]
async fn the_morning_report_names_who_did_it_by_night_and_what_no_document_names() {
    let rig = Rig::new().await;
    rig.twin.world(|w| {
        w.add_service(&FargateService::new("main", "web").desired(2))
            .unwrap();
        w.add_service(&FargateService::new("main", "forgotten"))
            .unwrap();
        let alarm = json!({
            "AlarmName": "web by hand", "Namespace": "AWS/ECS", "MetricName": "CPUUtilization",
            "Dimensions": [
                {"Name": "ClusterName", "Value": "main"}, {"Name": "ServiceName", "Value": "web"},
            ],
            "Statistic": "Average", "Period": 60, "EvaluationPeriods": 1, "Threshold": 90.0,
            "ComparisonOperator": "GreaterThanThreshold",
        });
        w.call("cloudwatch", "PutMetricAlarm", &alarm).unwrap();
    });
    let set = load(
        "apiVersion: evenkeel/v1alpha1\nkind: Service\nmetadata: {app: shop, name: web}\n\
         spec: {cluster: main, desiredCount: 2}\n",
    );
    let record = || async {
        let plan = rig.plan(&set).await;
        rig.engine.record_conditions(&set, &plan).await.unwrap();
    };
    record().await;
    rig.clock.sleep(Duration::from_secs(15 * 3600)).await;
    rig.twin.world(|w| {
        w.acting_as("dana", |w| w.set_desired_count("main", "web", 9).unwrap());
    });
    rig.clock.sleep(Duration::from_secs(20)).await;
    let pass = rig.apply(&set, Wait::No).await;
    rig.engine.record_pass(&set, &pass).await.unwrap();
    rig.clock.sleep(Duration::from_secs(5 * 3600)).await;
    rig.twin.world(|w| w.calls.clear());
    let asked = Asked {
        scope: Scope::all(),
        since: rig.clock.now() - SignedDuration::from_hours(24),
    };
    let report = rig.engine.report(&set, &asked).await.unwrap();
    assert_eq!(rig.writes(), 0);
    assert_eq!((report.figures.began, report.figures.corrected), (1, 1));
    assert_eq!(report.figures.mean_seconds_to_detect, Some(20));
    let text = plain(&render::text::text(&report));
    for said in [
        "user/dana, ecs.UpdateService",
        "2 became 9",
        "- main/forgotten",
        "it watches shop/Service/web",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    assert_eq!(report.notes, Vec::<String>::new());
    assert_eq!(report.overrides, Vec::<String>::new());
    // Who may not list or look up still gets the rest.
    rig.twin.world(|w| {
        let denied = TwinError::client("AccessDeniedException", "no");
        w.faults.errors("ecs.ListServices", 1, &denied);
        w.faults.errors("cloudtrail.LookupEvents", 9, &denied);
    });
    let report = rig.engine.report(&set, &asked).await.unwrap();
    let unread = &report.coverage.as_ref().unwrap().unread;
    assert!(unread[0].starts_with("services: "), "{unread:?}");
    assert!(report.notes[0].contains("who did it could not be looked up"));
    assert_eq!(report.figures.corrected, 1);
}

/// A Chromium that is installed here.
fn chromium() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    std::env::split_paths(&path)
        .flat_map(|folder| names.map(|name| folder.join(name)))
        .find(|file| file.is_file())
}

#[test]
fn the_page_fits_a_phone_and_a_desk_in_a_real_browser_without_a_complaint() {
    let Some(chromium) = chromium() else {
        println!("skipped: no Chromium is installed here");
        return;
    };
    let page = render::html::html(&sample()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let quoted = page.replace('&', "&amp;").replace('"', "&quot;");
    for width in [390, 1280] {
        // Measured from around it: the page itself lets no script run.
        let around = format!(
            "<!DOCTYPE html><title>?</title><iframe width=\"{width}\" height=\"900\" \
             style=\"border:0\" srcdoc=\"{quoted}\" onload=\"\
             const page = this.contentDocument, edge = (e) => e.getBoundingClientRect().right, \
             out = [...page.querySelectorAll('.plot, .plot *')].filter((e) => edge(e) > \
             edge(e.closest('section')) + 1); document.title = 'wide ' + \
             Math.max(page.documentElement.scrollWidth, out.length ? 9999 : 0)\"></iframe>"
        );
        let file = folder.path().join(format!("{width}.html"));
        std::fs::write(&file, around).unwrap();
        let output = Command::new(&chromium)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--enable-logging=stderr",
                "--virtual-time-budget=2000",
                "--window-size=1400,1000",
                "--dump-dom",
            ])
            .arg(format!(
                "--user-data-dir={}",
                folder.path().join("profile").display()
            ))
            .arg(&file)
            .output()
            .unwrap();
        let dom = String::from_utf8_lossy(&output.stdout).into_owned();
        let wide = dom.split("<title>wide ").nth(1);
        let wide: u32 = wide
            .and_then(|t| t.split('<').next()?.parse().ok())
            .unwrap();
        assert!(wide <= width, "{wide} pixels on {width}");
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        let complaints: Vec<&str> = log.lines().filter(|l| l.contains("CONSOLE")).collect();
        assert!(complaints.is_empty(), "{complaints:#?}");
    }
}
