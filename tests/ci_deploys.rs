//! CI deploys: whatever the moment of a size change at which CI deploys an image, that image runs
//! in the end, at the new size.
//!
//! The moments are just before and just after the effect of each of the twin's calls. A moment
//! between two calls to the store is one of these: the store shows nothing of AWS.

use std::time::Duration;

use evenkeel::engine::apply::Wait;
use evenkeel::kinds::Policy;
use evenkeel::model::document::DesiredSet;
use evenkeel::model::plan::Verdict;
use evenkeel::model::scope::Scope;
use evenkeel::twin::World;
use evenkeel::twin::ecs::RolloutState;
use evenkeel::twin::estate::FargateService;
use evenkeel::twin::faults::Fault;
use evenkeel::twin::wire::TwinError;
use serde_json::json;

use crate::rig::{Rig, complaints, load};
use crate::sweep::aftermath::{Leave, at_rest};
use crate::sweep::stage::Stage;

const DOCUMENT: &str = "apiVersion: evenkeel/v1alpha1\nkind: Service\n\
    metadata: {app: shop, name: web}\nspec: {cluster: main, cpu: 512, memory: 1024}\n";

/// What CI makes its new revision from.
#[derive(Clone, Copy, Debug)]
enum Ci {
    /// The revision that the service has now, with another image.
    Live,
    /// A template of its own, which knows the old size.
    OldTemplate,
    /// A template of its own, which knows the new size already.
    NewTemplate,
}

impl Ci {
    fn deploy(self, w: &mut World, image: &str) {
        let done = match self {
            Ci::Live => w.deploy_image("main", "web", image),
            Ci::OldTemplate => Self::deploy_sized(w, image, "256", "512"),
            Ci::NewTemplate => Self::deploy_sized(w, image, "512", "1024"),
        };
        done.unwrap();
    }

    fn deploy_sized(
        w: &mut World,
        image: &str,
        cpu: &str,
        memory: &str,
    ) -> Result<String, TwinError> {
        w.deploy_changed("main", "web", |definition| {
            definition.insert("cpu".into(), json!(cpu));
            definition.insert("memory".into(), json!(memory));
            definition["containerDefinitions"][0]["image"] = json!(image);
        })
    }
}

/// On which side of a call's effect.
#[derive(Clone, Copy, Debug)]
enum Side {
    Before,
    After,
}

impl Side {
    fn of(self, act: impl FnOnce(&mut World) + Send + 'static) -> Fault {
        match self {
            Side::Before => Fault::ActBefore(Box::new(act)),
            Side::After => Fault::ActAfter(Box::new(act)),
        }
    }
}

async fn rig(latency: Duration) -> (Rig, DesiredSet) {
    let rig = Rig::new().await;
    rig.twin.world(|w| {
        let service = FargateService::new("main", "web")
            .image("app:v1")
            .env("TOKEN", "canary-7f3a")
            .size(256, 512)
            .desired(2);
        w.add_service(&service).unwrap();
        w.latency = latency;
        w.calls.clear();
    });
    // It has run for long: what CI deploys is newer.
    rig.clock.sleep(Duration::from_secs(3600)).await;
    (rig, load(DOCUMENT))
}

/// How many calls a size change takes when nobody disturbs it.
async fn undisturbed(latency: Duration) -> usize {
    let (rig, set) = rig(latency).await;
    let pass = rig.apply(&set, Wait::ForRollouts).await;
    assert_eq!(complaints(&pass), Vec::<String>::new());
    rig.twin.world(|w| w.calls.all().len())
}

/// Converges as a person or a controller does: again, while it is not in order, at most three
/// times, with the time of a rollout between.
async fn converge(rig: &Rig, set: &DesiredSet) {
    for _ in 0..3 {
        rig.apply(set, Wait::ForRollouts).await;
        rig.clock.sleep(Duration::from_secs(600)).await;
        if rig.plan(set).await.verdict() == Verdict::InOrder {
            break;
        }
    }
    // CI may have deployed at the very last look.
    rig.clock.sleep(Duration::from_secs(600)).await;
}

async fn assert_the_image_runs_at_the_new_size(
    rig: &Rig,
    set: &DesiredSet,
    image: &str,
    case: &str,
) {
    let (images, size, deployments) = rig.twin.world(|w| {
        let definition = w.task_definition_of("main", "web").unwrap();
        let images: Vec<String> = definition.images().map(str::to_owned).collect();
        let service = w.service("main", "web").unwrap();
        let deployments: Vec<_> = service.deployments.iter().map(|d| d.rollout).collect();
        (images, (definition.cpu(), definition.memory()), deployments)
    });
    assert_eq!(images, [image], "{case}");
    assert_eq!(size, (Some(512), Some(1024)), "{case}");
    assert_eq!(deployments, [RolloutState::Completed], "{case}");
    let plan = rig.plan(set).await;
    assert_eq!(
        plan.verdict(),
        Verdict::InOrder,
        "{case}: {:#?}",
        plan.objects
    );
    let rest = at_rest(&Stage::of(rig), &rig.engine, "shop", Leave::default()).await;
    rest.unwrap_or_else(|broken| panic!("{case}: {broken:?}"));
}

async fn sweep(ci: Ci, latency: Duration) {
    let calls = undisturbed(latency).await;
    for nth in 1..=calls {
        for side in [Side::Before, Side::After] {
            let case = format!("{ci:?} {side:?} call {nth} of {calls}, latency {latency:?}");
            let (rig, set) = rig(latency).await;
            let deploy = side.of(move |w| ci.deploy(w, "app:v2"));
            rig.twin.world(|w| w.faults.at_any(nth, deploy));
            converge(&rig, &set).await;
            assert_eq!(rig.twin.world(|w| w.faults.waiting()), 0, "{case}: not hit");
            assert_the_image_runs_at_the_new_size(&rig, &set, "app:v2", &case).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_image_deployed_at_any_moment_of_a_size_change_runs_at_the_new_size() {
    sweep(Ci::Live, Duration::ZERO).await;
}

#[tokio::test(start_paused = true)]
async fn an_image_deployed_at_any_moment_of_a_slow_size_change_runs_at_the_new_size() {
    sweep(Ci::Live, Duration::from_millis(700)).await;
}

#[tokio::test(start_paused = true)]
async fn an_image_deployed_from_an_old_template_at_any_moment_runs_at_the_new_size() {
    sweep(Ci::OldTemplate, Duration::ZERO).await;
}

#[tokio::test(start_paused = true)]
async fn of_two_images_deployed_at_any_two_moments_the_later_runs_at_the_new_size() {
    let calls = undisturbed(Duration::ZERO).await;
    let (mut cases, mut both) = (0, 0);
    for first in 1..calls {
        // What follows soon is where two deploys meet one step; the far ones are sampled.
        for second in (first + 1..=calls).filter(|n| n - first <= 3 || n % 5 == 0) {
            let ci = [Ci::Live, Ci::OldTemplate][(first + second) % 2];
            let case = format!("{ci:?} before calls {first} and {second} of {calls}");
            let (rig, set) = rig(Duration::ZERO).await;
            rig.twin.world(|w| {
                for (nth, image) in [(first, "app:v2"), (second, "app:v3")] {
                    let deploy = Side::Before.of(move |w| ci.deploy(w, image));
                    w.faults.at_any(nth, deploy);
                }
            });
            converge(&rig, &set).await;
            // A deploy ends the waiting for our own rollout, so there may be no second moment.
            let image = match rig.twin.world(|w| w.faults.waiting()) {
                0 => "app:v3",
                1 => "app:v2",
                _ => panic!("{case}: not hit"),
            };
            cases += 1;
            both += usize::from(image == "app:v3");
            assert_the_image_runs_at_the_new_size(&rig, &set, image, &case).await;
        }
    }
    assert!(
        both * 10 >= cases * 9,
        "only {both} of {cases} were hit twice"
    );
}

#[tokio::test(start_paused = true)]
async fn of_two_images_that_have_the_new_size_the_later_runs_whatever_our_writes_overtook() {
    // Which deployment was first is told by time alone.
    let latency = Duration::from_millis(20);
    let (rig, set) = rig(latency).await;
    rig.apply(&set, Wait::ForRollouts).await;
    let update = rig.twin.world(|w| {
        let mut calls = w.calls.all().iter();
        1 + calls.position(|c| c.name == "ecs.UpdateService").unwrap()
    });
    // Our first write overtakes one image, so it is deployed again: at each moment of that comes another.
    let mut overtaken_twice = 0;
    for second in update + 1..update + 30 {
        let case = format!("before call {update}, an UpdateService, and call {second}");
        let (rig, set) = self::rig(latency).await;
        rig.twin.world(|w| {
            for (nth, image) in [(update, "app:v2"), (second, "app:v3")] {
                let deploy = Side::Before.of(move |w| Ci::NewTemplate.deploy(w, image));
                w.faults.at_any(nth, deploy);
            }
        });
        converge(&rig, &set).await;
        let image = ["app:v3", "app:v2"][rig.twin.world(|w| w.faults.waiting())];
        overtaken_twice +=
            usize::from(rig.twin.world(|w| w.calls.of("ecs.UpdateService").count()) > 2);
        assert_the_image_runs_at_the_new_size(&rig, &set, image, &case).await;
    }
    assert!(
        overtaken_twice > 0,
        "no image was deployed at the very moment of the second write"
    );
}

#[tokio::test(start_paused = true)]
async fn an_image_is_not_lost_when_its_overtaker_dies_and_all_else_is_as_wanted() {
    let (rig, before) = rig(Duration::from_millis(20)).await;
    rig.apply(&before, Wait::ForRollouts).await;
    rig.clock.sleep(Duration::from_secs(3600)).await;
    // Another replica has just looked, and history serves for minutes where all is in order.
    let other = rig.another(8).await;
    let all = Scope::all();
    let looked = other.plan(&before, &all, &Policy::CONTROLLER).await;
    assert_eq!(looked.verdict(), Verdict::InOrder);
    let after = load(&DOCUMENT.replace("cpu: 512, memory: 1024", "cpu: 1024, memory: 2048"));
    rig.twin.world(|w| {
        w.calls.clear();
        let deploy = Side::Before.of(|w| Ci::Live.deploy(w, "app:v2"));
        w.faults.next("ecs.UpdateService", deploy);
    });
    let sent = || {
        rig.twin
            .world(|w| w.task_definition_of("main", "web").unwrap().cpu() == Some(1024))
    };
    let dies = async {
        while !sent() {
            rig.clock.sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::select! {
        _ = rig.apply(&after, Wait::No) => panic!("it was to die"),
        () = dies => {}
    }
    rig.clock.sleep(Duration::from_secs(5)).await;
    let looked = other.plan(&after, &all, &Policy::CONTROLLER).await;
    let notes = &looked.objects[0].notes;
    assert!(
        notes
            .iter()
            .any(|note| note.contains("was deployed by somebody else")),
        "{:#?}",
        looked.objects
    );
}
