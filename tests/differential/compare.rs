//! Comparing: two answers made alike where AWS promises nothing, and then looked through member by member.

use std::collections::BTreeMap;

use regex_lite::Regex;
use serde_json::{Map, Value, json};

use super::sides::Answer;

/// Where two answers differ.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// `services[].pendingCount`, or `error`.
    pub member: String,
    /// What the first side has there: `absent`, `present` beside an absent one, a scalar, `{..}` or `[..]`.
    pub one: String,
    /// What the second has.
    pub other: String,
}

/// What identifies the items of lists whose order AWS leaves open.
const IDENTITIES: &[&str] = &[
    "serviceArn",
    "clusterArn",
    "taskDefinitionArn",
    "serviceDeploymentArn",
    "ResourceId",
    "AlarmName",
    "DBInstanceIdentifier",
    "DBClusterIdentifier",
    "AttributeName",
    "IndexName",
    "key",
    "Key",
    "Name",
    "name",
    "Id",
];

/// What tells apart the items that share an identity.
const NAMES_WITHIN: &[&str] = &["PolicyName", "ScheduledActionName"];

/// Lists whose order means something.
const ORDERED: &[&str] = &[
    "deployments",
    "command",
    "entryPoint",
    "KeySchema",
    "Items",
    "CancellationReasons",
    "StepAdjustments",
];

/// Members that hold a moment: only whether they are there can be compared.
fn is_time(member: &str) -> bool {
    let by_name = ["createdAt", "updatedAt", "registeredAt", "deregisteredAt"];
    by_name.contains(&member)
        || ["Timestamp", "Time", "DateTime"]
            .iter()
            .any(|end| member.ends_with(end))
            && !["StartTime", "EndTime"].contains(&member)
}

/// An answer without what differs between any two runs.
pub struct Normaliser {
    account: String,
    random: Regex,
    digits: Regex,
}

impl Normaliser {
    /// `account` is the one of this sequence on both sides: any other is a difference.
    pub fn new(account: &str) -> Self {
        let uuid = "[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}";
        Self {
            account: account.to_owned(),
            random: Regex::new(uuid).unwrap(),
            digits: Regex::new(r"(ecs-svc/|scalable-target/)[0-9a-z]+").unwrap(),
        }
    }

    pub fn value(&self, member: &str, value: &Value) -> Value {
        if is_time(member) && !value.is_null() {
            return json!("<time>");
        }
        if ["nextToken", "NextToken", "Marker"].contains(&member) {
            return json!("<token>");
        }
        // A text for people.
        if member == "rolloutStateReason" && !value.is_null() {
            return json!("<text>");
        }
        match value {
            Value::String(text) if member == "taskDefinition" && !text.starts_with("arn:") => {
                // The same, as it was asked for; a family alone stays one.
                json!(format!(
                    "arn:aws:ecs:us-east-1:<account>:task-definition/{text}"
                ))
            }
            Value::String(text) => {
                let text = text.replace(&self.account, "<account>");
                let text = self.random.replace_all(&text, "<id>");
                // What names a scheduled action in its ARN is the service's own affair.
                let text = text.replace("scheduledAction:<id>:resource/", "scheduledAction:");
                json!(self.digits.replace_all(&text, "$1<id>"))
            }
            Value::Number(number) => number.as_f64().map_or(Value::Null, Value::from),
            Value::Array(items) => {
                let mut items: Vec<Value> = items.iter().map(|item| self.value("", item)).collect();
                if member == "deployments" {
                    // The other shows the new one last.
                    items.sort_by_key(|item| item["status"] != "PRIMARY");
                }
                if !ORDERED.contains(&member) {
                    items.sort_by_key(|item| (identity(item), item.to_string()));
                }
                Value::Array(items)
            }
            Value::Object(members) => {
                let all = members.iter().filter(|(_, value)| !value.is_null());
                // A table's name can be a member.
                let all = all.map(|(name, value)| {
                    let shown = name.replace(&self.account, "<account>");
                    (shown, self.value(name, value))
                });
                Value::Object(all.collect::<Map<_, _>>())
            }
            other => other.clone(),
        }
    }

    /// Every place where the two differ, each once.
    pub fn differences(&self, one: &Answer, other: &Answer) -> Vec<Difference> {
        let code = |answer: &Answer| match answer {
            Answer::Done(_) => "none".to_owned(),
            Answer::Refused(code, ..) => code.clone(),
        };
        if code(one) != code(other) {
            return vec![Difference {
                member: "error".into(),
                one: code(one),
                other: code(other),
            }];
        }
        let tree = |answer: &Answer| match answer {
            Answer::Done(value) => self.value("", value),
            Answer::Refused(_, status, members) => {
                json!({"status": status, "error": self.value("", members)})
            }
        };
        let mut found = Vec::new();
        walk("", Some(&tree(one)), Some(&tree(other)), &mut found);
        found.sort();
        found.dedup();
        found
    }
}

fn identity(item: &Value) -> Option<String> {
    let of = |names: &[&str]| names.iter().find_map(|name| item.get(name)?.as_str());
    let within = of(NAMES_WITHIN).unwrap_or_default();
    of(IDENTITIES).map(|identity| format!("{identity} {within}"))
}

fn walk(path: &str, one: Option<&Value>, other: Option<&Value>, found: &mut Vec<Difference>) {
    match (one, other) {
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            let names: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for name in names {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                walk(&path, a.get(name), b.get(name), found);
            }
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) => {
            let path = format!("{path}[]");
            let named = |items: &[Value]| -> Option<BTreeMap<String, Value>> {
                let named = items
                    .iter()
                    .map(|item| Some((identity(item)?, item.clone())));
                named
                    .collect::<Option<BTreeMap<_, _>>>()
                    .filter(|all| all.len() == items.len())
            };
            let ordered = ORDERED
                .iter()
                .any(|o| path == format!("{o}[]") || path.ends_with(&format!(".{o}[]")));
            match (named(a), named(b)) {
                (Some(a), Some(b)) if !ordered => {
                    let names: std::collections::BTreeSet<&String> =
                        a.keys().chain(b.keys()).collect();
                    for name in names {
                        walk(&path, a.get(name), b.get(name), found);
                    }
                }
                _ => {
                    for at in 0..a.len().max(b.len()) {
                        walk(&path, a.get(at), b.get(at), found);
                    }
                }
            }
        }
        (one, other) if one == other => {}
        (one, other) => found.push(Difference {
            member: path.to_owned(),
            one: shown(one, other),
            other: shown(other, one),
        }),
    }
}

/// A value beside the one that it differs from. Where only one side has any, what it is says little.
fn shown(value: Option<&Value>, beside: Option<&Value>) -> String {
    match value {
        None => "absent".into(),
        Some(Value::Object(members)) if members.is_empty() => "{}".into(),
        Some(Value::Array(items)) if items.is_empty() => "[]".into(),
        Some(Value::String(text)) if text.is_empty() => "\"\"".into(),
        Some(_) if beside.is_none() => "present".into(),
        Some(Value::Object(_)) => "{..}".into(),
        Some(Value::Array(_)) => "[..]".into(),
        Some(Value::Number(number)) => number.to_string().trim_end_matches(".0").to_owned(),
        Some(Value::String(text)) => format!("{text:?}"),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_moments_and_the_order_of_lists_are_no_differences_and_a_missing_member_is_one() {
        let one = json!({"services": [
            {"serviceArn": "b", "createdAt": 1, "id": "ecs-svc/123", "tags": []},
            {"serviceArn": "a", "desiredCount": 2},
        ]});
        let other = json!({"services": [
            {"serviceArn": "a", "desiredCount": 2.0},
            {"serviceArn": "b", "createdAt": 2.5, "id": "ecs-svc/456"},
        ]});
        let found =
            Normaliser::new("123456789012").differences(&Answer::Done(one), &Answer::Done(other));
        let tags = Difference {
            member: "services[].tags".into(),
            one: "[]".into(),
            other: "absent".into(),
        };
        assert_eq!(found, [tags]);
    }
}
