//! `evenkeel iam-policy`: the least policy for the kinds in use, derived from the kinds.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use super::args::IamPolicyArgs;
use super::context::settings as read_settings;
use super::exit::Exit;
use super::out::print;
use super::store_spec::StoreSpec;
use super::wanted::Wanted;
use crate::kinds::{ExtraIam, KINDS, Kind, Purpose};
use crate::model::document::{DesiredSet, Frozen};
use crate::model::operation::{REPORT_READS, operation};
use crate::notify::receiver::{Receiver, Way};
use crate::render::json as render;

/// What the store takes: reading, and writing rows of its one table.
const STORE_READ: &[&str] = &[
    "dynamodb:BatchGetItem",
    "dynamodb:DescribeTable",
    "dynamodb:GetItem",
    "dynamodb:Query",
];
const STORE_WRITE: &[&str] = &[
    "dynamodb:ConditionCheckItem",
    "dynamodb:DeleteItem",
    "dynamodb:PutItem",
    "dynamodb:UpdateItem",
];

/// Runs it.
///
/// # Errors
/// Settings that cannot be read, or documents that are wrong.
pub async fn run(settings: Option<&Path>, args: &IamPolicyArgs) -> anyhow::Result<Exit> {
    let settings = read_settings(settings)?;
    let mut wanted = Wanted::offline(&args.folder, &settings)?;
    let set = wanted.load().await;
    let folder = wanted.shown().display().to_string();
    let kinds = in_use(&set);
    anyhow::ensure!(
        !kinds.is_empty(),
        "no document in {folder} loads, so no kind is in use; `evenkeel check` says what is wrong"
    );
    if let Some(warning) = unread(&set, &folder) {
        anstream::eprintln!("{warning}");
    }
    let receivers = settings.notify.iter().chain(&settings.change_notices);
    let topics = topics(receivers.filter(|_| !args.read_only));
    let store = args.store.clone().or(settings.store.clone());
    let mut policy = policy(&kinds, args.read_only, store.as_ref());
    if !topics.is_empty()
        && let Some(statements) = policy["Statement"].as_array_mut()
    {
        statements.push(json!({
            "Sid": "Notify", "Effect": "Allow", "Action": "sns:Publish", "Resource": topics,
        }));
    }
    print(&render::text(&policy))?;
    Ok(Exit::Fine)
}

/// The topics that notices are published to.
fn topics<'r>(receivers: impl Iterator<Item = &'r Receiver>) -> BTreeSet<String> {
    let topic = |receiver: &Receiver| match &receiver.way {
        Way::Sns(topic) => Some(topic.clone()),
        Way::Slack(_) | Way::Webhook(_) => None,
    };
    receivers.filter_map(topic).collect()
}

/// The kinds that are written down, loaded or not: what is mended tomorrow needs its rights, too.
fn in_use(set: &DesiredSet) -> Vec<&'static dyn Kind> {
    let keys = set.documents.keys().chain(&set.unread.keys);
    let used: BTreeSet<&str> = keys.map(|k| k.kind.as_str()).collect();
    KINDS
        .iter()
        .copied()
        .filter(|k| used.contains(k.name()))
        .collect()
}

/// What to tell of documents that did not load.
fn unread(set: &DesiredSet, folder: &str) -> Option<String> {
    let keys = &set.unread.keys;
    let named = keys.iter().map(ToString::to_string).collect::<Vec<_>>();
    let known = match named.as_slice() {
        [] => String::new(),
        named => format!(
            "warning: {} did not load; the policy has the rights of its kind all the same",
            named.join(", ")
        ),
    };
    let torn = match set.unread.torn {
        Frozen::None => String::new(),
        _ => format!(
            "warning: something in {folder} did not load, and its kind is not known: the policy \
             may lack its rights"
        ),
    };
    let lines = [known, torn].into_iter().filter(|line| !line.is_empty());
    let lines: Vec<String> = lines.collect();
    (!lines.is_empty()).then(|| {
        format!(
            "{}\n`evenkeel check {folder}` says what is wrong; print the policy again when it is \
             mended",
            lines.join("\n")
        )
    })
}

/// The policy for `kinds`.
pub fn policy(kinds: &[&dyn Kind], read_only: bool, store: Option<&StoreSpec>) -> Value {
    let actions = |names: &mut dyn Iterator<Item = &&'static str>| -> Vec<&'static str> {
        let found: BTreeSet<&str> = names
            .filter_map(|name| operation(name))
            .map(|op| op.iam)
            .collect();
        found.into_iter().collect()
    };
    let reads = actions(&mut kinds.iter().flat_map(|k| k.reads()));
    let mut statements = vec![json!({
        "Sid": "Look", "Effect": "Allow", "Action": reads, "Resource": "*",
    })];
    // Of these nothing that converges depends: leave the statement out, and nobody is named.
    statements.push(json!({
        "Sid": "Report", "Effect": "Allow",
        "Action": actions(&mut REPORT_READS.iter()), "Resource": "*",
    }));
    // What no document names is found by `import` alone; it may be left out of a controller's role.
    let lists = actions(&mut kinds.iter().flat_map(|k| k.lists()));
    if !lists.is_empty() {
        statements.push(json!({
            "Sid": "Find", "Effect": "Allow", "Action": lists, "Resource": "*",
        }));
    }
    if !read_only {
        let writes = actions(&mut kinds.iter().flat_map(|k| k.writes()));
        statements.push(json!({
            "Sid": "Converge", "Effect": "Allow", "Action": writes, "Resource": "*",
        }));
    }
    let extras = kinds
        .iter()
        .flat_map(|k| k.extra_iam())
        .filter(|extra| extra.purpose == Purpose::Look || !read_only);
    statements.extend(extras.enumerate().map(|(i, extra)| statement(i, extra)));
    if let Some(StoreSpec::DynamoDb(table)) = store {
        let mut actions: Vec<&str> = STORE_READ.to_vec();
        if !read_only {
            actions.extend(STORE_WRITE);
        }
        statements.push(json!({
            "Sid": "Store", "Effect": "Allow", "Action": actions,
            "Resource": format!("arn:aws:dynamodb:*:*:table/{table}"),
        }));
    }
    json!({"Version": "2012-10-17", "Statement": statements})
}

fn statement(number: usize, extra: &ExtraIam) -> Value {
    let mut statement = json!({
        "Sid": format!("Extra{number}"), "Effect": "Allow",
        "Action": extra.action, "Resource": extra.resources,
    });
    let condition = extra
        .condition
        .and_then(|c| serde_json::from_str::<Value>(c).ok());
    if let Some(condition) = condition {
        statement["Condition"] = condition;
    }
    statement
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::desired::load_files;

    #[test]
    fn a_read_only_policy_allows_no_write() {
        let text = policy(KINDS, true, Some(&StoreSpec::DynamoDb("ledger".into()))).to_string();
        for word in [
            "Update",
            "Put",
            "Register",
            "Modify",
            "PassRole",
            "Delete",
            "TagResource",
        ] {
            assert!(!text.contains(word), "{word} in {text}");
        }
    }

    #[test]
    fn a_policy_holds_what_aws_asks_of_the_caller_beside_the_calls_themselves() {
        let services: Vec<&dyn Kind> = KINDS
            .iter()
            .copied()
            .filter(|k| k.name() == "Service")
            .collect();
        let look = policy(&services, true, None).to_string();
        for action in ["ecs:ListTagsForResource", "cloudwatch:DescribeAlarms"] {
            assert!(look.contains(action), "{look}");
        }
        assert!(!look.contains("iam:"), "{look}");
        let converge = policy(&services, false, None).to_string();
        for action in [
            "ecs:ListTagsForResource",
            "cloudwatch:PutMetricAlarm",
            "iam:PassRole",
        ] {
            assert!(converge.contains(action), "{converge}");
        }
        assert!(!converge.contains("DeleteAlarms"), "{converge}");
    }

    fn loaded(text: &str) -> DesiredSet {
        load_files([("a.yaml", text.as_bytes())])
    }

    const ALARM: &str = "apiVersion: evenkeel/v1alpha1\nkind: Alarm\n\
                         metadata: {app: shop, name: high}\n\
                         spec: {preset: Elb5xx, dimensions: {LoadBalancer: app/a/1}}\n";

    #[test]
    fn a_document_that_does_not_load_counts_for_the_policy_and_is_told() {
        let broken = "---\napiVersion: evenkeel/v1alpha1\nkind: Service\n\
                      metadata: {app: shop, name: web}\nspec: {cluster: main, cpus: 1}\n";
        let set = loaded(&format!("{ALARM}{broken}"));
        let names: Vec<&str> = in_use(&set).iter().map(|k| k.name()).collect();
        assert_eq!(names, ["Service", "Alarm"]);
        let told = unread(&set, "desired-state").unwrap();
        assert!(told.contains("shop/Service/web did not load"), "{told}");
        assert!(told.contains("evenkeel check desired-state"), "{told}");
        assert!(!told.contains("not known"), "{told}");
    }

    #[test]
    fn a_text_of_no_known_kind_is_told_too() {
        let set = loaded(&format!("{ALARM}---\nkind: [\n"));
        let told = unread(&set, "desired-state").unwrap();
        assert!(told.contains("its kind is not known"), "{told}");
        assert_eq!(unread(&loaded(ALARM), "desired-state"), None);
    }

    #[test]
    fn a_policy_holds_only_what_the_kinds_in_use_take() {
        let tables: Vec<&dyn Kind> = KINDS
            .iter()
            .copied()
            .filter(|k| k.name() == "Table")
            .collect();
        let text = policy(&tables, false, None).to_string();
        assert!(text.contains("dynamodb:UpdateContinuousBackups"), "{text}");
        // But for what a report lists.
        let but = text.replace("\"ecs:ListServices\"", "");
        assert!(!but.contains("ecs:"), "{text}");
    }
}
