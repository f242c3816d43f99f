//! `evenkeel plan --against`: what the working tree changes against a revision, as a pull request would.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};

use super::args::{Format, PlanArgs};
use super::context::{Context, environment};
use super::exit::Exit;
use super::out::print;
use super::scope::is_there;
use super::wanted::{FOLDER, options};
use crate::engine::commits::Commits;
use crate::engine::desired::load_in;
use crate::engine::pinned_folder::around;
use crate::kinds::Policy;
use crate::model::plan::Verdict;
use crate::model::scope::Scope;
use crate::model::source::CommitId;
use crate::plan::against::{Against, against, kept_back};
use crate::render::{against as render, json};
use crate::source::git::{Repository, url};

/// Runs it.
///
/// # Errors
/// A revision that is none, and whatever keeps a plan from being made.
pub async fn run(
    context: &Context,
    args: &PlanArgs,
    revision: &str,
    scope: &Scope,
    policy: &Policy,
) -> anyhow::Result<Exit> {
    let revision = url::revision(revision).map_err(anyhow::Error::msg)?;
    let folder = folder(context, args);
    let environment = environment(&args.folder, &context.settings);
    ensure!(
        folder.is_dir(),
        "there is no folder {} to be compared with {revision}; name the one of the desired state, as in \
         `evenkeel plan FOLDER --against {revision}`",
        folder.display()
    );
    let (commits, commit) = found(context, &folder, &revision).await?;
    let old = commits.in_environment(environment).set(&commit).await?;
    let new = load_in(&folder, environment);
    // What the change takes away is looked for at the revision.
    if let (Err(error), true) = (
        is_there(scope, &new, &folder),
        is_there(scope, &old, &folder).is_err() || old.documents.is_empty(),
    ) {
        return Err(error);
    }
    let engine = &context.engine;
    let plan = engine.plan(&new, scope, policy).await;
    let old_plan = engine.plan(&old, scope, policy).await;
    let pins = match &engine.store {
        Some(store) => store.pins().await,
        None => Ok(BTreeMap::new()),
    };
    let (pins, unread) = match pins {
        Ok(pins) => (pins, None),
        Err(error) => (BTreeMap::new(), Some(error)),
    };
    let vanish = context.settings.source.as_ref().map(|git| git.vanish);
    let mut kept = kept_back(&commit, (&old, &old_plan), (&new, &plan), vanish, &pins);
    kept.extend(unread.map(|error| format!("it is not known which apps are pinned: {error}")));
    let told = Against {
        kept_back: kept,
        ..against((&revision, &commit), (&old, &old_plan), (&new, plan))
    };
    print(&match args.format.format {
        Format::Text => render::text(&told),
        Format::Json => json::text(&told),
        Format::Markdown => render::markdown(&told),
    })?;
    Ok(match told.verdict() {
        Verdict::InOrder => Exit::Fine,
        Verdict::Wrong => Exit::Failed,
        Verdict::Drift => Exit::Drift,
        Verdict::Held => Exit::Held,
    })
}

/// The folder of the working tree: as typed, or where the Git source has it.
fn folder(context: &Context, args: &PlanArgs) -> PathBuf {
    let of_source = context.settings.source.as_ref();
    args.folder.path.clone().unwrap_or_else(|| match of_source {
        Some(git) if git.folder.is_empty() => ".".into(),
        Some(git) => git.folder.clone().into(),
        None => FOLDER.into(),
    })
}

/// The commit that `revision` is: of the repository around the folder, or of the Git source, since a
/// checkout for CI has often no other commit than its own.
async fn found(
    context: &Context,
    folder: &Path,
    revision: &str,
) -> anyhow::Result<(Commits, CommitId)> {
    let find = |commits: &Commits| {
        let revision = revision.to_owned();
        let commits = commits.clone();
        async move { commits.ask(move |r| r.find(&revision)).await }
    };
    let around = around(folder).await;
    if let Ok(commits) = &around
        && let Some(commit) = find(commits).await?
    {
        return Ok((commits.clone(), commit));
    }
    if let Some(git) = &context.settings.source {
        let options = options(git, context.settings.interval)?;
        let commits = Commits::of(Repository::kept(&options.state, &options.remote)?);
        commits.ask(Repository::fetch).await?;
        if let Some(commit) = find(&commits).await? {
            return Ok((commits, commit));
        }
    }
    let shown = folder.display();
    around.map_err(anyhow::Error::msg).with_context(|| {
        format!("the folder {shown} lies in no Git repository, so nothing can be compared")
    })?;
    bail!(
        "{revision} is no commit of the repository that holds {shown}; fetch it first (`git fetch \
         origin`; in CI, check out with the whole history)"
    )
}
