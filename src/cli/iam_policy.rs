//! `evenkeel iam-policy`: the least policy for the kinds in use, derived from the kinds.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use super::args::IamPolicyArgs;
use super::context::settings as read_settings;
use super::exit::Exit;
use super::out::print;
use super::store_spec::StoreSpec;
use crate::engine::desired::load;
use crate::kinds::{ExtraIam, KINDS, Kind, Purpose};
use crate::model::operation::operation;
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
pub fn run(settings: Option<&Path>, args: &IamPolicyArgs) -> anyhow::Result<Exit> {
    let settings = read_settings(settings)?;
    let set = load(&args.folder.path);
    let used: BTreeSet<&str> = set.documents.keys().map(|k| k.kind.as_str()).collect();
    anyhow::ensure!(
        !used.is_empty(),
        "no document in {} loads, so no kind is in use; `evenkeel check` says what is wrong",
        args.folder.path.display()
    );
    let kinds: Vec<&dyn Kind> = KINDS
        .iter()
        .copied()
        .filter(|k| used.contains(k.name()))
        .collect();
    let store = args.store.clone().or(settings.store);
    print(&render::text(&policy(
        &kinds,
        args.read_only,
        store.as_ref(),
    )))?;
    Ok(Exit::Fine)
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

    #[test]
    fn a_policy_holds_only_what_the_kinds_in_use_take() {
        let tables: Vec<&dyn Kind> = KINDS
            .iter()
            .copied()
            .filter(|k| k.name() == "Table")
            .collect();
        let text = policy(&tables, false, None).to_string();
        assert!(text.contains("dynamodb:UpdateContinuousBackups"), "{text}");
        assert!(!text.contains("ecs:"), "{text}");
    }
}
