//! `evenkeel plan`: what differs, and what would be written.

use std::path::Path;

use super::args::{Format, PlanArgs};
use super::context::Context;
use super::exit::Exit;
use super::guard::Intent;
use super::out::print;
use super::saved::{SavedPlan, save};
use super::scope::is_there;
use super::wanted::Wanted;
use crate::engine::git_source::Recording;
use crate::kinds::{Allow, Policy};
use crate::model::plan::Verdict;
use crate::render::{json, markdown, plan as render};

/// Whether a flag allows.
pub fn allow(flag: bool) -> Allow {
    if flag { Allow::Yes } else { Allow::No }
}

/// Runs it.
///
/// # Errors
/// Whatever keeps the plan from being made or saved.
pub async fn run(settings: Option<&Path>, args: &PlanArgs) -> anyhow::Result<Exit> {
    let context = Context::open(settings, &args.aws, Intent::Look).await?;
    let scope = args.scope.scope();
    let policy = Policy {
        destructive: allow(args.allow_destructive),
        during_rollout: allow(args.during_rollout),
        apply_immediately: Allow::Yes,
    };
    if let Some(revision) = &args.against {
        return super::against::run(&context, args, revision, &scope, &policy).await;
    }
    let mut wanted = Wanted::of(&args.folder, &context, Recording::No)?;
    let set = wanted.load().await;
    is_there(&scope, &set, &wanted.shown())?;
    let plan = context.engine.plan(&set, &scope, &policy).await;
    print(&match args.format.format {
        Format::Text => render::text(&plan),
        Format::Json => json::text(&plan),
        Format::Markdown => markdown::plan(&plan),
    })?;
    let verdict = plan.verdict();
    if let Some(file) = &args.out {
        save(
            file,
            &SavedPlan {
                account: context.engine.cell.account.clone(),
                region: context.engine.cell.region.clone(),
                allow_destructive: args.allow_destructive,
                during_rollout: args.during_rollout,
                plan,
            },
        )?;
    }
    Ok(match verdict {
        Verdict::InOrder => Exit::Fine,
        Verdict::Wrong => Exit::Failed,
        Verdict::Drift => Exit::Drift,
        Verdict::Held => Exit::Held,
    })
}
