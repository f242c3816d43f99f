//! Git source: the controller over a real repository, in virtual time: what comes into force, what is
//! held, and that nothing is written while it is.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use evenkeel::engine::controller::{Desired as _, Observer, RunOptions, run};
use evenkeel::engine::git_source::{GitOptions, GitSource, Recording};
use evenkeel::engine::progress::Silent;
use evenkeel::kinds::Allow;
use evenkeel::model::document::DesiredSet;
use evenkeel::model::entry::Record;
use evenkeel::model::notice::{Notice, Topic};
use evenkeel::model::pass::ObjectPass;
use evenkeel::model::plan::{Plan, Verdict};
use evenkeel::model::scope::Scope;
use evenkeel::model::source::{
    Acknowledgement, CommitId, HoldReason, Pin, SourceRecord, SourceState,
};
use evenkeel::source::git::Remote;
use evenkeel::twin::estate::FargateService;
use serde_json::json;
use tempfile::TempDir;

use crate::repository::Repository;
use crate::rig::Rig;

const INTERVAL: Duration = Duration::from_secs(60);
/// Long enough for a fetch, a look and a pass.
const A_ROUND: Duration = Duration::from_secs(150);

/// Five services, in two apps, with this count each.
fn counts(count: u32) -> String {
    (0..5).map(|n| service(n, count)).collect()
}

fn service(n: u32, count: u32) -> String {
    let app = if n < 3 { "shop" } else { "blog" };
    format!(
        "---\napiVersion: evenkeel/v1alpha1\nkind: Service\n\
         metadata: {{app: {app}, name: web-{n}}}\n\
         spec: {{cluster: main, desiredCount: {count}}}\n"
    )
}

/// A rig, a repository, and a place for a clone.
struct Scene {
    rig: Rig,
    repository: Repository,
    state: TempDir,
    signers: Option<PathBuf>,
    environment: Option<String>,
    plans: Plans,
}

/// What each look came to, and what was to be told of the source.
#[derive(Default)]
struct Plans(Mutex<Vec<Plan>>, Mutex<Vec<Notice>>);

impl Observer for Plans {
    fn looked(&self, _: &DesiredSet, plan: &Plan) {
        self.0.lock().unwrap().push(plan.clone());
    }

    fn converged(&self, _: &str, _: &[ObjectPass]) {}

    fn noticed(&self, notices: Vec<Notice>) {
        let of_source = notices.into_iter().filter(|n| n.objects.is_empty());
        self.1.lock().unwrap().extend(of_source);
    }
}

impl Scene {
    async fn new() -> Self {
        let rig = Rig::new().await;
        rig.twin.world(|w| {
            for n in 0..5 {
                let service = FargateService::new("main", &format!("web-{n}")).desired(4);
                w.add_service(&service).unwrap();
            }
            w.calls.clear();
        });
        Self {
            rig,
            repository: Repository::new(),
            state: TempDir::new().unwrap(),
            signers: None,
            environment: None,
            plans: Plans::default(),
        }
    }

    fn remote(&self) -> Remote {
        Remote {
            url: self.repository.url(),
            branch: "main".into(),
            folder: "desired-state".into(),
        }
    }

    fn source(&self, recording: Recording) -> GitSource {
        self.source_in(self.state.path().to_owned(), recording)
    }

    fn source_in(&self, state: PathBuf, recording: Recording) -> GitSource {
        let options = GitOptions {
            remote: self.remote(),
            state,
            interval: INTERVAL,
            vanish: 20,
            signers: self.signers.clone(),
            environment: self.environment.clone(),
        };
        let engine = &self.rig.engine;
        GitSource::open(
            options,
            engine.store.clone(),
            recording,
            engine.cell.clock.clone(),
            engine.cell.entropy.clone(),
        )
        .unwrap()
    }

    /// Runs a controller beside `script`, which ends it.
    async fn beside(&self, script: impl Future<Output = ()>) {
        let options = RunOptions {
            interval: INTERVAL,
            scope: Scope::all(),
            writes: Allow::Yes,
        };
        let mut source = self.source(Recording::Yes);
        run(
            &self.rig.engine,
            &mut source,
            &options,
            &Silent,
            &self.plans,
            script,
        )
        .await;
    }

    async fn a_round(&self) {
        self.rig.clock.sleep(A_ROUND).await;
    }

    fn count(&self, n: u32) -> i64 {
        let name = format!("web-{n}");
        self.rig
            .twin
            .world(|w| w.service("main", &name).unwrap().desired)
    }

    /// Somebody sets it in the console.
    fn set(&self, n: u32, count: i64) {
        let name = format!("web-{n}");
        self.rig
            .twin
            .world(|w| w.set_desired_count("main", &name, count).unwrap());
    }

    fn forget_writes(&self) {
        self.rig.twin.world(|w| w.calls.clear());
    }

    async fn record(&self) -> SourceRecord {
        let store = self.rig.engine.store.as_ref().unwrap();
        store.source(&self.remote().id()).await.unwrap().record
    }

    async fn acknowledge(&self, commit: &CommitId) {
        let store = self.rig.engine.store.as_ref().unwrap();
        let read = store.source(&self.remote().id()).await.unwrap();
        let mut record = read.record.clone();
        record.acknowledged = Some(Acknowledgement {
            commit: commit.clone(),
            reasons: Vec::new(),
            by: "ann@desk/1".into(),
            at: self.rig.clock.now(),
            reason: "meant".into(),
        });
        let id = self.remote().id();
        assert!(store.put_source(&id, &read, &record).await.unwrap());
    }

    fn last_plan(&self) -> Plan {
        self.plans.0.lock().unwrap().last().unwrap().clone()
    }

    /// What was told of the source since this was asked last.
    fn told(&self) -> Vec<(Topic, String)> {
        let told = std::mem::take(&mut *self.plans.1.lock().unwrap());
        told.into_iter().map(|n| (n.topic, n.app)).collect()
    }

    fn last_source(&self) -> SourceState {
        self.last_plan().source.unwrap()
    }

    /// Everything that the store holds.
    fn stored(&self) -> serde_json::Value {
        let (status, body) = self.rig.store.call("Scan", br#"{"TableName": "evenkeel"}"#);
        assert_eq!(status, 200);
        serde_json::from_slice(&body).unwrap()
    }

    /// That `bad`, which is pushed while `good` is in force, is held for what `expected` says: nothing
    /// is written of it, what drifts is set back to `good`, and a person's word takes it.
    async fn is_held(
        &self,
        good: &CommitId,
        push: impl FnOnce() -> CommitId,
        expected: impl Fn(&HoldReason) -> bool,
    ) {
        self.a_round().await;
        assert_eq!(self.record().await.good.as_ref(), Some(good));
        assert_eq!(self.count(0), 4);
        self.forget_writes();
        self.told();
        let bad = push();
        self.a_round().await;
        let held = self.last_source().held.expect("it is held");
        assert_eq!(held.commit, bad);
        assert!(held.reasons.iter().any(expected), "{:?}", held.reasons);
        assert_eq!(self.last_source().commit.as_ref(), Some(good));
        assert_eq!(self.last_plan().verdict(), Verdict::Held);
        // Ten more rounds: nothing is written, neither to AWS nor to the store.
        let before = self.stored();
        self.rig.clock.sleep(INTERVAL * 10).await;
        assert_eq!(self.rig.writes(), 0);
        assert_eq!(self.stored(), before, "a hold is recorded once");
        let all_apps = String::new;
        assert_eq!(
            self.told(),
            [(Topic::CommitHeld, all_apps())],
            "and told once"
        );
        // The last good commit stays in force: what drifts is set back.
        self.set(0, 9);
        self.a_round().await;
        assert_eq!(self.count(0), 4);
        self.acknowledge(&bad).await;
        self.a_round().await;
        let source = self.last_source();
        assert_eq!((source.commit.as_ref(), source.held), (Some(&bad), None));
        assert_eq!(self.record().await.used.len(), 1);
        assert_eq!(self.told(), [(Topic::Recovered, all_apps())]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_commit_reaches_aws_by_itself_and_every_plan_and_intent_names_it() {
    let scene = Scene::new().await;
    let first = scene.repository.publish(&counts(4));
    scene
        .beside(async {
            scene.a_round().await;
            assert_eq!(scene.rig.writes(), 0);
            assert_eq!(scene.last_source().commit, Some(first));
            let second = scene.repository.publish(&counts(5));
            scene.a_round().await;
            assert_eq!(scene.count(0), 5);
            assert_eq!(scene.last_source().commit.as_ref(), Some(&second));
            let store = scene.rig.engine.store.as_ref().unwrap();
            let chain = store.chain("shop").await.unwrap();
            let commits: Vec<Option<CommitId>> = chain
                .entries
                .iter()
                .filter_map(|e| match &e.record {
                    Record::Intent { commit, .. } => Some(commit.clone()),
                    Record::Outcome { .. } => None,
                })
                .collect();
            assert_eq!(commits, vec![Some(second); 3]);
            // Quiet again: rounds go by, and no row of the store changes.
            let before = scene.stored();
            scene.rig.clock.sleep(INTERVAL * 5).await;
            assert_eq!(scene.stored(), before);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_force_push_is_held_until_a_person_says_that_it_is_meant() {
    let scene = Scene::new().await;
    let repository = &scene.repository;
    repository.publish(&counts(4));
    repository.save("README.md", "estate");
    let good = repository.commit_with(&[]);
    repository.push();
    let push = || {
        repository.save("desired-state/shop.yaml", &counts(5));
        let bad = repository.commit_with(&["--amend"]);
        repository.push();
        bad
    };
    scene
        .beside(async {
            let expected = |r: &HoldReason| *r == HoldReason::NotDescendant;
            scene.is_held(&good, push, expected).await;
            scene.a_round().await;
            assert_eq!(scene.count(0), 5);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_branch_that_is_set_back_is_held_and_ends_its_hold_when_it_comes_again() {
    let scene = Scene::new().await;
    let repository = &scene.repository;
    let old = repository.publish(&counts(3));
    let good = repository.publish(&counts(4));
    let to = |commit: &CommitId| {
        repository.git(&["reset", "--quiet", "--hard", commit.as_str()]);
        repository.push();
        commit.clone()
    };
    scene
        .beside(async {
            scene.a_round().await;
            to(&old);
            scene.a_round().await;
            let held = scene.last_source().held.unwrap();
            assert_eq!(held.reasons, [HoldReason::Older]);
            to(&good);
            scene.a_round().await;
            assert_eq!(scene.last_source().held, None);
            let expected = |r: &HoldReason| *r == HoldReason::Older;
            scene.is_held(&good, || to(&old), expected).await;
            scene.a_round().await;
            assert_eq!(scene.count(0), 3);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_branch_that_is_set_back_to_what_does_not_load_is_held_all_the_same() {
    let scene = Scene::new().await;
    let repository = &scene.repository;
    let broken = repository.publish("x: [");
    repository.publish(&counts(4));
    scene
        .beside(async {
            scene.a_round().await;
            assert_eq!(scene.count(0), 4);
            scene.forget_writes();
            repository.git(&["reset", "--quiet", "--hard", broken.as_str()]);
            repository.push();
            scene.a_round().await;
            let source = scene.last_source();
            let held = source.held.unwrap();
            assert_eq!(
                (held.commit, held.reasons),
                (broken, vec![HoldReason::Older])
            );
            assert!(source.unread.unwrap().contains("does not load"));
            assert_eq!(scene.rig.writes(), 0);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn an_empty_tree_is_held() {
    let scene = Scene::new().await;
    let repository = &scene.repository;
    let good = repository.publish(&counts(4));
    let push = || {
        repository.git(&["rm", "--quiet", "-r", "desired-state"]);
        let bad = repository.commit_with(&[]);
        repository.push();
        bad
    };
    scene
        .beside(async {
            let expected = |r: &HoldReason| *r == HoldReason::Empty;
            scene.is_held(&good, push, expected).await;
            scene.set(0, 9);
            scene.a_round().await;
            // Meant or not: an empty tree writes nothing.
            assert_eq!(scene.count(0), 9);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn more_than_the_share_of_objects_vanishing_is_held() {
    let scene = Scene::new().await;
    let good = scene.repository.publish(&counts(4));
    let push = || scene.repository.publish(&(service(0, 4) + &service(1, 4)));
    scene
        .beside(async {
            let expected =
                |r: &HoldReason| matches!(r, HoldReason::Vanished { gone: 3, of: 5, .. });
            scene.is_held(&good, push, expected).await;
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_count_that_falls_by_more_than_half_is_held() {
    let scene = Scene::new().await;
    let good = scene.repository.publish(&counts(4));
    let push = || scene.repository.publish(&counts(1));
    scene
        .beside(async {
            let expected =
                |r: &HoldReason| matches!(r, HoldReason::CountDrop { from: 4, to: 1, .. });
            scene.is_held(&good, push, expected).await;
            scene.a_round().await;
            assert_eq!(scene.count(0), 1);
        })
        .await;
}

/// A key of Ann's, and whether this machine can make one.
fn key(scene: &Scene, name: &str) -> Option<PathBuf> {
    let file = scene.repository.folder().join(name);
    let made = std::process::Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"])
        .arg(&file)
        .status();
    made.is_ok_and(|status| status.success()).then_some(file)
}

fn signed(scene: &Scene, key: &std::path::Path, count: u32) -> CommitId {
    let repository = &scene.repository;
    repository.save("desired-state/shop.yaml", &counts(count));
    repository.git(&["config", "gpg.format", "ssh"]);
    let key = key.display().to_string();
    repository.git(&["config", "user.signingkey", &key]);
    let commit = repository.commit_with(&["--gpg-sign"]);
    repository.push();
    commit
}

#[tokio::test(start_paused = true)]
async fn an_unsigned_commit_and_one_of_an_unknown_key_are_held() {
    let mut scene = Scene::new().await;
    let (Some(ann), Some(eve)) = (key(&scene, "ann"), key(&scene, "eve")) else {
        println!("skipped: there is no ssh-keygen");
        return;
    };
    let signers = scene.repository.folder().join("allowed_signers");
    let public = std::fs::read_to_string(ann.with_extension("pub")).unwrap();
    std::fs::write(&signers, format!("ann@example.com {public}")).unwrap();
    scene.signers = Some(signers);
    let scene = scene;
    let good = signed(&scene, &ann, 4);
    scene
        .beside(async {
            let signature = |r: &HoldReason| matches!(r, HoldReason::Signature { .. });
            let unsigned = || scene.repository.publish(&counts(5));
            scene.is_held(&good, unsigned, signature).await;
            assert_eq!(scene.count(0), 5);
            scene.forget_writes();
            let foreign = signed(&scene, &eve, 6);
            scene.a_round().await;
            let held = scene.last_source().held.unwrap();
            assert_eq!(held.commit, foreign);
            assert!(signature(&held.reasons[0]), "{:?}", held.reasons);
            assert_eq!(scene.rig.writes(), 0);
            // One that Ann signs on top of it is taken without a word.
            let good = signed(&scene, &ann, 6);
            scene.a_round().await;
            assert_eq!(scene.last_source().commit, Some(good));
            assert_eq!(scene.count(0), 6);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn the_first_commit_is_held_too_where_it_is_not_signed() {
    let mut scene = Scene::new().await;
    let signers = scene.repository.folder().join("allowed_signers");
    std::fs::write(&signers, "").unwrap();
    scene.signers = Some(signers);
    let scene = scene;
    scene.repository.publish(&counts(5));
    scene
        .beside(async {
            scene.a_round().await;
            assert!(scene.last_source().held.is_some());
            assert_eq!(scene.rig.writes(), 0);
            let plan = scene.last_plan();
            assert!(
                plan.findings[0].message.contains("is on hold"),
                "{:?}",
                plan.findings
            );
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_bad_commit_leaves_the_last_good_one_in_force_for_its_app_alone() {
    let scene = Scene::new().await;
    let good = scene.repository.publish(&counts(4));
    scene
        .beside(async {
            scene.a_round().await;
            let broken: String = (0..5)
                .map(|n| {
                    let text = service(n, 5);
                    if n == 0 {
                        text.replace("desiredCount", "desiredCoutn")
                    } else {
                        text
                    }
                })
                .collect();
            let bad = scene.repository.publish(&broken);
            scene.a_round().await;
            // The blog goes on to the new commit, the shop stays as a whole.
            assert_eq!((scene.count(3), scene.count(1)), (5, 4));
            let source = scene.last_source();
            assert_eq!(source.commit.as_ref(), Some(&bad));
            assert_eq!(source.commit_of("shop"), Some(&good));
            assert_eq!(scene.last_plan().verdict(), Verdict::Wrong);
            scene.set(1, 9);
            scene.a_round().await;
            assert_eq!(scene.count(1), 4, "its last good commit is in force");
            // Another bad one moves nothing; a mended one moves all.
            scene.repository.publish(&(broken + "# more\n"));
            scene.a_round().await;
            assert_eq!(scene.last_source().commit_of("shop"), Some(&good));
            scene.repository.publish(&counts(6));
            let shop = || "shop".to_owned();
            assert_eq!(scene.told(), [(Topic::CommitHeld, shop())]);
            scene.a_round().await;
            assert_eq!((scene.count(0), scene.count(3)), (6, 6));
            assert!(scene.last_source().apps.is_empty());
            assert_eq!(scene.told(), [(Topic::Recovered, shop())]);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn an_environment_is_read_at_the_same_commit_as_the_documents_that_use_it() {
    let mut scene = Scene::new().await;
    scene.environment = Some("production".into());
    let values = |environment: &str, text: &str| {
        let path = format!("desired-state/environments/{environment}.yaml");
        scene.repository.save(&path, text);
    };
    let documents = counts(4).replace("desiredCount: 4", "desiredCount: $tasks");
    values("production", "tasks: 4\n");
    values("staging", "tasks: 1\n");
    let first = scene.repository.publish(&documents);
    scene
        .beside(async {
            scene.a_round().await;
            assert_eq!(scene.rig.writes(), 0, "{:?}", scene.last_plan());
            assert_eq!(scene.last_source().commit, Some(first));
            values("staging", "tasks: 2\n");
            values("production", "tasks: 6\n");
            let second = scene.repository.publish(&documents);
            scene.a_round().await;
            assert_eq!((scene.count(0), scene.count(3)), (6, 6));
            assert_eq!(scene.last_source().commit, Some(second.clone()));
            // A value that is taken away freezes the apps that use it, at the commit that had it.
            values("production", "other: 6\n");
            scene.repository.publish(&documents);
            scene.a_round().await;
            scene.set(0, 9);
            scene.a_round().await;
            assert_eq!(scene.count(0), 6);
            let source = scene.last_source();
            assert_eq!(source.commit_of("shop"), Some(&second));
            assert_eq!(source.commit_of("blog"), Some(&second));
            assert_eq!(scene.last_plan().verdict(), Verdict::Wrong);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_commit_of_which_nothing_can_be_believed_is_not_taken_at_all() {
    let scene = Scene::new().await;
    let good = scene.repository.publish(&counts(4));
    scene
        .beside(async {
            scene.a_round().await;
            scene.forget_writes();
            let repository = &scene.repository;
            repository.save("desired-state/shop.yaml", &counts(5));
            std::os::unix::fs::symlink(
                "/etc/passwd",
                repository.work().join("desired-state/x.yaml"),
            )
            .unwrap();
            repository.commit_with(&[]);
            repository.push();
            scene.a_round().await;
            let source = scene.last_source();
            assert_eq!(source.commit, Some(good));
            assert!(source.unread.unwrap().contains("does not load"));
            let all_apps = String::new;
            assert_eq!(scene.told(), [(Topic::CommitHeld, all_apps())]);
            let rules: Vec<String> = scene
                .last_plan()
                .findings
                .iter()
                .map(|f| f.rule.clone())
                .collect();
            assert_eq!(rules, ["symlink-in-commit"]);
            assert_eq!(scene.rig.writes(), 0);
            scene.set(0, 9);
            scene.a_round().await;
            assert_eq!(scene.count(0), 4);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_remote_that_is_gone_leaves_the_last_good_commit_in_force() {
    let scene = Scene::new().await;
    let good = scene.repository.publish(&counts(4));
    let origin = scene.repository.folder().join("origin.git");
    let aside = scene.repository.folder().join("aside.git");
    scene
        .beside(async {
            scene.a_round().await;
            std::fs::rename(&origin, &aside).unwrap();
            scene.set(0, 9);
            scene.a_round().await;
            let source = scene.last_source();
            assert_eq!(source.commit, Some(good));
            assert!(source.unread.is_some());
            assert_eq!(source.held, None);
            assert_eq!(scene.count(0), 4);
            std::fs::rename(&aside, &origin).unwrap();
            scene.a_round().await;
            assert_eq!(scene.last_source().unread, None);
            // A branch that is deleted says no more than a remote that is away.
            scene
                .repository
                .git(&["push", "--quiet", "origin", "--delete", "main"]);
            scene.a_round().await;
            let source = scene.last_source();
            assert!(
                source.unread.unwrap().contains("main"),
                "it names the branch"
            );
            assert_eq!(source.held, None);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_replica_whose_clone_lags_takes_the_newer_commit_and_holds_nothing() {
    let scene = Scene::new().await;
    scene.repository.publish(&counts(4));
    let other = TempDir::new().unwrap();
    let mut slow = scene.source_in(other.path().to_owned(), Recording::Yes);
    slow.load().await;
    let newer = scene.repository.publish(&counts(5));
    // Another replica sees it first.
    scene.source(Recording::Yes).load().await;
    assert_eq!(scene.record().await.good.as_ref(), Some(&newer));
    let set = slow.load().await;
    let source = set.source.unwrap();
    assert_eq!((source.commit, source.held), (Some(newer), None));
}

#[tokio::test(start_paused = true)]
async fn one_who_only_looks_records_nothing() {
    let scene = Scene::new().await;
    let commit = scene.repository.publish(&counts(5));
    let set = scene.source(Recording::No).load().await;
    assert_eq!(set.source.unwrap().commit, Some(commit));
    assert_eq!(scene.record().await, SourceRecord::default());
}

#[tokio::test(start_paused = true)]
async fn without_the_record_nothing_is_written() {
    let scene = Scene::new().await;
    scene.repository.publish(&counts(5));
    scene.source(Recording::Yes).load().await;
    let (status, _) = scene.rig.store.call(
        "UpdateItem",
        json!({
            "TableName": "evenkeel",
            "Key": {
                "pk": {"S": "123456789012#us-east-1"},
                "sk": {"S": format!("SOURCE#{}", scene.remote().id())},
            },
            "UpdateExpression": "SET body = :body",
            "ExpressionAttributeValues": {":body": {"S": "not json"}},
        })
        .to_string()
        .as_bytes(),
    );
    assert_eq!(status, 200);
    scene
        .beside(async {
            scene.a_round().await;
            assert_eq!(scene.rig.writes(), 0);
            let plan = scene.last_plan();
            assert_eq!(plan.findings[0].rule, "source-unreadable");
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_pinned_app_is_as_its_commit_says_until_it_is_let_go() {
    let scene = Scene::new().await;
    let first = scene.repository.publish(&counts(4));
    let store = scene.rig.engine.store.clone().unwrap();
    scene
        .beside(async {
            scene.a_round().await;
            scene.repository.publish(&counts(6));
            scene.a_round().await;
            assert_eq!((scene.count(0), scene.count(3)), (6, 6));
            let pin = Pin {
                app: "shop".into(),
                commit: first.clone(),
                by: "arn:aws:iam::123456789012:user/ann".into(),
                at: scene.rig.clock.now(),
                reason: "too many".into(),
            };
            store.pin(&pin).await.unwrap();
            scene.a_round().await;
            assert_eq!((scene.count(0), scene.count(3)), (4, 6));
            // Newer commits move the others only.
            scene.repository.publish(&counts(7));
            scene.a_round().await;
            assert_eq!((scene.count(0), scene.count(3)), (4, 7));
            assert_eq!(scene.last_source().commit_of("shop"), Some(&first));
            store.unpin("shop", "ann", "").await.unwrap().unwrap();
            scene.a_round().await;
            assert_eq!(scene.count(0), 7);
            assert!(scene.last_source().apps.is_empty());
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_clone_holds_the_whole_history_and_of_the_files_only_what_is_read() {
    let scene = Scene::new().await;
    let repository = &scene.repository;
    repository.save("large.bin", &"x".repeat(100_000));
    repository.publish(&counts(4));
    repository.publish(&counts(5));
    scene.source(Recording::Yes).load().await;
    let clone = scene.state.path().join(scene.remote().id());
    let clone = clone.to_str().unwrap();
    let count = repository.git(&[
        "--git-dir",
        clone,
        "rev-list",
        "--count",
        "refs/evenkeel/head",
    ]);
    assert_eq!(count, "2");
    let missing = repository.git(&[
        "--git-dir",
        clone,
        "rev-list",
        "--objects",
        "--missing=print",
        "refs/evenkeel/head",
    ]);
    // The old version of the document, and the file beside it.
    assert_eq!(
        missing.lines().filter(|l| l.starts_with('?')).count(),
        2,
        "{missing}"
    );
    // The URL, which may hold a password, is not written down.
    let config = std::fs::read_to_string(format!("{clone}/config")).unwrap();
    assert!(!config.contains("file://"), "{config}");
}

#[tokio::test(start_paused = true)]
async fn no_hook_of_the_clone_is_run() {
    let scene = Scene::new().await;
    scene.repository.publish(&counts(4));
    let mut source = scene.source(Recording::Yes);
    source.load().await;
    let hook = scene
        .state
        .path()
        .join(scene.remote().id())
        .join("hooks/reference-transaction");
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    let trace = scene.state.path().join("it-ran");
    std::fs::write(&hook, format!("#!/bin/sh\ntouch {}\n", trace.display())).unwrap();
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&hook, executable).unwrap();
    let newer = scene.repository.publish(&counts(5));
    scene.rig.clock.sleep(INTERVAL * 2).await;
    let set = source.load().await;
    assert_eq!(set.source.unwrap().commit, Some(newer));
    assert!(!trace.exists());
}

#[tokio::test(start_paused = true)]
async fn while_pins_cannot_be_read_drift_is_told_and_nothing_is_written() {
    let scene = Scene::new().await;
    scene.repository.publish(&counts(4));
    let row = |operation: &str, more: serde_json::Value| {
        let mut call = json!({
            "TableName": "evenkeel",
            "Key": {"pk": {"S": "123456789012#us-east-1"}, "sk": {"S": "PIN#shop"}},
        });
        for (name, value) in more.as_object().unwrap() {
            call[name] = value.clone();
        }
        let (status, _) = scene.rig.store.call(operation, call.to_string().as_bytes());
        assert_eq!(status, 200);
    };
    scene
        .beside(async {
            scene.a_round().await;
            let update = json!({
                "UpdateExpression": "SET body = :body",
                "ExpressionAttributeValues": {":body": {"S": "not json"}},
            });
            row("UpdateItem", update);
            scene.set(0, 9);
            scene.a_round().await;
            assert_eq!(scene.count(0), 9);
            let plan = scene.last_plan();
            let web = plan.objects.iter().find(|o| o.key.name == "web-0").unwrap();
            assert_eq!(
                (web.drift.len(), web.change.is_none()),
                (1, true),
                "{web:?}"
            );
            assert!(
                web.holds[0].to_string().contains("which apps are pinned"),
                "{web:?}"
            );
            row("DeleteItem", json!({}));
            scene.a_round().await;
            assert_eq!(scene.count(0), 4);
        })
        .await;
}
