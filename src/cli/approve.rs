//! `evenkeel approve` and `evenkeel approvals`: who says yes to exactly which change.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use jiff::Timestamp;

use super::args::{AwsArgs, FolderArgs, Format, FormatArgs};
use super::context::Context;
use super::exit::Exit;
use super::guard::Intent;
use super::out::print;
use super::saved::read;
use super::wanted::Wanted;
use crate::control::approval::{
    ApprovalEntry, ApprovalRecord, Approved, Reach, STANDS, STANDS_MAX, Standing, person,
};
use crate::control::document::span;
use crate::engine::approvable::Approvable;
use crate::engine::git_source::Recording;
use crate::model::key::ResourceKey;
use crate::model::plan::Status;
use crate::model::scope::Scope;
use crate::render::{control as render, json};
use crate::store::Store;

/// Fewest digits by which a change may be named: fewer could mean another by chance.
const FEWEST: usize = 8;

/// `approve`.
#[derive(Args, Debug)]
pub struct ApproveArgs {
    /// A saved plan's file, a change's digest (12 digits as shown), or APP/KIND/NAME.
    #[arg(value_name = "PLAN|CHANGE")]
    pub target: String,
    /// Where.
    #[command(flatten)]
    pub folder: FolderArgs,
    /// Why; it is recorded.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// How long the approval stands: 30m, 2h, 7d at most. Default: 24h.
    #[arg(long = "for", value_name = "TIME", value_parser = stands)]
    pub stands: Option<Duration>,
    /// An emergency: write it outside of windows, in a freeze, over the budget, before the canary.
    #[arg(long)]
    pub now: bool,
    /// Take back what was approved of this change.
    #[arg(long, conflicts_with_all = ["now", "stands"])]
    pub revoke: bool,
    /// Through which door.
    #[command(flatten)]
    pub aws: AwsArgs,
}

/// `approvals`.
#[derive(Args, Debug)]
pub struct ApprovalsArgs {
    /// Only this app.
    #[arg(long, value_name = "APP")]
    pub app: Option<String>,
    /// How.
    #[command(flatten)]
    pub format: FormatArgs,
    /// Through which door.
    #[command(flatten)]
    pub aws: AwsArgs,
}

fn stands(text: &str) -> Result<Duration, String> {
    span(text, STANDS_MAX.as_secs()).map(Duration::from_secs)
}

/// Runs `approve`.
///
/// # Errors
/// Nothing, or more than one thing, of that name; a store that cannot be written.
pub async fn run(settings: Option<&Path>, args: &ApproveArgs) -> anyhow::Result<Exit> {
    ensure!(
        !args.reason.trim().is_empty(),
        "--reason says nothing; it is what others read in the record"
    );
    ensure!(
        !args.aws.read_only,
        "approving writes to the store, and --read-only forbids it"
    );
    let context = Context::open(settings, &args.aws, Intent::Write).await?;
    let store = context.store()?;
    let caller = context.caller()?;
    if args.revoke {
        let now = context.engine.cell.clock.now();
        return revoke(store, caller, args, now).await;
    }
    let found = meant(&context, args).await?;
    let now = context.engine.cell.clock.now();
    let until = now + args.stands.unwrap_or(STANDS);
    let reach = if args.now { Reach::Now } else { Reach::InTime };
    let mut apps: BTreeMap<&str, Vec<&Approvable>> = BTreeMap::new();
    for one in &found {
        apps.entry(&one.app).or_default().push(one);
    }
    for (app, all) in apps {
        let record = ApprovalRecord::Granted {
            changes: all.iter().map(|one| one.change.clone()).collect(),
            reason: args.reason.clone(),
            until,
            reach,
        };
        store.approve(app, caller, record).await?;
        let standing = Standing::of(&store.approvals(app).await?, now);
        for one in all {
            let have = standing.people(&one.change.digest, reach, now);
            let lacks = one.need.saturating_sub(have);
            let waits = one.waits(reach);
            let stands = standing.stands_until(&one.change.digest, reach, one.need);
            print(&render::approved(
                (&one.change, one.of),
                &person(caller),
                stands.unwrap_or(until),
                lacks,
                &waits,
            ))?;
        }
    }
    Ok(Exit::Fine)
}

/// What the caller means by the target.
async fn meant(context: &Context, args: &ApproveArgs) -> anyhow::Result<Vec<Approvable>> {
    let set = Wanted::of(&args.folder, context, Recording::No)?
        .load()
        .await;
    let file = Path::new(&args.target);
    if file.is_file() {
        let saved = read(file)?;
        let cell = &context.engine.cell;
        ensure!(
            (&saved.account, &saved.region) == (&cell.account, &cell.region),
            "the plan was made for account {} in {}, and this is account {} in {}; nothing was \
             approved",
            saved.account,
            saved.region,
            cell.account,
            cell.region
        );
        let asked = context.engine.approvable_of(&set, &saved.plan);
        ensure!(!asked.is_empty(), "{} changes nothing", file.display());
        // What is recorded is what a change does now, and never what a file says that it does.
        let now = context.engine.approvable(&set, &Scope::all()).await;
        let found = asked.iter().map(|one| {
            let digest = &one.change.digest;
            let same = now.iter().find(|now| now.change.digest == *digest);
            same.cloned().with_context(|| {
                format!(
                    "{} is out of date: its change of {} is not as it is now, so nothing was approved; \
                     save a new plan",
                    file.display(),
                    one.change.of
                )
            })
        });
        let found: Vec<Approvable> = found.collect::<anyhow::Result<_>>()?;
        for object in &saved.plan.objects {
            let key = object.key.to_string();
            if object.status == Status::Blocked && found.iter().all(|one| one.change.of != key) {
                anstream::eprintln!(
                    "note: {key} is blocked by what no approval passes, and was not approved"
                );
            }
        }
        return Ok(found);
    }
    let key: Option<ResourceKey> = args.target.parse().ok();
    let scope = key.as_ref().map_or_else(Scope::all, Scope::target);
    let all = context.engine.approvable(&set, &scope).await;
    let named = |one: &&Approvable| is_named(&one.change, &args.target);
    let found: Vec<Approvable> = all.iter().filter(named).cloned().collect();
    let list = |all: &[Approvable]| {
        let lines: Vec<String> = all
            .iter()
            .map(|one| {
                format!(
                    "  {:.12}  {}: {}",
                    one.change.digest, one.change.of, one.change.what
                )
            })
            .collect();
        lines.join("\n")
    };
    match found.as_slice() {
        [one] => Ok(vec![one.clone()]),
        [] if all.is_empty() => bail!(
            "{} names no saved plan, and no change is there that waits for an approval; `evenkeel plan` says \
             what differs, and what holds it back",
            args.target
        ),
        [] => bail!(
            "{} names no saved plan and no change as it is now; it may have moved since it was \
             shown. There are:\n{}",
            args.target,
            list(&all)
        ),
        more => bail!(
            "{} may be each of these; name one by its digits:\n{}",
            args.target,
            list(more)
        ),
    }
}

fn is_named(change: &Approved, target: &str) -> bool {
    change.of == target || (target.len() >= FEWEST && change.digest.starts_with(target))
}

async fn revoke(
    store: &Store,
    caller: &str,
    args: &ApproveArgs,
    now: Timestamp,
) -> anyhow::Result<Exit> {
    let mut found: BTreeMap<(String, String), Approved> = BTreeMap::new();
    let mut over = false;
    for app in store.apps().await? {
        let chain = store.approvals(&app).await?;
        let standing = Standing::of(&chain, now);
        for entry in chain {
            if let ApprovalRecord::Granted { changes, .. } = entry.record {
                for change in changes.into_iter().filter(|c| is_named(c, &args.target)) {
                    if standing.people(&change.digest, Reach::InTime, now) == 0 {
                        over = true;
                        continue;
                    }
                    found.insert((app.clone(), change.digest.clone()), change);
                }
            }
        }
    }
    if found.is_empty() && over {
        bail!(
            "no approval of {} stands any more: it was used, revoked or has expired, so nothing was \
             recorded; see `evenkeel approvals`",
            args.target
        );
    }
    if found.is_empty() {
        bail!(
            "nothing of the name {} was approved; see `evenkeel approvals`",
            args.target
        );
    }
    for ((app, digest), change) in found {
        let reason = args.reason.clone();
        let record = ApprovalRecord::Revoked { digest, reason };
        store.approve(&app, caller, record).await?;
        print(&render::revoked(&change))?;
    }
    Ok(Exit::Fine)
}

/// Runs `approvals`.
///
/// # Errors
/// A store that cannot be read, or a chain that was changed.
pub async fn list(settings: Option<&Path>, args: &ApprovalsArgs) -> anyhow::Result<Exit> {
    let context = Context::open(settings, &args.aws, Intent::Look).await?;
    let store = context.store()?;
    let apps = match &args.app {
        Some(app) => vec![app.clone()],
        None => store.apps().await?,
    };
    let mut entries: Vec<ApprovalEntry> = Vec::new();
    for app in apps {
        let chain = store.approvals(&app).await;
        entries.extend(chain.with_context(|| format!("the approvals of {app}"))?);
    }
    let now = context.engine.cell.clock.now();
    print(&match args.format.format {
        Format::Text => render::approvals(&entries, now),
        Format::Markdown => render::approvals_markdown(&entries, now),
        Format::Json => json::text(&serde_json::json!({"version": 1, "approvals": entries})),
    })?;
    Ok(Exit::Fine)
}
