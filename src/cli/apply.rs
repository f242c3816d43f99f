//! `evenkeel apply`: converges once, after asking.

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use tokio_util::sync::CancellationToken;

use super::args::{ApplyArgs, Format};
use super::context::Context;
use super::exit::Exit;
use super::guard::Intent;
use super::out::print;
use super::plan::allow;
use super::progress::Shown;
use super::run::LAST_NOTICES;
use super::saved::{no_other_scope, read, still_true};
use super::scope::is_there;
use super::wanted::Wanted;
use crate::engine::apply::{ApplyOptions, Pinned, Wait};
use crate::engine::git_source::Recording;
use crate::kinds::{Allow, Policy};
use crate::model::document::DesiredSet;
use crate::model::pass::{Pass, PassVerdict};
use crate::model::plan::Plan;
use crate::notify::herald::{Herald, Nobody};
use crate::notify::missed::Missed;
use crate::notify::outbox::Tally;
use crate::render::{json, markdown, pass as render_pass, plan as render};
use crate::store::Patience;

/// Runs it.
///
/// # Errors
/// Whatever keeps it from writing at all.
pub async fn run(settings: Option<&Path>, args: &ApplyArgs) -> anyhow::Result<Exit> {
    if args.aws.read_only {
        bail!("apply writes, and --read-only forbids it; `evenkeel plan` shows what it would do");
    }
    if args.plan.is_some() {
        no_other_scope(args)?;
    }
    let interactive = std::io::stdin().is_terminal();
    if !args.yes && !interactive {
        bail!(
            "apply asks before it writes, and there is no terminal to ask on; nothing was \
             written. Use --yes, after reading `evenkeel plan`"
        );
    }
    let saved = args.plan.as_deref().map(read).transpose()?;
    let context = Context::open(settings, &args.aws, Intent::Write).await?;
    let mut wanted = Wanted::of(&args.folder, &context, Recording::Yes)?;
    let set = wanted.load().await;
    let policy = Policy {
        destructive: allow(args.allow_destructive),
        during_rollout: allow(args.during_rollout),
        apply_immediately: Allow::Yes,
    };
    let (plan, policy) = match &saved {
        Some(saved) => still_true(&context, &set, saved, policy.destructive).await?,
        None => {
            let scope = args.scope.scope();
            is_there(&scope, &set, &wanted.shown())?;
            (context.engine.plan(&set, &scope, &policy).await, policy)
        }
    };
    // What the commit tightens holds from now on, whatever is written.
    context.engine.record_policies(&set).await?;
    let asked = plan.summary.steps > 0 && !args.yes;
    if args.format.format == Format::Text {
        print(&render::text(&plan))?;
    } else if asked {
        // Nobody is asked about what was not shown; standard output is for the report.
        anstream::eprintln!("{}", render::text(&plan));
    }
    if asked && !confirmed(&plan)? {
        anstream::eprintln!("nothing was written");
        return Ok(Exit::Failed);
    }
    let options = ApplyOptions {
        policy,
        wait: if args.no_wait {
            Wait::No
        } else {
            Wait::ForRollouts
        },
        pinned: if asked || saved.is_some() {
            Pinned::Yes
        } else {
            Pinned::No
        },
        patience: Patience::UntilDead,
        stop: CancellationToken::new(),
    };
    carry_out(&context, &set, plan, &options, args.format.format).await
}

/// Writes a plan that was shown, and reports.
///
/// # Errors
/// A signal handler that cannot be installed, and output that cannot be written.
pub(super) async fn carry_out(
    context: &Context,
    set: &DesiredSet,
    plan: Plan,
    options: &ApplyOptions,
    format: Format,
) -> anyhow::Result<Exit> {
    let shown = Shown::new();
    // A person who writes sees what happens; others are told of it as before any change.
    let missed = Arc::new(Missed::default());
    let tally: Arc<dyn Tally> = Arc::<Missed>::clone(&missed);
    let outbox = context.outbox(context.settings.change_notices.iter().cloned(), &tally)?;
    let pass = {
        let herald = Herald::new(&outbox, &Nobody, &shown, &context.engine.cell.clock);
        herald.begins_all(&plan);
        let mut work = std::pin::pin!(context.engine.apply(set, plan, options, &herald));
        loop {
            tokio::select! {
                pass = &mut work => {
                    herald.ended_all(&pass);
                    break pass;
                }
                stopped = super::run::stop_signal(), if !options.stop.is_cancelled() => {
                    stopped?;
                    options.stop.cancel();
                    shown.say("stopping: nothing new is begun; what was sent is seen through");
                }
            }
        }
    };
    // The next `status` asks since when. One who wants to stop now is not kept for it.
    if !options.stop.is_cancelled()
        && let Err(error) = context.engine.record_pass(set, &pass).await
    {
        shown.say(&format!("the conditions were not recorded: {error}"));
    }
    outbox.close(LAST_NOTICES, &context.engine.cell.clock).await;
    missed.lines().iter().for_each(|line| shown.say(line));
    shown.finish();
    report(format, &pass)?;
    Ok(match pass.verdict() {
        PassVerdict::Converged => Exit::Fine,
        PassVerdict::Failed => Exit::Failed,
        PassVerdict::Held => Exit::Held,
    })
}

fn report(format: Format, pass: &Pass) -> anyhow::Result<()> {
    print(&match format {
        Format::Text => render_pass::text(pass),
        Format::Json => json::text(pass),
        Format::Markdown => markdown::plan(&pass.plan) + &render_pass::markdown(pass),
    })
}

pub(super) fn confirmed(plan: &Plan) -> anyhow::Result<bool> {
    let mut stderr = std::io::stderr().lock();
    write!(
        stderr,
        "Write {}? Only \"yes\" or \"y\" goes on: ",
        match plan.summary.changes {
            1 => "this change".to_owned(),
            n => format!("these {n} changes"),
        }
    )
    .and_then(|()| stderr.flush())
    .context("asking")?;
    let mut answer = String::new();
    std::io::stdin()
        .read_line(&mut answer)
        .context("reading the answer")?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}
