//! Looking at auto scaling: targets, policies and scheduled actions of many services in as few
//! calls as they can be had in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_sdk_applicationautoscaling::types::ServiceNamespace;
use futures_util::future::join3;

use super::facts::{Action, Policy, Scaling};
use super::revision::{at_once, unusable};
use super::view;
use crate::aws::call::{AwsError, RawAnswer, read};
use crate::aws::cell::Cell;
use crate::model::tree::Tree;

/// Resource ids in one DescribeScalableTargets (API model).
const IDS_A_CALL: usize = 50;

/// What is wanted of one service's auto scaling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// Only whether there is a target.
    Target,
    /// Target, policies and scheduled actions.
    All,
}

/// Entries by resource id, or why those of an id could not be read.
type Entries = BTreeMap<String, Result<Vec<Tree>, String>>;

/// How many pages the last listing of a whole namespace took, so that the cheaper way is known
/// the next time. Zero: not tried yet.
#[derive(Debug, Default)]
pub struct Widths {
    policies: AtomicUsize,
    actions: AtomicUsize,
}

/// Reads the auto scaling of `wanted`: a result for each id.
pub async fn look(
    cell: &Cell,
    widths: &Widths,
    wanted: &BTreeMap<String, Depth>,
) -> BTreeMap<String, Result<Scaling, String>> {
    let all: BTreeSet<&str> = wanted.keys().map(String::as_str).collect();
    let deep: BTreeSet<&str> = wanted
        .iter()
        .filter(|(_, depth)| **depth == Depth::All)
        .map(|(id, _)| id.as_str())
        .collect();
    let (targets, policies, actions) = join3(
        targets(cell, &all),
        listed(cell, What::Policies, &widths.policies, &deep),
        listed(cell, What::Actions, &widths.actions, &deep),
    )
    .await;
    wanted
        .keys()
        .map(|id| {
            let found = (|| {
                let mut scaling = Scaling::default();
                for tree in entries_of(&targets, id)? {
                    let target = view::target(tree).ok_or("the scalable target has no bounds")?;
                    scaling.target = Some(target);
                }
                for tree in entries_of(&policies, id)? {
                    scaling.policies.extend(view::policy(tree));
                }
                for tree in entries_of(&actions, id)? {
                    scaling.actions.extend(view::action(tree));
                }
                Ok(scaling)
            })();
            (id.clone(), found)
        })
        .collect()
}

fn entries_of<'e>(entries: &'e Entries, id: &str) -> Result<&'e [Tree], String> {
    match entries.get(id) {
        None => Ok(&[]),
        Some(Ok(trees)) => Ok(trees),
        Some(Err(cause)) => Err(cause.clone()),
    }
}

/// The policies of one service as they are now.
///
/// # Errors
/// AWS's.
pub async fn policies_now(cell: &Cell, id: &str) -> Result<BTreeMap<String, Policy>, AwsError> {
    let found = all_of(cell, What::Policies, id).await?;
    Ok(found.iter().filter_map(view::policy).collect())
}

/// The scheduled actions of one service as they are now.
///
/// # Errors
/// AWS's.
pub async fn actions_now(cell: &Cell, id: &str) -> Result<BTreeMap<String, Action>, AwsError> {
    let found = all_of(cell, What::Actions, id).await?;
    Ok(found.iter().filter_map(view::action).collect())
}

async fn all_of(cell: &Cell, what: What, id: &str) -> Result<Vec<Tree>, AwsError> {
    let found = paged(what.member(), usize::MAX, |token| {
        page(cell, what, Some(id), token)
    });
    let found = sorted(std::iter::once(id), Ok(found.await?)).remove(id);
    Ok(found.and_then(Result::ok).unwrap_or_default())
}

/// What is listed.
#[derive(Clone, Copy, Debug)]
enum What {
    Policies,
    Actions,
}

impl What {
    fn operation(self) -> &'static str {
        match self {
            What::Policies => "application-autoscaling.DescribeScalingPolicies",
            What::Actions => "application-autoscaling.DescribeScheduledActions",
        }
    }

    fn member(self) -> &'static str {
        match self {
            What::Policies => "ScalingPolicies",
            What::Actions => "ScheduledActions",
        }
    }
}

async fn targets(cell: &Cell, ids: &BTreeSet<&str>) -> Entries {
    let ids: Vec<&str> = ids.iter().copied().collect();
    let reads = ids.chunks(IDS_A_CALL).map(|chunk| async move {
        let found = paged("ScalableTargets", usize::MAX, |token| async move {
            let operation = "application-autoscaling.DescribeScalableTargets";
            let raw = read(cell, operation, &some_of(chunk), || {
                let raw = RawAnswer::default();
                let call = cell
                    .autoscaling
                    .describe_scalable_targets()
                    .service_namespace(ServiceNamespace::Ecs)
                    .set_resource_ids(Some(chunk.iter().map(|id| (*id).to_owned()).collect()))
                    .set_next_token(token.clone())
                    .customize()
                    .interceptor(raw.clone());
                async move { call.send().await.map(|_| raw) }
            })
            .await?;
            parsed(operation, &raw)
        })
        .await;
        sorted(chunk.iter().copied(), found)
    });
    let found: Vec<Entries> = at_once(reads.collect()).await;
    found.into_iter().flatten().collect()
}

fn some_of(ids: &[&str]) -> String {
    match ids {
        [one] => (*one).to_owned(),
        many => format!("{} services", many.len()),
    }
}

/// The whole namespace in pages, or one call for each service, whichever takes fewer calls.
async fn listed(cell: &Cell, what: What, width: &AtomicUsize, ids: &BTreeSet<&str>) -> Entries {
    let known = width.load(Ordering::Relaxed);
    if ids.len() > 1 && known <= ids.len() {
        let found = paged(what.member(), ids.len(), |token| {
            page(cell, what, None, token)
        })
        .await;
        match found {
            Ok(Pages::All(trees, pages)) => {
                width.store(pages, Ordering::Relaxed);
                return sorted(ids.iter().copied(), Ok(Pages::All(trees, pages)));
            }
            // More pages than services: the namespace holds much that nobody asked for.
            Ok(Pages::TooMany) => width.store(ids.len() + 1, Ordering::Relaxed),
            Err(error) => return sorted(ids.iter().copied(), Err(error)),
        }
    }
    let reads = ids.iter().copied().map(|id| async move {
        let found = paged(what.member(), usize::MAX, |token| {
            page(cell, what, Some(id), token)
        })
        .await;
        sorted(std::iter::once(id), found)
    });
    let found: Vec<Entries> = at_once(reads.collect()).await;
    found.into_iter().flatten().collect()
}

async fn page(
    cell: &Cell,
    what: What,
    id: Option<&str>,
    token: Option<String>,
) -> Result<Tree, AwsError> {
    let operation = what.operation();
    let id = id.map(str::to_owned);
    let object = id.clone().unwrap_or_else(|| "all services".to_owned());
    let raw = match what {
        What::Policies => {
            read(cell, operation, &object, || {
                let raw = RawAnswer::default();
                let call = cell
                    .autoscaling
                    .describe_scaling_policies()
                    .service_namespace(ServiceNamespace::Ecs)
                    .set_resource_id(id.clone())
                    .set_next_token(token.clone())
                    .customize()
                    .interceptor(raw.clone());
                async move { call.send().await.map(|_| raw) }
            })
            .await?
        }
        What::Actions => {
            read(cell, operation, &object, || {
                let raw = RawAnswer::default();
                let call = cell
                    .autoscaling
                    .describe_scheduled_actions()
                    .service_namespace(ServiceNamespace::Ecs)
                    .set_resource_id(id.clone())
                    .set_next_token(token.clone())
                    .customize()
                    .interceptor(raw.clone());
                async move { call.send().await.map(|_| raw) }
            })
            .await?
        }
    };
    parsed(operation, &raw)
}

fn parsed(operation: &str, raw: &RawAnswer) -> Result<Tree, AwsError> {
    serde_json::from_slice(&raw.bytes()).map_err(|_| unusable(operation, "auto scaling"))
}

/// What a paged reading gave.
enum Pages {
    /// All entries, and in how many pages.
    All(Vec<Tree>, usize),
    /// Given up: it takes more pages than it is worth.
    TooMany,
}

/// All pages, or none of them: half a list would make entries look absent.
async fn paged<F, Fut>(member: &str, most: usize, page: F) -> Result<Pages, AwsError>
where
    F: Fn(Option<String>) -> Fut,
    Fut: Future<Output = Result<Tree, AwsError>>,
{
    let mut found = Vec::new();
    let mut token = None;
    let mut pages = 0;
    loop {
        let mut answer = page(token).await?;
        pages += 1;
        if let Some(Tree::Array(entries)) = answer.get_mut(member).map(Tree::take) {
            found.extend(entries);
        }
        token = answer
            .get("NextToken")
            .and_then(Tree::as_str)
            .map(str::to_owned);
        if token.is_none() {
            return Ok(Pages::All(found, pages));
        }
        if pages >= most {
            return Ok(Pages::TooMany);
        }
    }
}

/// Entries sorted by the resource that they are of; only those of `ids` are kept.
fn sorted<'i>(ids: impl Iterator<Item = &'i str>, found: Result<Pages, AwsError>) -> Entries {
    match found {
        Ok(Pages::All(trees, _)) => {
            let mut entries: Entries = ids.map(|id| (id.to_owned(), Ok(Vec::new()))).collect();
            for tree in trees {
                let dimension = tree.get("ScalableDimension").and_then(Tree::as_str);
                let id = tree.get("ResourceId").and_then(Tree::as_str);
                if dimension.is_some_and(|d| d != "ecs:service:DesiredCount") {
                    continue;
                }
                if let Some(Ok(of_id)) = id.and_then(|id| entries.get_mut(id)) {
                    of_id.push(tree);
                }
            }
            entries
        }
        Ok(Pages::TooMany) => ids
            .map(|id| (id.to_owned(), Err("the list is incomplete".to_owned())))
            .collect(),
        Err(error) => ids
            .map(|id| (id.to_owned(), Err(error.to_string())))
            .collect(),
    }
}
