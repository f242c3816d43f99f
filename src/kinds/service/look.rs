//! Looking: reads many services at once, in as few calls as they can be had in.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecs::types::ServiceField;
use futures_util::future::join;

use super::aws::ServiceDriver;
use super::decide::{forbidden, object};
use super::facts::{Facts, History};
use super::look_scaling::{self, Depth};
use super::revision::{at_once, unusable};
use super::scaling::resource_id;
use super::view;
use crate::aws::call::{AwsError, RawAnswer, read};
use crate::aws::cell::Cell;
use crate::aws::fault::Fault;
use crate::kinds::Wanted;
use crate::model::key::ResourceKey;
use crate::model::snapshot::{Live, Seen};
use crate::model::tree::{Tree, to_tree};
use crate::plan::diff::diff;

/// Services in one DescribeServices (API model).
const SERVICES_A_CALL: usize = 10;
/// Newest service deployments that are asked for a roll-back.
const PAST_DEPLOYMENTS: i32 = 20;

/// What DescribeServices said of one service.
enum Found {
    There(Box<(Tree, Facts)>),
    Missing,
    Unreadable(String),
}

/// Looks at all of `wanted`.
pub async fn look(driver: &ServiceDriver, wanted: &[Wanted]) -> BTreeMap<ResourceKey, Seen> {
    let cell = &driver.cell;
    let depths: BTreeMap<String, Depth> = wanted
        .iter()
        .filter_map(|w| Some((resource_id(&w.desired), depth(&w.desired)?)))
        .collect();
    let (mut services, scaling) = join(
        services(cell, wanted),
        look_scaling::look(cell, &driver.widths, &depths),
    )
    .await;
    revisions(driver, wanted, &mut services).await;
    histories(cell, wanted, &mut services).await;
    wanted
        .iter()
        .map(|w| {
            let seen = match services.remove(&w.key) {
                None => Seen::Unreadable("it was not asked for".to_owned()),
                Some(Found::Missing) => Seen::Absent,
                Some(Found::Unreadable(cause)) => Seen::Unreadable(cause),
                Some(Found::There(there)) => {
                    let (service, mut facts) = *there;
                    match scaling.get(&resource_id(&w.desired)) {
                        Some(Err(cause)) => Seen::Unreadable(cause.clone()),
                        found => {
                            facts.scaling = found.and_then(|f| f.clone().ok());
                            Seen::Present(Live {
                                view: view::view(&service, &facts),
                                facts: facts.kept(),
                            })
                        }
                    }
                }
            };
            (w.key.clone(), seen)
        })
        .collect()
}

fn depth(desired: &Tree) -> Option<Depth> {
    if desired.get("scaling").is_some() {
        return Some(Depth::All);
    }
    desired.get("desiredCount").map(|_| Depth::Target)
}

fn wants_size(desired: &Tree) -> bool {
    ["cpu", "memory", "containers"]
        .iter()
        .any(|field| desired.get(field).is_some())
}

fn field<'t>(desired: &'t Tree, name: &str) -> &'t str {
    desired.get(name).and_then(Tree::as_str).unwrap_or_default()
}

async fn services(cell: &Cell, wanted: &[Wanted]) -> BTreeMap<ResourceKey, Found> {
    let mut clusters: BTreeMap<&str, Vec<&Wanted>> = BTreeMap::new();
    for w in wanted {
        clusters
            .entry(field(&w.desired, "cluster"))
            .or_default()
            .push(w);
    }
    let batches: Vec<Vec<&Wanted>> = clusters
        .into_values()
        .flat_map(|of_cluster| {
            of_cluster
                .chunks(SERVICES_A_CALL)
                .map(<[&Wanted]>::to_vec)
                .collect::<Vec<_>>()
        })
        .collect();
    let reads = batches.into_iter().map(|batch| async move {
        match batch_of(cell, &batch).await {
            // One service that may not be read spoils the call for all ten.
            Err(error)
                if batch.len() > 1 && matches!(error.fault, Fault::Denied | Fault::Terminal) =>
            {
                let mut found = Vec::new();
                for one in &batch {
                    found.extend(found_in(&[*one], batch_of(cell, &[*one]).await));
                }
                found
            }
            answer => found_in(&batch, answer),
        }
    });
    let found = at_once(reads.collect()).await;
    found.into_iter().flatten().collect()
}

async fn batch_of(cell: &Cell, batch: &[&Wanted]) -> Result<Tree, AwsError> {
    let Some(first) = batch.first() else {
        return Ok(Tree::Null);
    };
    let names: Vec<String> = batch
        .iter()
        .map(|w| field(&w.desired, "serviceName").to_owned())
        .collect();
    let tags = batch.iter().any(|w| w.desired.get("tags").is_some());
    describe(cell, field(&first.desired, "cluster"), &names, tags).await
}

/// DescribeServices, raw.
async fn describe(
    cell: &Cell,
    cluster: &str,
    names: &[String],
    tags: bool,
) -> Result<Tree, AwsError> {
    let operation = "ecs.DescribeServices";
    let what = match names {
        [one] => format!("{cluster}/{one}"),
        many => format!("{} services of {cluster}", many.len()),
    };
    let raw = read(cell, operation, &what, || {
        let raw = RawAnswer::default();
        let call = cell
            .ecs
            .describe_services()
            .cluster(cluster)
            .set_services(Some(names.to_vec()))
            .set_include(tags.then(|| vec![ServiceField::Tags]))
            .customize()
            .interceptor(raw.clone());
        async move { call.send().await.map(|_| raw) }
    })
    .await?;
    serde_json::from_slice(&raw.bytes()).map_err(|_| unusable(operation, &what))
}

/// One service as it is now: the reading before a write, and after one without an answer.
///
/// # Errors
/// AWS's; also when the answer does not hold the service.
pub async fn facts_now(cell: &Cell, cluster: &str, name: &str) -> Result<Facts, AwsError> {
    let answer = describe(cell, cluster, &[name.to_owned()], false).await?;
    named(&answer, name)
        .and_then(view::facts)
        .ok_or_else(|| unusable("ecs.DescribeServices", &format!("{cluster}/{name}")))
}

fn named<'a>(answer: &'a Tree, name: &str) -> Option<&'a Tree> {
    let services = answer.get("services")?.as_array()?;
    services.iter().find(|s| field(s, "serviceName") == name)
}

fn found_in(batch: &[&Wanted], answer: Result<Tree, AwsError>) -> Vec<(ResourceKey, Found)> {
    batch
        .iter()
        .map(|w| {
            let found = match &answer {
                Ok(answer) => one_of(answer, field(&w.desired, "serviceName")),
                Err(error) if error.code == "ClusterNotFoundException" => Found::Missing,
                Err(error) => Found::Unreadable(error.to_string()),
            };
            (w.key.clone(), found)
        })
        .collect()
}

fn one_of(answer: &Tree, name: &str) -> Found {
    if let Some(service) = named(answer, name) {
        return match view::facts(service) {
            Some(facts) => Found::There(Box::new((view::viewed(service), facts))),
            None => Found::Unreadable("AWS's answer lacks members that it must hold".to_owned()),
        };
    }
    let none = Vec::new();
    let failure = answer
        .get("failures")
        .and_then(Tree::as_array)
        .unwrap_or(&none)
        .iter()
        .find(|f| field(f, "arn").rsplit('/').next() == Some(name));
    match failure.map(|f| (field(f, "reason"), field(f, "detail"))) {
        Some(("MISSING", _)) => Found::Missing,
        Some((reason, detail)) => {
            Found::Unreadable(format!("AWS failed to describe it: {reason} {detail}"))
        }
        None => Found::Unreadable("AWS's answer does not mention it".to_owned()),
    }
}

/// Puts the size of the PRIMARY deployment's revision into the facts of those services whose
/// documents name a size, and the revisions that stand beside it: even one that somebody else made may
/// be there by a write of ours, and may have overtaken what stands beside it.
async fn revisions(
    driver: &ServiceDriver,
    wanted: &[Wanted],
    services: &mut BTreeMap<ResourceKey, Found>,
) {
    let sized: Vec<&Wanted> = wanted.iter().filter(|w| wants_size(&w.desired)).collect();
    let mut arns = BTreeSet::new();
    for w in &sized {
        if let Some(Found::There(there)) = services.get(&w.key) {
            arns.extend(there.1.runs().map(str::to_owned));
            arns.extend(other_revisions(&there.1));
        }
    }
    let read = driver.revisions.fetch(&driver.cell, arns).await;
    for w in &sized {
        let Some(found) = services.get_mut(&w.key) else {
            continue;
        };
        let Found::There(there) = found else {
            continue;
        };
        let facts = &mut there.1;
        let Some(primary) = facts.runs().map(str::to_owned) else {
            continue;
        };
        match read.get(&primary) {
            Some(Ok(revision)) => facts.revision = Some(revision.clone()),
            // Nothing is written there whatever its size; the reason must not be hidden.
            Some(Err(_)) if forbidden(facts).is_some() => continue,
            Some(Err(cause)) => {
                *found = Found::Unreadable(cause.clone());
                continue;
            }
            None => {}
        }
        let mut used = BTreeSet::from([primary]);
        for arn in other_revisions(facts) {
            // One that cannot be read is not known to be anybody's; it may come next time.
            if let Some(Ok(revision)) = read.get(&arn) {
                facts.others.insert(arn.clone(), revision.clone());
                used.insert(arn);
            }
        }
        let object = object(&w.desired);
        for revision in facts.revision.iter().chain(facts.others.values()) {
            driver.revisions.keep(&object, revision.clone());
        }
        driver.revisions.used(&object, used);
    }
}

fn other_revisions(facts: &Facts) -> BTreeSet<String> {
    facts
        .deployments
        .iter()
        .map(|d| d.task_definition.clone())
        .filter(|arn| Some(arn.as_str()) != facts.runs())
        .collect()
}

/// Reads the recent deployments of services whose size drifts: only there can a roll-back
/// matter, and an estate in order costs nothing.
async fn histories(cell: &Cell, wanted: &[Wanted], services: &mut BTreeMap<ResourceKey, Found>) {
    let drifting: Vec<&Wanted> = wanted
        .iter()
        .filter(|w| match services.get(&w.key) {
            Some(Found::There(there)) => size_drifts(&w.desired, &there.1),
            _ => false,
        })
        .collect();
    let reads = drifting
        .into_iter()
        .map(|w| async move { (w.key.clone(), history(cell, w).await) });
    for (key, history) in at_once(reads.collect()).await {
        if let Some(Found::There(there)) = services.get_mut(&key) {
            there.1.history = history;
        }
    }
}

fn size_drifts(desired: &Tree, facts: &Facts) -> bool {
    let Some(live) = &facts.revision else {
        return false;
    };
    let differs = |name: &str, live: Option<u32>| {
        desired
            .get(name)
            .is_some_and(|wanted| wanted.as_u64() != live.map(u64::from))
    };
    let of_containers = desired
        .get("containers")
        .is_some_and(|wanted| !diff(wanted, &to_tree(&live.containers), &[], &[]).is_empty());
    differs("cpu", live.cpu) || differs("memory", live.memory) || of_containers
}

async fn history(cell: &Cell, wanted: &Wanted) -> History {
    let operation = "ecs.ListServiceDeployments";
    let raw = read(cell, operation, &object(&wanted.desired), || {
        let raw = RawAnswer::default();
        let call = cell
            .ecs
            .list_service_deployments()
            .cluster(field(&wanted.desired, "cluster"))
            .service(field(&wanted.desired, "serviceName"))
            .max_results(PAST_DEPLOYMENTS)
            .customize()
            .interceptor(raw.clone());
        async move { call.send().await.map(|_| raw) }
    })
    .await;
    match raw {
        Ok(raw) => match serde_json::from_slice::<Tree>(&raw.bytes()) {
            Ok(answer) => History::Read(
                answer
                    .get("serviceDeployments")
                    .and_then(Tree::as_array)
                    .map_or_else(Vec::new, |all| all.iter().map(view::past).collect()),
            ),
            Err(_) => History::Unreadable(unusable(operation, "its deployments").to_string()),
        },
        Err(error) => History::Unreadable(error.to_string()),
    }
}
