//! Script: what people, CI, autoscalers and machines do in a run, and when; drawn from the seed.

use std::time::Duration;

use evenkeel::twin::World;
use jiff::SignedDuration;
use serde_json::json;

use super::dice::Dice;
use super::estate::{App, CLUSTER, bounds};
use super::weather::Target;

/// One thing that somebody or something does.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// An app's next documents reach a replica's folder.
    Commit {
        app: usize,
        version: usize,
        replica: usize,
    },
    /// A file of a replica's folder is torn, or whole again.
    Tear {
        app: usize,
        replica: usize,
    },
    Mend {
        app: usize,
        replica: usize,
    },
    /// A file vanishes from a replica's folder, to come back with the next commit.
    Vanish {
        app: usize,
        replica: usize,
    },
    /// CI deploys an image: from the live revision, or from a template of its own.
    Deploy {
        app: usize,
        service: usize,
        image: u64,
        template: bool,
    },
    /// A person changes something by hand.
    ByHand {
        app: usize,
        service: usize,
        what: ByHand,
    },
    /// An autoscaler sets the count within its bounds.
    Autoscale {
        app: usize,
        service: usize,
        share: u64,
    },
    Kill {
        replica: usize,
    },
    Start {
        replica: usize,
    },
    /// SIGSTOP, and SIGCONT.
    Pause {
        replica: usize,
    },
    Resume {
        replica: usize,
    },
    /// The host suspends the machine: its clocks stand still, too.
    Suspend {
        replica: usize,
    },
    /// The wall clock is set.
    Step {
        replica: usize,
        by: SignedDuration,
    },
    /// Nobody reaches AWS, or the store, for a while.
    Away {
        target: Target,
        seconds: u64,
    },
    /// A person takes the lease from its holder.
    Fence {
        app: usize,
    },
    /// The lease's row is deleted by hand.
    LoseRow {
        app: usize,
    },
}

/// What a person does by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByHand {
    Size,
    Count,
    Grace,
    Tag,
    Bounds,
    Threshold,
    Retention,
    /// More than the documents say: taking it back would destroy backups.
    MoreRetention,
    Recovery,
}

/// The acts of a run in order of time.
#[derive(Clone, Debug)]
pub struct Script {
    pub acts: Vec<(Duration, Act)>,
}

const BY_HAND: [ByHand; 9] = [
    ByHand::Size,
    ByHand::Count,
    ByHand::Grace,
    ByHand::Tag,
    ByHand::Bounds,
    ByHand::Threshold,
    ByHand::Retention,
    ByHand::MoreRetention,
    ByHand::Recovery,
];

impl Script {
    /// Draws what happens in the first `length` of a run.
    pub fn draw(seed: u64, apps: &[App], replicas: usize, length: Duration) -> Self {
        let mut dice = Dice::of(seed, "script");
        let mut acts = Vec::new();
        let span = length.as_millis() as u64;
        let at = |dice: &mut Dice| Duration::from_millis(dice.between(0..span));
        for (app, a) in apps.iter().enumerate() {
            for version in 1..a.versions.len() {
                // A commit reaches every replica, at moments of their own.
                let when =
                    at(&mut dice) / 2 + length / 2 * u32::try_from(version - 1).unwrap_or(0) / 4;
                for replica in 0..replicas {
                    let late = Duration::from_millis(dice.between(0..20_000));
                    acts.push((
                        when + late,
                        Act::Commit {
                            app,
                            version,
                            replica,
                        },
                    ));
                }
            }
        }
        // Each run has a few kinds of acts and not the others, so that they meet in all mixtures.
        let kinds: Vec<u32> = (0..11).map(|_| u32::from(dice.chance(350))).collect();
        let often = |dice: &mut Dice, kind: usize, most: u64| {
            if kinds[kind] == 0 {
                0
            } else {
                1 + dice.between(0..most)
            }
        };
        let lasting = |dice: &mut Dice| {
            Duration::from_millis(*dice.pick(&[300, 4_000, 14_000, 35_000, 90_000]))
        };
        for _ in 0..often(&mut dice, 0, 3) {
            let (app, service) = one_service(&mut dice, apps);
            let (image, template) = (2 + dice.between(0..7), dice.chance(400));
            acts.push((
                at(&mut dice),
                Act::Deploy {
                    app,
                    service,
                    image,
                    template,
                },
            ));
        }
        for _ in 0..often(&mut dice, 1, 3) {
            let (app, service) = one_service(&mut dice, apps);
            let what = *dice.pick(&BY_HAND);
            acts.push((at(&mut dice), Act::ByHand { app, service, what }));
        }
        for _ in 0..often(&mut dice, 2, 4) {
            let (app, service) = one_service(&mut dice, apps);
            let share = dice.between(0..100);
            acts.push((
                at(&mut dice),
                Act::Autoscale {
                    app,
                    service,
                    share,
                },
            ));
        }
        let one = |dice: &mut Dice| usize::try_from(dice.between(0..replicas as u64)).unwrap_or(0);
        for _ in 0..often(&mut dice, 3, 4) {
            let (when, replica, away) = (at(&mut dice), one(&mut dice), lasting(&mut dice));
            acts.push((when, Act::Kill { replica }));
            acts.push((when + away, Act::Start { replica }));
        }
        for _ in 0..often(&mut dice, 4, 3) {
            let (when, replica, away) = (at(&mut dice), one(&mut dice), lasting(&mut dice));
            acts.push((when, Act::Pause { replica }));
            acts.push((when + away, Act::Resume { replica }));
        }
        for _ in 0..often(&mut dice, 5, 2) {
            let (when, replica, away) = (at(&mut dice), one(&mut dice), lasting(&mut dice));
            acts.push((when, Act::Suspend { replica }));
            acts.push((when + away, Act::Resume { replica }));
        }
        for _ in 0..often(&mut dice, 6, 2) {
            let minutes = *dice.pick(&[-60, -5, 5, 60]);
            let by = SignedDuration::from_mins(minutes);
            acts.push((
                at(&mut dice),
                Act::Step {
                    replica: one(&mut dice),
                    by,
                },
            ));
        }
        for _ in 0..often(&mut dice, 7, 2) {
            let target = *dice.pick(&[Target::Aws, Target::Store]);
            let seconds = *dice.pick(&[2, 20, 60, 200]);
            acts.push((at(&mut dice), Act::Away { target, seconds }));
        }
        for _ in 0..often(&mut dice, 8, 2) {
            let (app, replica) = (one_app(&mut dice, apps), one(&mut dice));
            let (when, torn) = (at(&mut dice), lasting(&mut dice));
            let (spoil, mend) = if dice.chance(500) {
                (Act::Tear { app, replica }, Act::Mend { app, replica })
            } else {
                (Act::Vanish { app, replica }, Act::Mend { app, replica })
            };
            acts.push((when, spoil));
            acts.push((when + torn, mend));
        }
        for _ in 0..often(&mut dice, 9, 2) {
            acts.push((
                at(&mut dice),
                Act::Fence {
                    app: one_app(&mut dice, apps),
                },
            ));
        }
        for _ in 0..often(&mut dice, 10, 1) {
            acts.push((
                at(&mut dice),
                Act::LoseRow {
                    app: one_app(&mut dice, apps),
                },
            ));
        }
        acts.sort_by_key(|(at, _)| *at);
        Self { acts }
    }
}

fn one_app(dice: &mut Dice, apps: &[App]) -> usize {
    usize::try_from(dice.between(0..apps.len() as u64)).unwrap_or(0)
}

fn one_service(dice: &mut Dice, apps: &[App]) -> (usize, usize) {
    let app = one_app(dice, apps);
    let services = apps[app].versions[0].services.len() as u64;
    (app, usize::try_from(dice.between(0..services)).unwrap_or(0))
}

/// Lets somebody else act on the estate; says which image was deployed where. What AWS refuses
/// them stays as it was.
pub fn on_estate(act: &Act, apps: &[App], w: &mut World) -> Option<(String, String)> {
    match act {
        Act::Deploy {
            app,
            service,
            image,
            template,
        } => {
            let name = &apps[*app].versions[0].services[*service].name;
            let image = format!("registry.example/{name}:{image}");
            let done = w.deploy_changed(CLUSTER, name, |definition| {
                definition["containerDefinitions"][0]["image"] = json!(image);
                if *template && !apps[*app].fragile {
                    definition.insert("cpu".into(), json!("256"));
                    definition.insert("memory".into(), json!("512"));
                }
            });
            return done.is_ok().then(|| (name.clone(), image));
        }
        Act::ByHand { app, service, what } => {
            by_hand(&apps[*app], *service, *what, w);
            if *what == ByHand::Size {
                // Made from what runs at that moment, which is deployed anew with it.
                let name = &apps[*app].versions[0].services[*service].name;
                let image = w
                    .task_definition_of(CLUSTER, name)?
                    .images()
                    .next()?
                    .to_owned();
                return Some((name.clone(), image));
            }
        }
        Act::Autoscale {
            app,
            service,
            share,
        } => {
            let name = &apps[*app].versions[0].services[*service].name;
            if let Some((low, high)) = bounds(w, name) {
                let room = u64::try_from(high - low).unwrap_or(0);
                let count = low + i64::try_from(room * share / 100).unwrap_or(0);
                let _refused = w.set_desired_count(CLUSTER, name, count);
            }
        }
        _ => {}
    }
    None
}

fn by_hand(app: &App, service: usize, what: ByHand, w: &mut World) {
    let name = app.versions[0].services[service].name.as_str();
    let arn = w
        .service(CLUSTER, name)
        .map(|s| s.arn.clone())
        .unwrap_or_default();
    let _refused = match what {
        ByHand::Size => w.resize(CLUSTER, name, 2048, 4096).map(|_| ()),
        ByHand::Count => match bounds(w, name) {
            // Beside an autoscaler a count by hand is one that it would set, too.
            Some((_, high)) => w.set_desired_count(CLUSTER, name, high),
            None => w.set_desired_count(CLUSTER, name, 7),
        },
        ByHand::Grace => w
            .update_service(CLUSTER, name, json!({"healthCheckGracePeriodSeconds": 7}))
            .map(|_| ()),
        ByHand::Tag => w
            .call(
                "ecs",
                "TagResource",
                &json!({"resourceArn": arn, "tags": [{"key": "team", "value": "night"}]}),
            )
            .map(|_| ()),
        // Beside a count that a document names, bounds by hand are for a person to take away.
        ByHand::Bounds if bounds(w, name).is_none() => Ok(()),
        ByHand::Bounds => w
            .call(
                "application-autoscaling",
                "RegisterScalableTarget",
                &json!({
                    "ServiceNamespace": "ecs",
                    "ResourceId": format!("service/{CLUSTER}/{name}"),
                    "ScalableDimension": "ecs:service:DesiredCount",
                    "MinCapacity": 1,
                    "MaxCapacity": 8,
                }),
            )
            .map(|_| ()),
        ByHand::Threshold => {
            app.put_alarm(w, 99, &app.alarm());
            Ok(())
        }
        ByHand::Retention | ByHand::MoreRetention => w
            .call(
                "rds",
                "ModifyDBInstance",
                &json!({
                    "DBInstanceIdentifier": app.database(),
                    "BackupRetentionPeriod": if what == ByHand::Retention { 2 } else { 35 },
                    "ApplyImmediately": true,
                }),
            )
            .map(|_| ()),
        ByHand::Recovery => w
            .call(
                "dynamodb",
                "UpdateContinuousBackups",
                &json!({
                    "TableName": app.table(),
                    "PointInTimeRecoverySpecification": {
                        "PointInTimeRecoveryEnabled": true,
                        "RecoveryPeriodInDays": 2,
                    },
                }),
            )
            .map(|_| ()),
    };
}
