//! `evenkeel status`: every object's conditions, last write, and its app's lease.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::args::{Format, StatusArgs};
use super::context::Context;
use super::exit::Exit;
use super::guard::Intent;
use super::out::print;
use super::scope::is_there;
use super::wanted::Wanted;
use crate::engine::git_source::Recording;
use crate::kinds::Policy;
use crate::model::status::ObjectStatus;
use crate::model::tree;
use crate::render::status::{AppStatus, ObjectLine};
use crate::render::{json, source, status as render};

/// Runs it.
///
/// # Errors
/// A store that cannot be read.
pub async fn run(settings: Option<&Path>, args: &StatusArgs) -> anyhow::Result<Exit> {
    let context = Context::open(settings, &args.aws, Intent::Look).await?;
    let mut wanted = Wanted::of(&args.folder, &context, Recording::No)?;
    let set = wanted.load().await;
    let scope = args.scope.scope();
    is_there(&scope, &set, &wanted.shown())?;
    let engine = &context.engine;
    let plan = engine.plan(&set, &scope, &Policy::CONTROLLER).await;
    let now = engine.cell.clock.now();
    let mut apps: BTreeMap<String, AppStatus> = BTreeMap::new();
    let names: BTreeSet<&str> = plan.objects.iter().map(|o| o.key.app.as_str()).collect();
    for app in names {
        let (mut known, mut memory, mut lease) = (BTreeMap::new(), BTreeMap::new(), None);
        if let Some(store) = &engine.store {
            known = store.statuses(app).await?;
            memory = store.memory(app).await?;
            lease = store.leases(&[app.to_owned()]).await?.pop();
        }
        let objects = plan
            .objects
            .iter()
            .filter(|o| o.key.app == app)
            .map(|o| {
                let generation = set
                    .documents
                    .get(&o.key)
                    .map(|d| tree::digest(&d.spec))
                    .unwrap_or_default();
                let write = memory.get(&o.key).and_then(|m| m.last_write.clone());
                let known = known.get(&o.key);
                // One without a record has been as it is since it was written, as far as is known.
                let since = match (known, &write) {
                    (None, Some(write)) => write.at,
                    _ => now,
                };
                let mut status = ObjectStatus::from_plan(o, known, &generation, since);
                status.last_write = write;
                ObjectLine {
                    key: o.key.clone(),
                    status,
                    looked: now,
                }
            })
            .collect();
        apps.insert(app.to_owned(), AppStatus { objects, lease });
    }
    print(&match args.format.format {
        Format::Text => {
            let source = plan.source.as_ref().map_or_else(String::new, source::text);
            source + &render::text(&apps, &plan.findings)
        }
        Format::Json => {
            let mut value = render::json(&apps);
            if let Some(source) = &plan.source {
                value["source"] = tree::to_tree(source);
            }
            json::text(&value)
        }
        Format::Markdown => {
            let source = plan
                .source
                .as_ref()
                .map_or_else(String::new, source::markdown);
            source + &render::markdown(&apps, &plan.findings)
        }
    })?;
    // What did not load has no line of its own, and is not in order.
    Ok(if plan.summary.errors == 0 {
        Exit::Fine
    } else {
        Exit::Failed
    })
}
