//! Happening: one thing that took effect at AWS or in the store, decoded from its request.

use std::time::Duration;

use evenkeel::model::entry::{Entry, Outcome, Record};
use evenkeel::model::key::ResourceKey;
use serde_json::Value;

use super::estate::AppWish;

/// Which incarnation of which replica; a restarted one is another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Who {
    pub replica: usize,
    pub life: usize,
}

/// A request for a mutation of the estate, as it left its replica.
#[derive(Clone, Debug)]
pub struct Sent {
    pub who: Who,
    /// The intent of its permit; `None` when it carries none.
    pub intent: Option<String>,
    /// `ecs.UpdateService`.
    pub operation: String,
    pub input: Value,
    /// The sender's boot clock.
    pub boot: Duration,
    /// When the sender believes that its lease ends, on that clock.
    pub deadline: Duration,
    /// True time.
    pub at: Duration,
}

/// What a mutation did to its object.
#[derive(Clone, Debug)]
pub struct Landed {
    pub sent: Sent,
    pub at: Duration,
    /// What no document of the run names, before and after.
    pub unnamed: [Value; 2],
    /// Whether the network delivered it a second time.
    pub again: bool,
}

/// How a grant's row was touched by its holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touch {
    Renewed,
    Intended,
    Remembered,
    Released,
}

/// One thing that took effect.
#[derive(Clone, Debug)]
pub enum Happening {
    /// A lease was granted.
    Granted {
        who: Who,
        app: String,
        token: u64,
        grant: String,
        boot: Duration,
        at: Duration,
    },
    /// A holder's request that needs its grant to be the one in the row succeeded.
    Touched {
        who: Who,
        app: String,
        grant: String,
        how: Touch,
        boot: Duration,
        at: Duration,
    },
    /// A person took the lease from its holder.
    Fenced { app: String, token: u64 },
    /// An entry was added to an app's chain, the row OPEN of its object with it or away.
    Appended {
        who: Who,
        entry: Box<Entry>,
        at: Duration,
    },
    /// The object's row OPEN was put in (the intent) or taken out.
    Opened {
        key: ResourceKey,
        intent: Option<String>,
    },
    /// A replica was given an answer to a reading of these objects.
    Read {
        who: Who,
        operation: String,
        objects: Vec<String>,
        at: Duration,
    },
    /// A mutation left its replica.
    Sent(Sent),
    /// A mutation took effect.
    Landed(Box<Landed>),
    /// Text left a process for the store, a log or a person.
    Said { place: &'static str, text: String },
    /// A replica loaded its documents: which apps are frozen, and what the others say.
    Loaded {
        who: Who,
        frozen: Vec<String>,
        wishes: Vec<AppWish>,
        at: Duration,
    },
    /// A request came from a replica that had been killed.
    FromTheDead { who: Who, operation: String },
}

/// The names of what has to happen somewhere in many runs, or they prove less than they seem to.
pub static EVENTS: &[&str] = &[
    "documents loaded",
    "intent",
    "lease given back",
    "lease granted",
    "lease renewed",
    "lease renewed by an intent",
    "lease taken by a person",
    "memory written",
    "object closed",
    "object opened",
    "outcome Applied",
    "outcome NotApplied",
    "outcome Superseded",
    "outcome Unknown",
    "reading answered",
    "text searched for secrets",
    "write landed",
    "write landed again",
    "write sent",
];

impl Happening {
    /// A line of the trace, for what its request alone does not tell.
    pub fn told(&self) -> Option<String> {
        Some(match self {
            Happening::Granted {
                who, app, token, ..
            } => format!(
                "lease of {app} granted to r{}.{}, token {token}",
                who.replica, who.life
            ),
            Happening::Fenced { app, token } => {
                format!("lease of {app} taken by a person, token {token}")
            }
            Happening::Touched { app, how, .. } => format!("lease of {app}: {how:?}"),
            Happening::Appended { entry, .. } => {
                let what = match &entry.record {
                    Record::Intent { id, key, step, .. } => {
                        format!("intent {id:.8} {key}: {}", step.title)
                    }
                    Record::Outcome {
                        intent,
                        key,
                        outcome,
                        ..
                    } => format!("outcome of {intent:.8} {key}: {outcome:?}"),
                };
                format!("entry {} under token {}: {what}", entry.seq, entry.token)
            }
            Happening::Landed(landed) => {
                let (name, intent) = (&landed.sent.operation, landed.sent.intent.as_deref());
                let after = landed.at.saturating_sub(landed.sent.at).as_secs_f64();
                let again = if landed.again { " again" } else { "" };
                format!(
                    "{name} of {:.8} landed{again}, {after:.3} s after it was sent",
                    intent.unwrap_or("nobody")
                )
            }
            Happening::Opened { .. }
            | Happening::Read { .. }
            | Happening::Sent(_)
            | Happening::Said { .. }
            | Happening::Loaded { .. }
            | Happening::FromTheDead { .. } => return None,
        })
    }

    /// Its name in the figures.
    pub fn name(&self) -> &'static str {
        match self {
            Happening::Granted { .. } => "lease granted",
            Happening::Touched { how, .. } => match how {
                Touch::Renewed => "lease renewed",
                Touch::Intended => "lease renewed by an intent",
                Touch::Remembered => "memory written",
                Touch::Released => "lease given back",
            },
            Happening::Fenced { .. } => "lease taken by a person",
            Happening::Appended { entry, .. } => match &entry.record {
                Record::Intent { .. } => "intent",
                Record::Outcome { outcome, .. } => match outcome {
                    Outcome::Applied => "outcome Applied",
                    Outcome::NotApplied => "outcome NotApplied",
                    Outcome::Unknown => "outcome Unknown",
                    Outcome::Superseded => "outcome Superseded",
                },
            },
            Happening::Opened { intent, .. } => match intent {
                Some(_) => "object opened",
                None => "object closed",
            },
            Happening::Read { .. } => "reading answered",
            Happening::Sent(_) => "write sent",
            Happening::Landed(landed) if landed.again => "write landed again",
            Happening::Landed(_) => "write landed",
            Happening::Said { .. } => "text searched for secrets",
            Happening::Loaded { .. } => "documents loaded",
            Happening::FromTheDead { .. } => "request from the dead",
        }
    }
}

/// What a store request that succeeded did, in the order of its parts.
pub fn of_store(
    who: Who,
    operation: &str,
    input: &Value,
    boot: Duration,
    at: Duration,
) -> Vec<Happening> {
    let mut happenings = Vec::new();
    match operation {
        "PutItem" => put(who, &input["Item"], (boot, at), &mut happenings),
        "UpdateItem" => touch(who, input, false, (boot, at), &mut happenings),
        "TransactWriteItems" => {
            let parts = input["TransactItems"].as_array().into_iter().flatten();
            let parts: Vec<&Value> = parts.collect();
            let appends = parts
                .iter()
                .any(|p| sk(&p["Put"]["Item"]).starts_with("ENTRY#"));
            for part in parts {
                if part["Put"].is_object() {
                    put(who, &part["Put"]["Item"], (boot, at), &mut happenings);
                } else if part["Update"].is_object() {
                    touch(who, &part["Update"], appends, (boot, at), &mut happenings);
                } else if part["ConditionCheck"].is_object() {
                    touch(
                        who,
                        &part["ConditionCheck"],
                        appends,
                        (boot, at),
                        &mut happenings,
                    );
                } else if part["Delete"].is_object() {
                    open(&part["Delete"]["Key"], None, &mut happenings);
                }
            }
        }
        _ => {}
    }
    happenings
}

fn sk(item: &Value) -> &str {
    item["sk"]["S"].as_str().unwrap_or_default()
}

/// The app of a row's `account#region#app`.
fn app(item: &Value) -> String {
    let pk = item["pk"]["S"].as_str().unwrap_or_default();
    pk.splitn(3, '#').nth(2).unwrap_or_default().to_owned()
}

fn put(who: Who, item: &Value, (boot, at): (Duration, Duration), happenings: &mut Vec<Happening>) {
    let text = |name: &str| item[name]["S"].as_str().unwrap_or_default().to_owned();
    let number = |name: &str| item[name]["N"].as_str().and_then(|n| n.parse::<u64>().ok());
    let sk = sk(item);
    if sk == "LEASE" {
        let token = number("token").unwrap_or_default();
        happenings.push(if text("state") == "Held" {
            Happening::Granted {
                who,
                app: app(item),
                token,
                grant: text("grant"),
                boot,
                at,
            }
        } else {
            Happening::Fenced {
                app: app(item),
                token,
            }
        });
    } else if sk.starts_with("ENTRY#") {
        if let Ok(entry) = serde_json::from_str::<Entry>(&text("body")) {
            happenings.push(Happening::Appended {
                who,
                entry: Box::new(entry),
                at,
            });
        }
    } else if sk.starts_with("OPEN#") {
        open(item, Some(text("intent")), happenings);
    }
}

fn open(row: &Value, intent: Option<String>, happenings: &mut Vec<Happening>) {
    let Some((kind, name)) = sk(row)
        .strip_prefix("OPEN#")
        .and_then(|rest| rest.split_once('/'))
    else {
        return;
    };
    let key = ResourceKey::new(app(row), kind, name);
    happenings.push(Happening::Opened { key, intent });
}

/// A part that asks for the lease row to be ours: a renewal, a release, or the condition of an
/// intent or of a memory.
fn touch(
    who: Who,
    part: &Value,
    appends: bool,
    (boot, at): (Duration, Duration),
    happenings: &mut Vec<Happening>,
) {
    if sk(&part["Key"]) != "LEASE" {
        return;
    }
    let values = &part["ExpressionAttributeValues"];
    let how = if values[":released"].is_object() {
        Touch::Released
    } else if appends {
        Touch::Intended
    } else if part["UpdateExpression"].is_string() {
        Touch::Renewed
    } else {
        Touch::Remembered
    };
    happenings.push(Happening::Touched {
        who,
        app: app(&part["Key"]),
        grant: values[":grant"]["S"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
        how,
        boot,
        at,
    });
}

/// The names of the live objects that a call speaks of.
pub fn objects_of(operation: &str, input: &Value) -> Vec<String> {
    let members: &[&str] = match operation {
        "ecs.DescribeServices" => &["services"],
        "ecs.UpdateService" => &["service"],
        "ecs.TagResource" => &["resourceArn"],
        "ecs.RegisterTaskDefinition" => &["family"],
        "application-autoscaling.DescribeScalableTargets" => &["ResourceIds"],
        "application-autoscaling.RegisterScalableTarget" => &["ResourceId"],
        "cloudwatch.DescribeAlarms" => &["AlarmNames"],
        "cloudwatch.PutMetricAlarm" => &["AlarmName"],
        "rds.DescribeDBInstances" | "rds.ModifyDBInstance" => &["DBInstanceIdentifier"],
        "dynamodb.DescribeTable"
        | "dynamodb.DescribeContinuousBackups"
        | "dynamodb.UpdateTable"
        | "dynamodb.UpdateContinuousBackups" => &["TableName"],
        _ => &[],
    };
    let names = members.iter().flat_map(|member| match &input[*member] {
        Value::Array(names) => names.iter().collect(),
        one => vec![one],
    });
    names
        .filter_map(Value::as_str)
        .map(|name| name.rsplit('/').next().unwrap_or_default().to_owned())
        .collect()
}
