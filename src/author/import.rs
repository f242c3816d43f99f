//! Import: live objects as documents of which a plan is empty, and what these leave unsaid.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::names::Names;
use super::pages::{self, Draft, Head};
use crate::cli::settings::nearest;
use crate::engine::Engine;
use crate::engine::desired::load_files;
use crate::kinds::alarm::list::{OfService, alarms};
use crate::kinds::service::list::services;
use crate::kinds::service::written::sought;
use crate::kinds::{Found, Kind, Policy, Wanted, kind};
use crate::model::document::DesiredSet;
use crate::model::finding::Severity;
use crate::model::key::ResourceKey;
use crate::model::memory::Memory;
use crate::model::plan::{ObjectPlan, Status};
use crate::model::scope::Scope;
use crate::model::snapshot::{Live, Observation, Seen, Snapshot};
use crate::model::tree::Tree;

/// Rounds of taking out what keeps a plan from being empty. Each takes a field or a document away.
const ROUNDS: usize = 64;

/// What is to be imported.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// The app that the documents are to be of: a label.
    pub app: String,
    /// The cluster's short name.
    pub cluster: Option<String>,
    /// These of its services; all of them when none is named.
    pub services: Vec<String>,
    /// Alarms by name, beside those of the services' own metrics.
    pub alarms: Vec<String>,
    /// Identifiers of RDS instances and clusters.
    pub databases: Vec<String>,
    /// Names of DynamoDB tables.
    pub tables: Vec<String>,
}

/// Documents, and what they do not say.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    /// All documents in one text.
    pub text: String,
    /// The same, a file for each kind: names and texts.
    pub files: Vec<(String, String)>,
    /// What is there and in no document, each a sentence.
    pub beyond: Vec<String>,
    /// Documents in all.
    pub documents: usize,
}

/// An import that gives nothing.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Objects could not be listed.
    #[error(transparent)]
    List(#[from] crate::aws::call::AwsError),
    /// An object could not be read. Documents without it would look like all there is.
    #[error("{object} could not be read, so nothing is written: {cause}")]
    Unreadable {
        /// Which: `service main/web`.
        object: String,
        /// Why.
        cause: String,
    },
    /// What was named is not there.
    #[error("there is no {what} in this account and region{near}")]
    Absent {
        /// What: `service web in cluster main`.
        what: String,
        /// What there is.
        near: String,
    },
    /// Nothing is there to be imported.
    #[error("{0}")]
    Nothing(String),
}

/// A live object that a document is to be about.
struct Sighted {
    kind: &'static dyn Kind,
    /// For people: `service main/web`.
    shown: String,
    key: ResourceKey,
    by: Tree,
    seen: Observation,
}

/// What is looked for.
struct Sought {
    kind: &'static str,
    shown: String,
    /// What the document's name is made of.
    name: String,
    by: Tree,
    /// Whether it is an error that it is not there.
    named: bool,
}

/// Reads what `wish` names and writes documents for it. Reads only, and takes no lock.
///
/// # Errors
/// See [`ImportError`]; nothing is half told.
pub async fn import(engine: &Engine, wish: &Wish) -> Result<Imported, ImportError> {
    let mut beyond = Vec::new();
    let sought = sought_for(engine, wish, &mut beyond).await?;
    let sighted = look(engine, &wish.app, sought).await?;
    if sighted.is_empty() {
        return Err(ImportError::Nothing(
            "nothing that was named is there, so there is nothing to import".to_owned(),
        ));
    }
    // Services come first: an alarm refers to those that have a document.
    let mut services: BTreeMap<(String, String), String> = BTreeMap::new();
    let mut drafts = Vec::new();
    for one in &sighted {
        let Seen::Present(live) = &one.seen.seen else {
            continue;
        };
        match draft(one, live, &services) {
            Ok(draft) => {
                if one.kind.name() == "Service" {
                    let text = |field: &str| one.by[field].as_str().unwrap_or_default().to_owned();
                    let of = (text("cluster"), text("serviceName"));
                    services.insert(of, draft.key.name.clone());
                }
                drafts.push(draft);
            }
            Err(why) => beyond.push(format!("{} {why}", one.shown)),
        }
    }
    let head = Head {
        app: wish.app.clone(),
        account: engine.cell.account.clone(),
        region: engine.cell.region.clone(),
        at: engine.cell.clock.now(),
    };
    let objects = sighted.iter().map(|s| (s.key.clone(), s.seen.clone()));
    let snapshot = Snapshot {
        objects: objects.collect(),
    };
    prove(engine, &snapshot, &mut drafts, &mut beyond);
    // At the head stands what is of no document; the rest beside its own.
    let (text, files) = (
        pages::one(&head, &drafts, &beyond),
        pages::files(&head, &drafts, &beyond),
    );
    for draft in &drafts {
        let said = draft.written.beyond.iter();
        beyond.extend(said.map(|what| format!("{}: {what}", draft.shown)));
    }
    Ok(Imported {
        text,
        files,
        beyond,
        documents: drafts.len(),
    })
}

async fn sought_for(
    engine: &Engine,
    wish: &Wish,
    beyond: &mut Vec<String>,
) -> Result<Vec<Sought>, ImportError> {
    let mut all = Vec::new();
    let mut of: BTreeSet<OfService> = BTreeSet::new();
    if let Some(cluster) = &wish.cluster {
        let there = services(&engine.cell, cluster).await?;
        let names: BTreeSet<&String> = match wish.services.as_slice() {
            [] => there.iter().collect(),
            named => named.iter().collect(),
        };
        for name in names {
            if !there.contains(name) {
                let near = nearest(name, there.iter().map(String::as_str));
                return Err(ImportError::Absent {
                    what: format!("service {name} in cluster {cluster}"),
                    near: near.map_or_else(String::new, |n| format!("; did you mean {n}?")),
                });
            }
            all.push(Sought {
                kind: "Service",
                shown: format!("service {cluster}/{name}"),
                name: name.clone(),
                by: sought(cluster, name),
                named: true,
            });
            of.insert((cluster.clone(), name.clone()));
        }
        if of.is_empty() {
            return Err(ImportError::Nothing(format!(
                "the cluster {cluster} has no service"
            )));
        }
    }
    let there = match (of.is_empty(), wish.alarms.is_empty()) {
        (true, true) => BTreeMap::new(),
        _ => alarms(&engine.cell).await?,
    };
    let mut others = 0;
    for (name, watched) in &there {
        let named = wish.alarms.contains(name);
        let policy = name.starts_with("TargetTracking-");
        if named || (!policy && watched.iter().any(|service| of.contains(service))) {
            all.push(alarm(&wish.app, name));
        } else if !policy {
            others += 1;
        }
    }
    let missing = wish.alarms.iter().filter(|name| !there.contains_key(*name));
    all.extend(missing.map(|name| alarm(&wish.app, name)));
    if others > 0 && !of.is_empty() {
        beyond.push(format!(
            "{others} more alarm(s) of the account watch none of these services; name those that \
             belong to {} with --alarm",
            wish.app
        ));
    }
    for id in &wish.databases {
        for field in ["instance", "cluster"] {
            all.push(Sought {
                kind: "Database",
                shown: format!("database {field} {id}"),
                name: id.clone(),
                by: json!({ field: id.to_ascii_lowercase() }),
                named: false,
            });
        }
    }
    all.extend(wish.tables.iter().map(|name| Sought {
        kind: "Table",
        shown: format!("table {name}"),
        name: name.clone(),
        by: json!({"tableName": name}),
        named: true,
    }));
    Ok(all)
}

fn alarm(app: &str, name: &str) -> Sought {
    let short = name.strip_prefix(&format!("{app}-"));
    Sought {
        kind: "Alarm",
        shown: format!("alarm {name}"),
        name: short.unwrap_or(name).to_owned(),
        by: json!({"alarmName": name}),
        named: true,
    }
}

/// Looks at all that is sought, kind by kind.
async fn look(
    engine: &Engine,
    app: &str,
    sought: Vec<Sought>,
) -> Result<Vec<Sighted>, ImportError> {
    let mut names: BTreeMap<&str, Names> = BTreeMap::new();
    let mut sighted = Vec::new();
    let mut there: BTreeMap<String, bool> = BTreeMap::new();
    let named: Vec<(ResourceKey, Sought)> = sought
        .into_iter()
        .enumerate()
        .map(|(number, s)| {
            // Only for the look: a name is given when it is known to be there.
            (ResourceKey::new(app, s.kind, format!("n{number}")), s)
        })
        .collect();
    let mut seen: BTreeMap<ResourceKey, Observation> = BTreeMap::new();
    for kind in crate::kinds::KINDS {
        let wanted: Vec<Wanted> = named
            .iter()
            .filter(|(_, s)| s.kind == kind.name())
            .map(|(key, s)| Wanted {
                key: key.clone(),
                desired: s.by.clone(),
            })
            .collect();
        let Some(driver) = engine.driver(kind.name()) else {
            continue;
        };
        for some in wanted.chunks(driver.at_a_time()) {
            let at = engine.cell.clock.now();
            let found = driver.observe(some).await;
            seen.extend(
                found
                    .into_iter()
                    .map(|(k, seen)| (k, Observation { seen, at })),
            );
        }
    }
    for (number, s) in named {
        let Some((kind, seen)) = kind(s.kind).zip(seen.remove(&number)) else {
            continue;
        };
        match &seen.seen {
            Seen::Unreadable(cause) => {
                return Err(ImportError::Unreadable {
                    object: s.shown,
                    cause: cause.clone(),
                });
            }
            Seen::Absent if s.named => {
                return Err(ImportError::Absent {
                    what: s.shown,
                    near: String::new(),
                });
            }
            Seen::Absent => {
                there.entry(s.name).or_insert(false);
            }
            Seen::Present(_) => {
                if !s.named {
                    there.insert(s.name.clone(), true);
                }
                let name = names.entry(s.kind).or_default().give(&s.name, s.kind);
                sighted.push(Sighted {
                    kind,
                    shown: s.shown,
                    key: ResourceKey::new(app, s.kind, name),
                    by: s.by,
                    seen,
                });
            }
        }
    }
    match there.into_iter().find(|(_, found)| !found) {
        Some((id, _)) => Err(ImportError::Absent {
            what: format!("database {id}"),
            near: " (neither an instance nor a cluster)".to_owned(),
        }),
        None => Ok(sighted),
    }
}

fn draft(
    one: &Sighted,
    live: &Live,
    services: &BTreeMap<(String, String), String>,
) -> Result<Draft, String> {
    let written = one.kind.written(&Found {
        key: &one.key,
        by: &one.by,
        live,
        services,
    })?;
    Ok(Draft {
        key: one.key.clone(),
        shown: one.shown.clone(),
        written,
    })
}

/// Takes out, and says, whatever a plan of the documents would not leave as it is, or a check not
/// let pass: what the documents say is not only meant to be true, it is tried.
fn prove(engine: &Engine, snapshot: &Snapshot, drafts: &mut Vec<Draft>, beyond: &mut Vec<String>) {
    for _ in 0..ROUNDS {
        let whole = pages::whole(drafts);
        let set = load_files([("import.yaml", whole.text.as_bytes())]);
        let Some(fault) = first_fault(engine, &set, snapshot, &whole) else {
            return;
        };
        let Some(at) = drafts.iter().position(|d| d.key == fault.key) else {
            return;
        };
        let Some(draft) = drafts.get_mut(at) else {
            return;
        };
        let names = kind(&fault.key.kind).map_or(&[][..], Kind::named_by);
        let is_name = |field: &String| names.contains(&field.as_str()) || field == "cluster";
        let field = fault.path.join(".");
        if fault.path.first().is_some_and(|f| !is_name(f)) && draft.written.take_out(&fault.path) {
            let why = format!("`{field}` is left out: {}", fault.why);
            draft.written.beyond.push(why);
        } else {
            let draft = drafts.remove(at);
            beyond.push(format!("{} has no document: {}", draft.shown, fault.why));
        }
    }
}

/// Why a plan would not be empty.
struct Fault {
    key: ResourceKey,
    /// Below `spec`; empty when it is the document as a whole.
    path: Vec<String>,
    why: String,
}

fn first_fault(
    engine: &Engine,
    set: &DesiredSet,
    snapshot: &Snapshot,
    whole: &pages::Whole,
) -> Option<Fault> {
    let errors = set
        .findings
        .iter()
        .filter(|f| f.severity == Severity::Error);
    for finding in errors {
        let line = finding.at.as_ref().map_or(0, |at| at.line);
        if let Some((key, path)) = whole.place(line) {
            return Some(Fault {
                key: key.clone(),
                path: path.to_vec(),
                why: finding.message.clone(),
            });
        }
    }
    let plan = engine.plan_from(
        set,
        &Scope::all(),
        snapshot,
        &Memory::default(),
        &Policy::CONTROLLER,
        &BTreeMap::new(),
    );
    plan.objects.iter().find_map(fault_of)
}

fn fault_of(object: &ObjectPlan) -> Option<Fault> {
    if let Some(drift) = object.drift.first() {
        let segments = drift.path.segments();
        return Some(Fault {
            key: object.key.clone(),
            path: segments.get(1..2).unwrap_or_default().to_vec(),
            why: format!(
                "{} is {} where {} would be in force",
                drift.path, drift.live, drift.desired
            ),
        });
    }
    let held = object.holds.first().map(ToString::to_string);
    (object.status != Status::InSync || held.is_some()).then(|| Fault {
        key: object.key.clone(),
        path: Vec::new(),
        why: held.unwrap_or_else(|| "it would not be left as it is".to_owned()),
    })
}
