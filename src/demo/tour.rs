//! The tour: act after act over the same engine that the commands use, each of which has to come
//! out as told.

use std::time::Duration;

use anyhow::{Context as _, anyhow, bail, ensure};

use super::estate::{JOURNAL, SEMIONT, UNMANAGED_ALARM, UNMANAGED_SERVICE};
use super::intruder;
use super::stage::{self, ROLLOUT, Served};
use super::voice::Voice;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::engine::Engine;
use crate::engine::apply::{ApplyOptions, Pinned, Wait};
use crate::engine::desired;
use crate::entropy::Entropy;
use crate::kinds::{Allow, Policy};
use crate::model::chain::whole;
use crate::model::change::Hold;
use crate::model::document::DesiredSet;
use crate::model::entry::{Entry, Outcome, Record};
use crate::model::finding::Severity;
use crate::model::pass::{Pass, PassVerdict};
use crate::model::plan::{Plan, Verdict};
use crate::model::scope::Scope;
use crate::render;
use crate::render::history::{Line, Shown};
use crate::store::{Chain, Patience};

/// What the demo reconciles, as it stands in the repository.
const FILES: [(&str, &str); 2] = [
    (
        "desired-state/personal-journal.yaml",
        include_str!("../../desired-state/personal-journal.yaml"),
    ),
    (
        "desired-state/semiont.yaml",
        include_str!("../../desired-state/semiont.yaml"),
    ),
];
/// What `apply` allows when nobody asks for more.
const POLICY: Policy = Policy {
    destructive: Allow::No,
    during_rollout: Allow::No,
    apply_immediately: Allow::Yes,
};
/// How long what somebody else began is waited for.
const THEIRS_MAX: Duration = Duration::from_secs(30);
/// Ledger entries that are shown.
const SHOWN_ENTRIES: usize = 8;

/// Takes the tour over a twin of its own. Ends by itself.
///
/// # Errors
/// Anything that did not come out as it should have: the demo is a check that can fail.
pub async fn take(voice: &Voice, clock: &Clock, entropy: &Entropy) -> anyhow::Result<()> {
    let served = Served::start(([127, 0, 0, 1], 0).into(), clock.clone(), 7).await?;
    let end = over(&served, voice, clock, entropy).await;
    served.stop().await?;
    end
}

/// Takes the tour over a twin that is being served.
///
/// # Errors
/// As [`take`].
pub async fn over(
    served: &Served,
    voice: &Voice,
    clock: &Clock,
    entropy: &Entropy,
) -> anyhow::Result<()> {
    voice.say(&format!(
        "Evenkeel, shown on a model of AWS at {}. No account is needed and none is touched. \
         Rollouts take {} s here and minutes at AWS; the requests, the rates, the lock and the \
         ledger are those of the real thing.",
        served.url(),
        ROLLOUT.as_secs()
    ));
    let engine = stage::engine(served, clock, entropy).await?;
    let tour = Tour {
        voice,
        served,
        engine: &engine,
        clock,
    };
    let started = clock.boot();
    tour.acts().await?;
    let took = clock.boot().saturating_sub(started);
    voice.act("The end");
    voice.say(&format!(
        "All of it came out as told, in {} s. `evenkeel demo --serve` keeps such an AWS up for \
         you to play with.",
        took.as_secs()
    ));
    Ok(())
}

struct Tour<'a> {
    voice: &'a Voice,
    served: &'a Served,
    engine: &'a Engine,
    clock: &'a Clock,
}

impl Tour<'_> {
    async fn acts(&self) -> anyhow::Result<()> {
        let set = self.check()?;
        let neglected = self.untouchables()?;
        self.first_plan(&set).await?;
        self.converge(&set).await?;
        self.prove_in_order(&set).await?;
        self.intrusion(&set).await?;
        self.prove_in_order(&set).await?;
        self.destructive_edit().await?;
        self.history().await?;
        ensure!(
            self.untouchables()? == neglected,
            "something that no document names was changed"
        );
        self.voice.proof(&format!(
            "service {UNMANAGED_SERVICE}, alarm {UNMANAGED_ALARM} and the tag cost-center, which \
             no document names, are as they were"
        ));
        Ok(())
    }

    fn check(&self) -> anyhow::Result<DesiredSet> {
        self.voice.act("What is wanted");
        self.voice
            .say("Two applications in two files. Checking them needs no network.");
        self.voice.command("evenkeel check");
        let set = load(FILES);
        self.voice
            .raw(&render::findings::check(&set, "desired-state"));
        ensure!(
            set.findings.iter().all(|f| f.severity != Severity::Error),
            "the demo's own documents do not load"
        );
        Ok(set)
    }

    async fn plan(&self, set: &DesiredSet) -> Plan {
        self.engine.plan(set, &Scope::all(), &POLICY).await
    }

    async fn first_plan(&self, set: &DesiredSet) -> anyhow::Result<()> {
        self.voice.act("What is there instead");
        self.voice
            .say("Looking takes no lock and writes nothing, neither to AWS nor to the store.");
        self.voice.command("evenkeel plan");
        let plan = self.plan(set).await;
        self.voice.raw(&render::plan::text(&plan));
        ensure!(
            plan.verdict() == Verdict::Drift && plan.summary.blocked == 0,
            "an estate out of order gave the verdict {:?} with {} objects blocked",
            plan.verdict(),
            plan.summary.blocked
        );
        ensure!(self.writes_seen() == 0, "planning wrote something");
        Ok(())
    }

    async fn converge(&self, set: &DesiredSet) -> anyhow::Result<()> {
        self.voice.act("Putting it in order");
        self.voice.say(
            "Each app under its lease, each write announced in the ledger before it is sent; then \
             the rollouts are waited for, without the lease.",
        );
        self.voice.inside("evenkeel apply --yes");
        let pass = self.apply(set).await?;
        self.expect_converged(&pass)
    }

    async fn apply(&self, set: &DesiredSet) -> anyhow::Result<Pass> {
        let options = ApplyOptions {
            policy: POLICY,
            wait: Wait::ForRollouts,
            pinned: Pinned::No,
            patience: Patience::UntilDead,
            stop: CancellationToken::new(),
        };
        let plan = self.plan(set).await;
        Ok(self.engine.apply(set, plan, &options, self.voice).await)
    }

    fn expect_converged(&self, pass: &Pass) -> anyhow::Result<()> {
        if pass.verdict() != PassVerdict::Converged {
            let left: Vec<String> = pass
                .objects
                .iter()
                .map(|o| format!("{}: {:?}", o.key, o.ended))
                .filter(|line| !line.contains("InOrder") && !line.contains("Converged"))
                .collect();
            bail!("the pass did not converge: {}", left.join("; "));
        }
        let throttled = self.served.twin.world(|world| world.calls.throttled());
        ensure!(throttled == 0, "{throttled} calls were too fast for AWS");
        self.voice.proof(&format!(
            "converged: {} writes in {} s, none of them throttled",
            pass.written(),
            pass.ended.duration_since(pass.started).as_secs()
        ));
        Ok(())
    }

    async fn prove_in_order(&self, set: &DesiredSet) -> anyhow::Result<()> {
        self.voice.command("evenkeel plan");
        let before = self.writes_seen();
        let plan = self.plan(set).await;
        self.voice.raw(&render::plan::text(&plan));
        ensure!(
            plan.verdict() == Verdict::InOrder,
            "after a converged pass the plan says {:?}",
            plan.verdict()
        );
        let pass = self.apply(set).await?;
        ensure!(
            pass.written() == 0 && self.writes_seen() == before,
            "a pass over an estate in order wrote something"
        );
        self.voice
            .proof("a second pass has nothing to do and makes no write");
        Ok(())
    }

    async fn intrusion(&self, set: &DesiredSet) -> anyhow::Result<()> {
        self.voice.act("Meanwhile, behind Evenkeel's back");
        for act in intruder::ACTS {
            self.served
                .twin
                .world(|world| world.acting_as(act.by, act.done))
                .map_err(|error| anyhow!("staging {:?}: {error:?}", act.told))?;
            self.voice.someone(act.told);
        }
        self.until_they_are_done().await?;
        self.voice.command("evenkeel plan");
        let plan = self.plan(set).await;
        self.voice.raw(&render::plan::text(&plan));
        for act in intruder::ACTS {
            let found = plan
                .objects
                .iter()
                .any(|o| o.key.to_string() == act.key && o.change.is_some());
            ensure!(found, "not found: {} ({})", act.told, act.key);
        }
        self.voice.inside("evenkeel apply --yes");
        let pass = self.apply(set).await?;
        self.expect_converged(&pass)?;
        self.expect_ci_image()
    }

    /// What others have begun is over first: nothing is changed in the middle of a rollout, and
    /// RDS takes no change while it makes one.
    async fn until_they_are_done(&self) -> anyhow::Result<()> {
        self.voice
            .say("(A moment until CI's rollout and RDS are done; until then their changes would be shown as deferred.)");
        let deadline = self.clock.boot() + THEIRS_MAX;
        let busy = || {
            self.served.twin.world(|world| {
                let modifying = world
                    .rds
                    .cluster_mut("semiont-neptune")
                    .is_some_and(|members| members["Status"] != "available");
                modifying || world.ecs.all_services().any(|(_, s)| s.is_rolling_out())
            })
        };
        while busy() {
            ensure!(
                self.clock.boot() < deadline,
                "what others began does not come to an end"
            );
            self.clock.sleep(Duration::from_millis(250)).await;
        }
        Ok(())
    }

    fn expect_ci_image(&self) -> anyhow::Result<()> {
        let (image, cpu, memory) = self
            .served
            .twin
            .world(|world| {
                let definition = world.task_definition_of(SEMIONT, "semiont-backend")?;
                Some((
                    definition.images().next()?.to_owned(),
                    definition.cpu()?,
                    definition.memory()?,
                ))
            })
            .context("semiont-backend runs nothing")?;
        ensure!(
            image == intruder::CI_IMAGE && (cpu, memory) == (512, 1024),
            "semiont-backend runs {image} at {cpu}/{memory}"
        );
        self.voice.proof(&format!(
            "semiont-backend runs the image that CI chose ({image}) at the size that its document \
             says ({cpu} CPU units, {memory} MiB)"
        ));
        Ok(())
    }

    async fn destructive_edit(&self) -> anyhow::Result<()> {
        self.voice.act("A dangerous edit");
        self.voice
            .someone("someone merges `backupRetentionDays: 1` for PostgreSQL");
        let (journal, semiont) = (FILES[0], FILES[1]);
        let edited = semiont.1.replacen(
            "instance: semiont-postgres, backupRetentionDays: 7",
            "instance: semiont-postgres, backupRetentionDays: 1",
            1,
        );
        ensure!(edited != semiont.1, "the demo's edit found nothing to edit");
        let set = load([journal, (semiont.0, &edited)]);
        self.voice.command("evenkeel plan");
        let plan = self.plan(&set).await;
        self.voice.raw(&render::plan::text(&plan));
        let held = plan
            .objects
            .iter()
            .flat_map(|o| &o.holds)
            .any(|hold| matches!(hold, Hold::Destructive { .. }));
        ensure!(
            held && plan.verdict() == Verdict::Held,
            "a shorter retention was not held"
        );
        let before = self.writes_seen();
        let pass = self.apply(&set).await?;
        ensure!(
            pass.verdict() == PassVerdict::Held && self.writes_seen() == before,
            "a shorter retention was written without being allowed"
        );
        self.voice.proof(
            "held: older backups would be gone for good, so `apply` wants --allow-destructive, \
             and `run` never does it",
        );
        Ok(())
    }

    async fn history(&self) -> anyhow::Result<()> {
        self.voice.act("What was written, and why");
        self.voice.command("evenkeel history --verify");
        let store = self.engine.store.as_ref().context("there is no store")?;
        let (mut applied, mut apps, mut ledger) = (0, 0, Vec::new());
        for app in store.apps().await? {
            let Chain { entries, head } = store.chain(&app).await?;
            whole(&app, &entries, head.as_ref())?;
            applied += self.applied(&app, &entries)?;
            apps += 1;
            let entries = entries
                .into_iter()
                .map(|entry| Line::Entry(Box::new(entry)));
            ledger.extend(render::history::placed(entries));
        }
        self.voice
            .raw(&render::history::verdict(ledger.len(), apps, &[]));
        self.voice
            .command(&format!("evenkeel history --limit {SHOWN_ENTRIES}"));
        ledger.sort_by(|(a, _), (b, _)| b.cmp(a));
        let all = ledger.len();
        ledger.truncate(SHOWN_ENTRIES);
        let ledger: Vec<Line> = ledger.into_iter().map(|(_, line)| line).collect();
        self.voice.raw(&render::history::text(&Shown {
            lines: &ledger,
            omitted: all - ledger.len(),
            all,
            faults: &[],
        }));
        let seen = self.writes_seen();
        ensure!(
            applied == seen,
            "AWS saw {seen} writes, and the ledger knows {applied}"
        );
        self.voice.proof(&format!(
            "both chains verified; AWS saw {seen} writes, and each of them stands in the ledger \
             with its intent and its outcome"
        ));
        Ok(())
    }

    /// Counts the writes of an app that AWS accepted; each of them has to have an outcome.
    fn applied(&self, app: &str, entries: &[Entry]) -> anyhow::Result<usize> {
        let mut open = 0usize;
        let mut applied = 0;
        for entry in entries {
            match &entry.record {
                Record::Intent { .. } => open += 1,
                Record::Outcome { outcome, .. } => {
                    open = open.saturating_sub(1);
                    applied += usize::from(*outcome == Outcome::Applied);
                }
            }
        }
        ensure!(open == 0, "{app}: {open} intents have no outcome");
        Ok(applied)
    }

    /// What no document names, as it is now.
    fn untouchables(&self) -> anyhow::Result<Vec<String>> {
        self.served
            .twin
            .world(|world| {
                let service = world.service(JOURNAL, UNMANAGED_SERVICE)?;
                let tagged = world.service(JOURNAL, "personal-journal-backend-service")?;
                let alarm = world.cloudwatch.alarm(UNMANAGED_ALARM)?;
                Some(vec![
                    format!("{} {}", service.task_definition, service.desired),
                    alarm.to_string(),
                    format!("{:?}", tagged.tags.get("cost-center")),
                ])
            })
            .context("something that no document names is gone")
    }

    /// Writes that reached the twin through the API so far.
    fn writes_seen(&self) -> usize {
        self.served.twin.world(|world| world.calls.writes().count())
    }
}

fn load(files: [(&str, &str); 2]) -> DesiredSet {
    desired::load_files(files.map(|(name, text)| (name, text.as_bytes())))
}
