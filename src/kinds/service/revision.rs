//! Revisions: task definitions as read, kept because they never change.
//!
//! What is kept is their size. A whole task definition holds the environment of its containers
//! and goes to `bodies`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_sdk_ecs::types::{SortOrder, TaskDefinitionField, TaskDefinitionStatus};
use futures_util::stream::{self, StreamExt as _};

use super::bodies::Secret;
use super::facts::{Revision, parts};
use super::view;
use crate::aws::call::{AwsError, RawAnswer, read};
use crate::aws::cell::Cell;
use crate::aws::fault::Fault;

/// Reads at once; the budget paces them.
const AT_ONCE: usize = 8;

/// Newest revisions of a family that are searched for one of ours.
const SEARCHED: usize = 20;

/// Sizes of revisions by ARN, and which service needs which of them.
#[derive(Debug, Default)]
pub struct Revisions(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    known: BTreeMap<String, Revision>,
    /// ARNs in use, by `cluster/service`.
    uses: BTreeMap<String, BTreeSet<String>>,
    /// How many objects use each.
    users: BTreeMap<String, usize>,
}

impl Revisions {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The revision, if it is kept.
    pub fn get(&self, arn: &str) -> Option<Revision> {
        self.kept().known.get(arn).cloned()
    }

    /// Keeps one that `object` uses.
    pub fn keep(&self, object: &str, revision: Revision) {
        let mut kept = self.kept();
        let Kept { known, uses, users } = &mut *kept;
        let arns = uses.entry(object.to_owned()).or_default();
        if arns.insert(revision.arn.clone()) {
            *users.entry(revision.arn.clone()).or_default() += 1;
        }
        known.insert(revision.arn.clone(), revision);
    }

    /// Says that `object` uses exactly `arns` from now on, and forgets what nobody uses.
    pub fn used(&self, object: &str, arns: BTreeSet<String>) {
        let mut kept = self.kept();
        let Kept { known, uses, users } = &mut *kept;
        for arn in &arns {
            *users.entry(arn.clone()).or_default() += 1;
        }
        // Counted rather than searched: with a thousand services a search would be a million.
        for arn in uses.insert(object.to_owned(), arns).unwrap_or_default() {
            if let Some(left) = users.get_mut(&arn) {
                *left = left.saturating_sub(1);
                if *left == 0 {
                    users.remove(&arn);
                    known.remove(&arn);
                }
            }
        }
    }

    /// Reads those of `arns` that are not kept, each once; the result has an entry for each.
    pub async fn fetch(
        &self,
        cell: &Cell,
        arns: BTreeSet<String>,
    ) -> BTreeMap<String, Result<Revision, String>> {
        let reads = arns.into_iter().map(|arn| async move {
            if let Some(revision) = self.get(&arn) {
                return (arn, Ok(revision));
            }
            let found = match describe(cell, &arn).await {
                Ok((_, revision)) => Ok(revision),
                Err(error) => Err(error.to_string()),
            };
            (arn, found)
        });
        at_once(reads.collect()).await.into_iter().collect()
    }
}

/// Waits for all of `reads`, a few at a time.
pub async fn at_once<F: Future>(reads: Vec<F>) -> Vec<F::Output> {
    stream::iter(reads)
        .buffer_unordered(AT_ONCE)
        .collect()
        .await
}

/// Reads one revision, whole, with its tags.
///
/// # Errors
/// AWS's, or an answer without a task definition in it.
pub async fn describe(cell: &Cell, arn: &str) -> Result<(Secret, Revision), AwsError> {
    let operation = "ecs.DescribeTaskDefinition";
    let raw = read(cell, operation, arn, || {
        let raw = RawAnswer::default();
        let call = cell
            .ecs
            .describe_task_definition()
            .task_definition(arn)
            .include(TaskDefinitionField::Tags)
            .customize()
            .interceptor(raw.clone());
        async move { call.send().await.map(|_| raw) }
    })
    .await?;
    let secret = Secret::new(raw.bytes());
    match secret.open().as_ref().and_then(view::revision) {
        Some(revision) => Ok((secret, revision)),
        None => Err(unusable(operation, arn)),
    }
}

/// An answer that came, and lacks what it must have.
pub fn unusable(operation: &str, object: &str) -> AwsError {
    AwsError {
        operation: operation.to_owned(),
        object: object.to_owned(),
        fault: Fault::Transient,
        code: String::new(),
        message: "the answer lacks what it must hold; is the endpoint an AWS API?".to_owned(),
    }
}

/// The revision that the registration of `intent`, patched from `base`, made; `None` when it is
/// not among the newest of its family.
///
/// # Errors
/// AWS's.
pub async fn registered_by(
    cell: &Cell,
    intent: &str,
    base: &str,
) -> Result<Option<Revision>, AwsError> {
    let Some((family, newest_before)) = parts(base) else {
        return Ok(None);
    };
    let answer = read(cell, "ecs.ListTaskDefinitions", family, || {
        cell.ecs
            .list_task_definitions()
            .family_prefix(family)
            .status(TaskDefinitionStatus::Active)
            .sort(SortOrder::Desc)
            .max_results(100)
            .send()
    })
    .await?;
    let newer = answer
        .task_definition_arns
        .unwrap_or_default()
        .into_iter()
        .filter(|arn| {
            // The prefix may be that of another family, too.
            parts(arn).is_some_and(|(f, revision)| f == family && revision > newest_before)
        })
        .take(SEARCHED);
    for arn in newer {
        let (_, revision) = describe(cell, &arn).await?;
        if revision.intent.as_deref() == Some(intent) {
            return Ok(Some(revision));
        }
    }
    Ok(None)
}
