//! Policy documents: how one is written, what is wrong with it, and what it means.
//!
//! Pure: documents in, policies and findings out. A Policy is no object of AWS: it has no driver,
//! and stands beside the kinds, not among them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::policy::{ChangePolicy, Destructive, Freeze};
use super::spec::{Day, Mode, PolicySpec, Unasked, WindowSpec};
use super::window::{DAY, Opening, Windows};
use crate::model::change::Risk;
use crate::model::document::{DesiredSet, Document};
use crate::model::finding::Finding;
use crate::model::key::ResourceKey;

/// The document kind's name.
pub const POLICY: &str = "Policy";

/// One sentence for the reference page and the schema.
pub const ABOUT: &str = "When and how an application may be written: mode, approvals, change \
                         budget, maintenance windows, freezes and canary.";

/// One complete example document.
pub const EXAMPLE: &str = r#"apiVersion: evenkeel/v1alpha1
kind: Policy
metadata:
  app: shop
  name: policy
spec:
  mode: correct
  withoutApproval: [routine, disruptive]
  budget:
    objectsPerHour: 10
    tasksPerHour: 20
  windows:
    - {from: "02:00", to: "04:00", timeZone: UTC}
    - {days: [Mon], ofMonth: first, from: "09:00", to: "11:00", timeZone: UTC}
  freezes:
    - from: 2026-12-18T00:00:00Z
      until: 2027-01-04T00:00:00Z
      reason: the Christmas sale
  destructiveApprovers: 2
"#;

/// JSON Schema of its `spec`.
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(PolicySpec)
}

/// A Policy document that loaded.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicyDocument {
    /// The document.
    pub document: Document,
    /// What it means.
    pub policy: ChangePolicy,
}

/// Takes the Policy documents out of `set.documents` into `set.policies`, and says what is wrong
/// with them.
pub fn take(set: &mut DesiredSet) -> Vec<Finding> {
    let is_policy = |key: &ResourceKey| key.kind == POLICY;
    let keys: Vec<ResourceKey> = set
        .documents
        .keys()
        .filter(|k| is_policy(k))
        .cloned()
        .collect();
    let documents: Vec<Document> = keys
        .iter()
        .filter_map(|k| set.documents.remove(k))
        .collect();
    let mut findings = Vec::new();
    for document in documents {
        let app = document.key.app.clone();
        let finding = |rule: &str, path: &str, message: String| {
            Finding::error(rule, message)
                .at(document.span_of(path))
                .of(&document.key)
        };
        if let Some(other) = set.policies.get(&app) {
            let message = format!("{} is the second Policy of {app}", document.key);
            let help = format!("keep one of the two; the other is at {}", other.document.at);
            findings.push(finding("second-policy", "", message).help(help));
            continue;
        }
        let policy = match serde_json::from_value::<PolicySpec>(document.spec.clone()) {
            Ok(spec) => meant(&spec),
            // The loader has held it against the same type.
            Err(error) => Err(vec![Fault::new("", error.to_string())]),
        };
        match policy {
            Ok(policy) => {
                findings.extend(strangers(&document, &policy, set));
                set.policies
                    .insert(app, PolicyDocument { document, policy });
            }
            Err(faults) => {
                findings.extend(
                    faults
                        .into_iter()
                        .map(|Fault { path, what }| finding("policy-value", &path, what)),
                );
            }
        }
    }
    findings.extend(circles(set));
    findings
}

/// Policies of apps that wait for each other, and would do so for ever.
fn circles(set: &DesiredSet) -> Vec<Finding> {
    let next = |app: &str| set.policies.get(app)?.policy.canaries.keys().next();
    let waits_for_itself = |start: &str| {
        let mut at = next(start);
        // No way is longer than there are apps.
        for _ in 0..set.policies.len() {
            match at {
                Some(app) if app == start => return true,
                Some(app) => at = next(app),
                None => return false,
            }
        }
        false
    };
    set.policies
        .iter()
        .filter(|(app, own)| !own.policy.canaries.contains_key(*app) && waits_for_itself(app))
        .map(|(app, own)| {
            let message = format!("{app} and its canary wait for each other");
            Finding::error("canary-reference", message)
                .help("let one of the apps in the circle go first, without a canary")
                .at(own.document.span_of("canary.app"))
                .of(&own.document.key)
        })
        .collect()
}

/// Canaries that are not there.
fn strangers(document: &Document, policy: &ChangePolicy, set: &DesiredSet) -> Vec<Finding> {
    let apps: BTreeSet<&str> = set.apps();
    let unread =
        |app: &str| set.unread.torn.holds(app) || set.unread.keys.iter().any(|key| key.app == app);
    let bad =
        |app: &&String| **app == document.key.app || !(apps.contains(app.as_str()) || unread(app));
    policy
        .canaries
        .keys()
        .filter(bad)
        .map(|app| {
            let message = if *app == document.key.app {
                format!("{app} is its own canary, and would wait for itself for ever")
            } else {
                format!("the canary {app} is no app of this desired state")
            };
            Finding::error("canary-reference", message)
                .help("name an app whose documents are in this folder, other than this one")
                .at(document.span_of("canary.app"))
                .of(&document.key)
        })
        .collect()
}

/// What is wrong with a spec, and where, dotted below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// `windows.0.timeZone`.
    pub path: String,
    /// What, and what to write instead.
    pub what: String,
}

impl Fault {
    fn new(path: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            what: what.into(),
        }
    }
}

/// The policy that a spec means.
///
/// # Errors
/// All that is wrong with it.
pub fn meant(spec: &PolicySpec) -> Result<ChangePolicy, Vec<Fault>> {
    let PolicySpec {
        mode,
        without_approval,
        budget,
        windows,
        freezes,
        canary,
        destructive_approvers,
    } = spec;
    let mut faults = Vec::new();
    let mut policy = ChangePolicy {
        mode: mode.unwrap_or(Mode::Correct),
        destructive: Destructive::ByApproval,
        approvers: destructive_approvers.unwrap_or(1),
        ..ChangePolicy::default()
    };
    if !(1..=5).contains(&policy.approvers) {
        faults.push(Fault::new(
            "destructiveApprovers",
            "write a number from 1 to 5",
        ));
    }
    if let Some(risks) = without_approval {
        let risk = |unasked: &Unasked| match unasked {
            Unasked::Routine => Risk::Routine,
            Unasked::Disruptive => Risk::Disruptive,
        };
        policy.without_approval = risks.iter().map(risk).collect();
    }
    if let Some(budget) = budget {
        policy.objects_per_hour = budget.objects_per_hour;
        policy.tasks_per_hour = budget.tasks_per_hour;
        if [budget.objects_per_hour, budget.tasks_per_hour].contains(&Some(0)) {
            let what = "a budget of 0 lets nothing through for ever; write `mode: report`";
            faults.push(Fault::new("budget", what));
        }
    }
    if let Some(windows) = windows {
        let mut all = Vec::new();
        for (i, window) in windows.iter().enumerate() {
            match openings(window) {
                Ok(openings) => all.extend(openings),
                Err(Fault { path, what }) => {
                    faults.push(Fault::new(format!("windows.{i}.{path}"), what));
                }
            }
        }
        policy.windows = BTreeSet::from([Windows::of(all)]);
    }
    for (i, freeze) in freezes.iter().flatten().enumerate() {
        let time = |field: &str, text: &str| {
            text.parse::<Timestamp>().map_err(|_| {
                let what = format!(
                    "{text:?} is no moment; write 2026-12-18T00:00:00Z, or with an offset such as \
                     2026-12-18T00:00:00+01:00"
                );
                Fault::new(format!("freezes.{i}.{field}"), what)
            })
        };
        match (time("from", &freeze.from), time("until", &freeze.until)) {
            (Ok(from), Ok(until)) if from < until => {
                let reason = freeze.reason.clone();
                policy.freezes.insert(Freeze {
                    from,
                    until,
                    reason,
                });
            }
            (Ok(_), Ok(_)) => {
                let what = "the freeze ends before it begins; exchange `from` and `until`";
                faults.push(Fault::new(format!("freezes.{i}.until"), what));
            }
            (from, until) => faults.extend([from, until].into_iter().filter_map(Result::err)),
        }
    }
    if let Some(canary) = canary {
        match span(&canary.bake, 7 * 24 * 3600) {
            Ok(seconds) => policy.canaries = BTreeMap::from([(canary.app.clone(), seconds)]),
            Err(what) => faults.push(Fault::new("canary.bake", what)),
        }
    }
    if faults.is_empty() {
        Ok(policy)
    } else {
        Err(faults)
    }
}

fn openings(window: &WindowSpec) -> Result<Vec<Opening>, Fault> {
    let WindowSpec {
        days,
        of_month,
        from,
        to,
        time_zone,
    } = window;
    if TimeZone::get(time_zone).is_err() {
        let what = format!(
            "{time_zone:?} is no time zone of the IANA database; write UTC, or one such as \
             Europe/Berlin"
        );
        return Err(Fault::new("timeZone", what));
    }
    let start = minutes(from)
        .filter(|m| *m < DAY)
        .ok_or_else(|| Fault::new("from", clock(from)))?;
    let end = minutes(to).ok_or_else(|| Fault::new("to", clock(to)))?;
    if start == end {
        let what = "the window closes when it opens; for a whole day write \"00:00\" to \"24:00\"";
        return Err(Fault::new("to", what));
    }
    let lasts = if end > start {
        end - start
    } else {
        end + DAY - start
    };
    let days = days.clone().unwrap_or_else(|| Day::ALL.to_vec());
    Ok(days
        .into_iter()
        .map(|day| Opening {
            zone: time_zone.clone(),
            day,
            of_month: *of_month,
            from: start,
            lasts,
        })
        .collect())
}

fn clock(text: &str) -> String {
    format!("{text:?} is no time of day; write \"02:00\", in quotes")
}

/// Minutes after midnight of `02:00`; `24:00` is the end of the day.
fn minutes(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    if hours.len() != 2 || minutes.len() != 2 {
        return None;
    }
    let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
    let all = hours * 60 + minutes;
    (minutes < 60 && all <= DAY).then_some(all)
}

/// Seconds of `90s`, `30m`, `2h` or `1d`, of 1 to `most`.
///
/// # Errors
/// What to write instead.
pub fn span(text: &str, most: u64) -> Result<u64, String> {
    let bad = || {
        format!(
            "{text:?} is not a time between 1s and {}h; write 30m, 2h or 1d",
            most / 3600
        )
    };
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().map_err(|_| bad())?;
    let unit = match text.get(digits.len()..) {
        Some("s") => 1,
        Some("m") => 60,
        Some("h") => 3600,
        Some("d") => 24 * 3600,
        _ => return Err(bad()),
    };
    number
        .checked_mul(unit)
        .filter(|seconds| (1..=most).contains(seconds))
        .ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::desired::load_files;

    const ALARM: &str = "apiVersion: evenkeel/v1alpha1\nkind: Table\n\
                         metadata: {app: shop, name: carts}\nspec: {tableName: carts}\n---\n";

    fn load(spec: &str) -> DesiredSet {
        let text = format!(
            "{ALARM}apiVersion: evenkeel/v1alpha1\nkind: Policy\n\
             metadata: {{app: shop, name: policy}}\nspec:\n{spec}\n"
        );
        load_files([("p.yaml", text.as_bytes())])
    }

    /// The one fault of a spec, with its place.
    fn fault(spec: &str) -> String {
        let set = load(spec);
        assert_eq!(set.findings.len(), 1, "{:#?}", set.findings);
        assert!(set.frozen.holds("shop") && set.policies.is_empty());
        let finding = &set.findings[0];
        let at = finding.at.as_ref().unwrap();
        format!("{}:{} {}", at.line, at.column, finding.message)
    }

    #[test]
    fn the_example_loads_and_is_no_object() {
        let set = load_files([("p.yaml", EXAMPLE.as_bytes())]);
        assert!(set.findings.is_empty(), "{:#?}", set.findings);
        assert!(set.documents.is_empty());
        let policy = &set.policies["shop"].policy;
        assert_eq!((policy.objects_per_hour, policy.approvers), (Some(10), 2));
    }

    #[test]
    fn what_is_wrong_is_told_where_it_stands() {
        let zone =
            "  windows:\n    - from: \"02:00\"\n      to: \"04:00\"\n      timeZone: Mars/Base";
        assert!(
            fault(zone).starts_with("13:7 \"Mars/Base\" is no time zone"),
            "{}",
            fault(zone)
        );
        let empty = "  windows:\n    - {from: \"02:00\", to: \"02:00\", timeZone: UTC}";
        assert!(fault(empty).contains("closes when it opens"));
        let freeze = "  freezes:\n    - from: 2026-02-01T00:00:00Z\n      \
                      until: 2026-01-01T00:00:00Z\n      reason: x";
        assert!(
            fault(freeze).starts_with("12:7 the freeze ends before"),
            "{}",
            fault(freeze)
        );
        let stranger = "  canary: {app: nobody, bake: 30m}";
        assert!(
            load(stranger).findings[0]
                .message
                .contains("no app of this desired state")
        );
        let itself = "  canary: {app: shop, bake: 30m}";
        assert!(load(itself).findings[0].message.contains("its own canary"));
        assert!(load("  mod: report").findings[0].message.contains("mod"));
    }

    #[test]
    fn apps_that_wait_for_each_other_are_an_error_of_both() {
        let one = |app: &str, canary: &str| {
            format!(
                "---\napiVersion: evenkeel/v1alpha1\nkind: Table\n\
                 metadata: {{app: {app}, name: carts}}\nspec: {{tableName: carts-{app}}}\n---\n\
                 apiVersion: evenkeel/v1alpha1\nkind: Policy\n\
                 metadata: {{app: {app}, name: policy}}\n\
                 spec: {{canary: {{app: {canary}, bake: 30m}}}}\n"
            )
        };
        let text = one("a", "b") + &one("b", "a");
        let set = load_files([("p.yaml", text.as_bytes())]);
        assert_eq!(set.findings.len(), 2, "{:#?}", set.findings);
        assert!(set.findings[0].message.contains("wait for each other"));
        assert!(set.frozen.holds("a") && set.frozen.holds("b"));
    }

    #[test]
    fn two_policies_of_one_app_are_an_error() {
        let again = "  mode: report\n---\napiVersion: evenkeel/v1alpha1\nkind: Policy\n\
                     metadata: {app: shop, name: policy-two}\nspec: {mode: correct}";
        let set = load(again);
        assert_eq!(set.findings[0].rule, "second-policy");
        assert!(set.frozen.holds("shop"));
    }
}
