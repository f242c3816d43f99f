//! The fault sweep: every kind of fault at every request of every scenario, to AWS and to the store,
//! is lived through.

use std::time::Duration;

use super::aftermath::{self, Broken, Leave, Quiet, hold};
use super::meanwhile;
use super::scenario::Scenario;
use super::stage::{Fork, Who};
use super::state;
use super::strike::pages;
use super::wire::{Effect, Orders, Passed, Side, Wire};
use super::{Options, Summary, Wraps, run_in_time};

const RUNS: Who = Who {
    holder: "one@test/1",
    seed: 31,
};

const AGAIN: Who = Who {
    holder: "one@test/2",
    seed: 32,
};

/// What goes wrong with one request. The numbers are those of the list of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// F1.
    Throttled,
    /// F2.
    ServerErrorBefore,
    /// F3.
    ServerErrorAfter,
    /// F4.
    LostBefore,
    /// F5.
    LostAfter,
    /// F6, within the call timeout.
    LateSoon,
    /// F6, when nobody expects it any more.
    LateBeyond,
    /// F7.
    Twice,
    /// F8, and F9: the reads after it are fresh.
    Stale,
    /// F10: a part of the answer is missing, and the answer says so.
    Part,
    /// F11: a page that comes again and again with one token.
    SamePageAgain,
    /// F12.
    Expired,
    /// F13.
    Denied,
    /// F14: the process's wall clock is set back by an hour as it asks.
    SetBack,
    /// F14: forward.
    SetForward,
    /// F15: the host suspends the machine, clocks and all, before it hears the answer; another replica
    /// works meanwhile.
    Suspended,
    /// F16: the process is stopped for longer than a lease before it hears the answer, and the same.
    Stopped,
    /// F17: the lease's row is deleted as it asks.
    RowLost,
    /// F18: a person takes the lease before the answer is heard, and another replica has it at once.
    TakenByHand,
    /// F25: a proxy's page with a 200.
    Page,
    /// F25: nothing, with a 200, and nothing was done.
    EmptyBefore,
    /// F25: nothing, with a 200, but all was done.
    EmptyAfter,
    /// F26.
    Refused,
    /// F26, once the request was on its way.
    ResetBefore,
    /// F26, once it had its effect.
    ResetAfter,
    /// Another transaction is in the way.
    Conflict,
    /// The same transaction is under way.
    InProgress,
    /// No answer and no end of the connection.
    Hang,
    /// Almost as long as is waited for.
    Delay,
}

pub const KINDS: [Kind; 29] = [
    Kind::Throttled,
    Kind::ServerErrorBefore,
    Kind::ServerErrorAfter,
    Kind::LostBefore,
    Kind::LostAfter,
    Kind::LateSoon,
    Kind::LateBeyond,
    Kind::Twice,
    Kind::Stale,
    Kind::Part,
    Kind::SamePageAgain,
    Kind::Expired,
    Kind::Denied,
    Kind::SetBack,
    Kind::SetForward,
    Kind::Suspended,
    Kind::Stopped,
    Kind::RowLost,
    Kind::TakenByHand,
    Kind::Page,
    Kind::EmptyBefore,
    Kind::EmptyAfter,
    Kind::Refused,
    Kind::ResetBefore,
    Kind::ResetAfter,
    Kind::Conflict,
    Kind::InProgress,
    Kind::Hang,
    Kind::Delay,
];

/// When a controller looks again, after a failure too.
const NEXT_LOOK: Duration = Duration::from_secs(45);

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Throttled => "throttled",
            Kind::ServerErrorBefore => "500 before",
            Kind::ServerErrorAfter => "500 after",
            Kind::LostBefore => "lost before",
            Kind::LostAfter => "lost after",
            Kind::LateSoon => "late",
            Kind::LateBeyond => "very late",
            Kind::Twice => "twice",
            Kind::Stale => "stale",
            Kind::Part => "in part",
            Kind::SamePageAgain => "same page again",
            Kind::Expired => "expired",
            Kind::Denied => "denied",
            Kind::SetBack => "clock set back",
            Kind::SetForward => "clock set forward",
            Kind::Suspended => "suspended",
            Kind::Stopped => "stopped",
            Kind::RowLost => "lease row lost",
            Kind::TakenByHand => "lease taken",
            Kind::Page => "a page",
            Kind::EmptyBefore => "empty before",
            Kind::EmptyAfter => "empty after",
            Kind::Refused => "refused",
            Kind::ResetBefore => "reset before",
            Kind::ResetAfter => "reset after",
            Kind::Conflict => "conflict",
            Kind::InProgress => "in progress",
            Kind::Hang => "hangs",
            Kind::Delay => "delayed",
        }
    }

    /// Whether it can befall this request, or why not.
    ///
    /// # Errors
    /// The reason.
    pub fn applies(self, passed: &Passed) -> Result<(), &'static str> {
        let name = passed.name.as_str();
        let reads = passed.effect == Effect::Read;
        let must = |applies: bool, why: &'static str| if applies { Ok(()) } else { Err(why) };
        match self {
            Kind::ServerErrorAfter
            | Kind::LostAfter
            | Kind::LateSoon
            | Kind::LateBeyond
            | Kind::Twice
            | Kind::EmptyAfter
            | Kind::ResetAfter => must(
                !reads,
                "a read has no effect: before and after it, late and twice are all one",
            ),
            Kind::EmptyBefore => must(
                reads || passed.side == Side::Aws,
                "DynamoDB's own answer to a write can be empty: one that is a lie is not to be told",
            ),
            Kind::Stale if passed.side == Side::Store => {
                Err("every read of the store asks for consistency, and is refused here without")
            }
            Kind::Stale => must(
                reads && (name.starts_with("ecs.") || name.starts_with("application-")),
                "only reads of ECS and Application Auto Scaling lag in the twin",
            ),
            Kind::Part => must(
                matches!(
                    name,
                    "ecs.DescribeServices" | "store.BatchGetItem" | "store.Query"
                ),
                "AWS answers it whole or not at all",
            ),
            Kind::SamePageAgain => must(
                pages(name).is_some(),
                "it has no pages, or the store's own rule for them (see `in part`)",
            ),
            Kind::Suspended | Kind::RowLost | Kind::TakenByHand => {
                must(passed.leased != Some(false), "nobody holds the lease then")
            }
            Kind::Conflict => must(
                passed.side == Side::Store && !reads,
                "only writes of items meet transactions",
            ),
            Kind::InProgress => must(
                name == "store.TransactWriteItems",
                "only a transaction has a client request token",
            ),
            _ => Ok(()),
        }
    }

    /// What no sender can help about it.
    fn leave(self) -> Leave {
        Leave {
            twice: self == Kind::Twice,
            more_runs: 3,
        }
    }
}

/// Sweeps one scenario.
pub fn sweep(scenario: &Scenario, options: &Options) -> Summary {
    let mut summary = Summary {
        scenarios: 1,
        ..Summary::default()
    };
    let (name, wraps) = (&scenario.name, &options.wraps);
    let began = summary.watch(name, "start", || {
        run_in_time(async { Ok(scenario.start(wraps).await) })
    });
    let Some(start) = began else { return summary };
    let undisturbed = summary.watch(name, "undisturbed", || {
        disturbed(scenario, &start, &[], None, &Quiet::default(), wraps)
    });
    let Some(Lived {
        passed,
        estate: expected,
        ..
    }) = undisturbed
    else {
        return summary;
    };
    summary.calls(&passed);
    let quiet = Quiet::default();
    let mut faults: Vec<(usize, Kind)> = Vec::new();
    for (at, request) in passed.iter().enumerate() {
        for kind in KINDS {
            match kind
                .applies(request)
                .and_then(|()| in_turn(kind, at))
                .and_then(|()| promised_beside(kind, scenario, request))
            {
                Ok(()) => faults.push((at + 1, kind)),
                Err(why) => *summary.left_out.entry(why).or_default() += 1,
            }
        }
    }
    for &(nth, kind) in faults.iter().step_by(options.every_fault.max(1)) {
        let hit = (kind.name(), passed[nth - 1].name.clone());
        let case = format!("{} at request {nth} of {}, {}", hit.0, passed.len(), hit.1);
        let done = summary.watch(name, &case, || {
            disturbed(
                scenario,
                &start,
                &[(nth, kind)],
                Some(&expected),
                &quiet,
                wraps,
            )
        });
        if let Some(Lived { in_vain: true, .. }) = done {
            *summary.left_out.entry(IN_VAIN).or_default() += 1;
            continue;
        }
        *summary.hits.entry(hit).or_default() += 1;
        let Some(Lived { passed: after, .. }) = done else {
            continue;
        };
        if options.faults < 2 {
            continue;
        }
        // The second strikes anywhere after the first, in the run as the first made it.
        for (at, request) in after.iter().enumerate().skip(nth) {
            for second in KINDS {
                let applies = second.applies(request);
                let promised = applies
                    .and_then(|()| promised_beside(second, scenario, request))
                    .and_then(|()| promised_after(scenario));
                if let Err(why) = promised {
                    *summary.left_out.entry(why).or_default() += 1;
                    continue;
                }
                let case = format!("{case}; then {} at request {}", second.name(), at + 1);
                let pair = [(nth, kind), (at + 1, second)];
                summary.watch(name, &case, || {
                    disturbed(scenario, &start, &pair, Some(&expected), &quiet, wraps)
                });
                let hit = (second.name(), request.name.clone());
                *summary.hits.entry(hit).or_default() += 1;
            }
        }
    }
    summary
}

/// Clocks are set at every request, by turns back and forward.
fn in_turn(kind: Kind, at: usize) -> Result<(), &'static str> {
    match kind {
        Kind::SetBack if !at.is_multiple_of(2) => Err("the clock is set forward at this one"),
        Kind::SetForward if at.is_multiple_of(2) => Err("the clock is set back at this one"),
        _ => Ok(()),
    }
}

/// Whether what the scenario is about is promised under such a fault, or why not.
fn promised_beside(kind: Kind, scenario: &Scenario, passed: &Passed) -> Result<(), &'static str> {
    let is_late = matches!(kind, Kind::LateSoon | Kind::LateBeyond | Kind::Twice);
    if is_late && matches!(passed.row.as_deref(), Some("STATUS" | "DRIFT")) {
        return Err(
            "what is told to people is put without a lease: what lands late stands until the next look",
        );
    }
    if !scenario.name.contains("CI deploys") {
        return Ok(());
    }
    const LATER: &str = "an update that lands after CI's deployment is one more deployment to ECS";
    match kind {
        Kind::LateBeyond | Kind::Twice if passed.name == "ecs.UpdateService" => Err(LATER),
        // Its clocks stood still, so it sends what it had announced: nobody can tell it otherwise.
        Kind::Suspended if passed.name == "store.TransactWriteItems" => Err(LATER),
        Kind::Denied => Err("CI's deployment may be retired before one who is denied finds it"),
        Kind::Stale | Kind::RowLost if scenario.name.contains("fast") => Err(
            "a rollout of half a minute is over before a reading that lags, or the next lease, shows it",
        ),
        _ => Ok(()),
    }
}

/// Whether what the scenario is about is promised after another fault, or why not.
fn promised_after(scenario: &Scenario) -> Result<(), &'static str> {
    if scenario.name.contains("CI deploys fast") {
        return Err("a rollout of half a minute may be over when two faults have passed");
    }
    Ok(())
}

/// Why a fault that struck is not counted.
const IN_VAIN: &str =
    "it leaves this answer as it is: nothing is older, or there is no second item";

/// The names of the requests of an undisturbed run.
pub fn requests(scenario: &Scenario, options: &Options) -> Vec<String> {
    let wraps = &options.wraps;
    let run = run_in_time(async { Ok(scenario.start(wraps).await) })
        .and_then(|start| disturbed(scenario, &start, &[], None, &Quiet::default(), wraps));
    let lived = run.unwrap_or_else(|broken| panic!("{}: {broken:?}", scenario.name));
    lived.passed.into_iter().map(|p| p.name).collect()
}

/// What a run came to.
struct Lived {
    passed: Vec<Passed>,
    /// The estate at its end.
    estate: String,
    /// Whether a fault left the answer as it would have been.
    in_vain: bool,
}

/// A run that `faults` befall, and its aftermath.
fn disturbed(
    scenario: &Scenario,
    start: &Fork,
    faults: &[(usize, Kind)],
    expected: Option<&str>,
    quiet: &Quiet,
    wraps: &Wraps,
) -> Result<Lived, Broken> {
    run_in_time(async {
        let stage = scenario.resume(start, wraps);
        let wire = Wire::new(&stage, Orders::Fail(faults.to_vec()));
        let mut life = std::pin::pin!(wire.over(scenario.live(RUNS, &wire)));
        let lived = tokio::select! {
            biased;
            lived = &mut life => lived,
            // On the heap: a whole pass of another replica is too much for a test's stack.
            () = Box::pin(meanwhile::another_works(scenario, &wire)) => life.await,
        };
        let (passed, in_vain) = (wire.passed(), wire.in_vain());
        hold("every_fault_struck", wire.struck() == faults.len(), || {
            format!("{} of {}", wire.struck(), faults.len())
        })?;
        wire.end();
        if in_vain && faults.len() == 1 {
            // The rest is that of a run that nothing disturbs.
            return Ok(Lived {
                passed,
                estate: String::new(),
                in_vain,
            });
        }
        stage.world(|w| w.set_read_lag(Duration::ZERO));
        let mut leave = Leave::default();
        for (_, kind) in faults {
            let more = kind.leave();
            leave.twice |= more.twice;
            leave.more_runs += more.more_runs;
        }
        // The process that it befell goes on, once all that is late has come; one that could not
        // begin is begun again.
        let engine = match lived {
            Some((engine, _)) => engine,
            None => stage.replica(AGAIN, &wire).await,
        };
        if scenario.between.is_some() {
            // A controller looks again within a minute, and so before ECS forgets a deployment.
            stage.clock.sleep(NEXT_LOOK).await;
            scenario.pass(&engine).await;
        }
        aftermath::check(scenario, &stage, &engine, expected, leave, quiet).await?;
        Ok(Lived {
            passed,
            estate: stage.world(state::estate),
            in_vain,
        })
    })
}
