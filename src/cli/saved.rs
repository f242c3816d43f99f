//! Saved plans: how a plan is kept in a file, and what it takes to write it later.

use std::path::Path;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

use super::args::ApplyArgs;
use super::context::Context;
use super::plan::allow;
use crate::kinds::{Allow, Policy};
use crate::model::change::Risk;
use crate::model::document::DesiredSet;
use crate::model::plan::Plan;
use crate::model::scope::Scope;
use crate::model::tree::{Tree, digest, to_tree};
use crate::plan::approved::{hold_the_rest, moved};
use crate::render::json;

/// The version of the files that this build writes.
const VERSION: u64 = 1;
/// Where the digest over everything else stands.
const DIGEST: &str = "digest";

/// A plan as it is saved: with the place that it was made for, and what it was allowed.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SavedPlan {
    /// The account.
    pub account: String,
    /// The region.
    pub region: String,
    /// Whether destructive changes were planned.
    pub allow_destructive: bool,
    /// Whether size changes were planned during rollouts.
    pub during_rollout: bool,
    /// The plan.
    pub plan: Plan,
}

/// Saves a plan to `file`.
///
/// # Errors
/// A plan that cannot be pinned, and a file that cannot be written.
pub fn save(file: &Path, saved: &SavedPlan) -> anyhow::Result<()> {
    if !saved.plan.history_consulted {
        bail!(
            "the plan is not saved: without a store it does not know of open writes or rollbacks; \
             name one with --store"
        );
    }
    let mut tree = to_tree(saved);
    let sum = digest(&tree);
    if let Some(members) = tree.as_object_mut() {
        members.insert(DIGEST.to_owned(), Tree::String(sum));
    }
    // Written beside and renamed, so that nobody ever reads half a plan; under a name that no
    // other save, of this file or of another, has at the same time.
    let mut beside = file.as_os_str().to_owned();
    beside.push(format!(".{}.partial", std::process::id()));
    std::fs::write(&beside, json::text(&tree))
        .and_then(|()| std::fs::rename(&beside, file))
        .with_context(|| format!("saving the plan to {}", file.display()))
}

/// Reads a saved plan.
///
/// # Errors
/// A file that is not one, that is of another version, or that was changed.
pub fn read(file: &Path) -> anyhow::Result<SavedPlan> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("reading the plan {}", file.display()))?;
    parse(&file.display().to_string(), &text)
}

fn parse(file: &str, text: &str) -> anyhow::Result<SavedPlan> {
    let foreign = || {
        format!(
            "{file} is not a saved plan of this version; make one with `evenkeel plan --out FILE`"
        )
    };
    let mut tree: Tree = serde_json::from_str(text).with_context(foreign)?;
    if let Some(version) = tree.pointer("/plan/version").and_then(Tree::as_u64)
        && version != VERSION
    {
        bail!(
            "{file} is a plan of version {version}, and this evenkeel writes version {VERSION}; \
             make a new plan"
        );
    }
    let sum = tree.as_object_mut().and_then(|m| m.remove(DIGEST));
    let whole = digest(&tree);
    let saved: SavedPlan = serde_json::from_value(tree).with_context(foreign)?;
    if sum != Some(Tree::String(whole)) {
        bail!(
            "{file} was changed after it was saved, so nobody can say what was approved; nothing \
             was written. Make a new plan"
        );
    }
    Ok(saved)
}

/// What of the command line would have no say over a saved plan, and why.
///
/// # Errors
/// There is something.
pub fn no_other_scope(args: &ApplyArgs) -> anyhow::Result<()> {
    let scope = &args.scope;
    let given = [
        (scope.app.is_some(), "--app"),
        (scope.kind.is_some(), "--kind"),
        (scope.target.is_some(), "--target"),
        (args.during_rollout, "--during-rollout"),
    ];
    if let Some((_, flag)) = given.into_iter().find(|(given, _)| *given) {
        bail!(
            "--plan writes exactly what was saved, and {flag} would make another plan of it; \
             nothing was written. Give {flag} to `evenkeel plan --out FILE` instead"
        );
    }
    Ok(())
}

/// The saved plan, made anew over all its objects: those that it changes have to be changed in the
/// same way, and those that have drifted since are held.
///
/// # Errors
/// The plan is for another place, is no longer true, or would destroy what is not allowed here.
pub async fn still_true(
    context: &Context,
    set: &DesiredSet,
    saved: &SavedPlan,
    destructive: Allow,
) -> anyhow::Result<(Plan, Policy)> {
    let cell = &context.engine.cell;
    if (&saved.account, &saved.region) != (&cell.account, &cell.region) {
        bail!(
            "the plan was made for account {} in {}, and this is account {} in {}; nothing was \
             written",
            saved.account,
            saved.region,
            cell.account,
            cell.region
        );
    }
    let destroys: Vec<String> = saved
        .plan
        .objects
        .iter()
        .filter(|o| {
            o.change
                .as_ref()
                .is_some_and(|c| c.risk == Risk::Destructive)
        })
        .map(|o| format!("  {}", o.key))
        .collect();
    if destructive == Allow::No && !destroys.is_empty() {
        bail!(
            "the saved plan holds destructive changes, and nothing was written:\n{}\nUse \
             --allow-destructive here too, if they are meant",
            destroys.join("\n")
        );
    }
    let policy = Policy {
        destructive: allow(saved.allow_destructive),
        during_rollout: allow(saved.during_rollout),
        apply_immediately: Allow::Yes,
    };
    let scope = Scope::among(saved.plan.objects.iter().map(|o| o.key.clone()));
    let fresh = context.engine.plan(set, &scope, &policy).await;
    let moved: Vec<String> = moved(&saved.plan, &fresh)
        .into_iter()
        .map(|key| format!("  {key}"))
        .collect();
    if !moved.is_empty() {
        bail!(
            "the saved plan is no longer true, and nothing was written. The document, the live \
             object or its last write has moved since for:\n{}\nMake a new plan",
            moved.join("\n")
        );
    }
    Ok((hold_the_rest(fresh, &saved.plan), policy))
}
