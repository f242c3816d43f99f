//! `evenkeel plan`: what differs, and what would be written.

use std::path::Path;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

use super::args::{Format, PlanArgs};
use super::context::Context;
use super::exit::Exit;
use super::guard::Intent;
use super::out::print;
use crate::engine::desired::load;
use crate::kinds::{Allow, Policy};
use crate::model::plan::{Plan, Verdict};
use crate::render::{json, markdown, plan as render};

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
    let set = load(&args.folder.path);
    let policy = Policy {
        destructive: allow(args.allow_destructive),
        during_rollout: allow(args.during_rollout),
        apply_immediately: Allow::Yes,
    };
    let plan = context
        .engine
        .plan(&set, &args.scope.scope(), &policy)
        .await;
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

fn save(file: &Path, saved: &SavedPlan) -> anyhow::Result<()> {
    if !saved.plan.history_consulted {
        bail!(
            "the plan is not saved: without a store it does not know of open writes or rollbacks; \
             name one with --store"
        );
    }
    let text = json::text(saved);
    // Written beside and renamed, so that nobody ever reads half a plan; under a name that no
    // other save, of this file or of another, has at the same time.
    let mut beside = file.as_os_str().to_owned();
    beside.push(format!(".{}.partial", std::process::id()));
    std::fs::write(&beside, text)
        .and_then(|()| std::fs::rename(&beside, file))
        .with_context(|| format!("saving the plan to {}", file.display()))
}

/// Reads a saved plan.
///
/// # Errors
/// A file that is not one, or of another version.
pub fn read(file: &Path) -> anyhow::Result<SavedPlan> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("reading the plan {}", file.display()))?;
    let saved: SavedPlan = serde_json::from_str(&text).with_context(|| {
        format!(
            "{} is not a saved plan of this version; make one with `evenkeel plan --out FILE`",
            file.display()
        )
    })?;
    if saved.plan.version != 1 {
        bail!(
            "{} is a plan of version {}, and this evenkeel writes version 1; make a new plan",
            file.display(),
            saved.plan.version
        );
    }
    Ok(saved)
}
