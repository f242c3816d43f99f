//! Notices: who is told of changes of state, once, and that nobody who does not answer holds up anything.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use evenkeel::clock::Clock;
use evenkeel::engine::Engine;
use evenkeel::engine::controller::{RunOptions, run};
use evenkeel::engine::progress::Silent;
use evenkeel::entropy::Entropy;
use evenkeel::kinds::Allow;
use evenkeel::model::notice::{Notice, Severity, Topic};
use evenkeel::model::scope::Scope;
use evenkeel::notify::herald::{Herald, Nobody};
use evenkeel::notify::message::{From, Letter};
use evenkeel::notify::missed::Missed;
use evenkeel::notify::outbox::{Delivery, Outbox, Tally};
use evenkeel::notify::receiver::{Kept, PER_HOUR, Receiver, Way};
use evenkeel::notify::send::{self, SendError, Ways};
use evenkeel::twin::estate::FargateService;
use evenkeel::twin::wire::TwinError;

use crate::rig::{Documents, Rig, documents};

const TOPIC: &str = "arn:aws:sns:us-east-1:123456789012:alerts";

/// Keeps what arrives; or does not answer.
#[derive(Clone, Default)]
struct Letters {
    got: Arc<Mutex<Vec<Letter>>>,
    /// How many more times it does not answer.
    dead: Arc<Mutex<usize>>,
}

impl Letters {
    fn topics(&self) -> Vec<&'static str> {
        let got = self.got.lock().unwrap();
        got.iter()
            .map(|letter| letter.notice.topic.word())
            .collect()
    }

    fn take(&self) -> Vec<Letter> {
        std::mem::take(&mut self.got.lock().unwrap())
    }
}

impl send::Send for Letters {
    fn send<'a>(
        &'a self,
        letter: &'a Letter,
    ) -> Pin<Box<dyn Future<Output = Result<(), SendError>> + Send + 'a>> {
        Box::pin(async move {
            let mut dead = self.dead.lock().unwrap();
            if *dead > 0 {
                *dead -= 1;
                return Err(SendError::Passing("it does not answer".into()));
            }
            self.got.lock().unwrap().push(letter.clone());
            Ok(())
        })
    }
}

#[derive(Default)]
struct Count(Mutex<BTreeMap<&'static str, usize>>);

impl Count {
    fn of(&self, delivery: Delivery) -> usize {
        self.0
            .lock()
            .unwrap()
            .get(delivery.word())
            .copied()
            .unwrap_or(0)
    }
}

impl Tally for Count {
    fn told(&self, _: &str, delivery: Delivery) {
        *self.0.lock().unwrap().entry(delivery.word()).or_default() += 1;
    }

    fn reached(&self, _: &str, _: Result<(), &SendError>) {}
}

fn receiver(of_changes: bool) -> Receiver {
    Receiver {
        name: if of_changes { "changes" } else { "ops" }.into(),
        way: Way::Sns(TOPIC.into()),
        apps: Vec::new(),
        severity: Severity::Info,
        events: Vec::new(),
        per_hour: PER_HOUR,
        of_changes,
    }
}

fn outbox(clock: &Clock, letters: &Letters, tally: &Arc<dyn Tally>) -> Outbox {
    let both = [false, true].map(|of_changes| {
        let way: Box<dyn send::Send> = Box::new(letters.clone());
        (receiver(of_changes), way)
    });
    Outbox::start(both.into(), tally, clock, &Entropy::seeded(3))
}

/// A replica that runs for `time` and tells `letters`.
async fn runs(engine: &Engine, text: &str, letters: &Letters, time: Duration) {
    let rest = engine.cell.clock.sleep(time);
    runs_beside(engine, &documents(text), letters, rest).await;
}

/// A replica that runs beside `script` and tells `letters`.
async fn runs_beside(
    engine: &Engine,
    documents: &Documents,
    letters: &Letters,
    script: impl Future<Output = ()>,
) {
    let tally: Arc<dyn Tally> = Arc::new(Count::default());
    let clock = &engine.cell.clock;
    let outbox = outbox(clock, letters, &tally);
    let options = RunOptions {
        interval: Duration::from_secs(60),
        scope: Scope::all(),
        writes: Allow::Yes,
    };
    {
        let herald = Herald::new(&outbox, &Nobody, &Silent, clock);
        let mut documents = documents.clone();
        run(engine, &mut documents, &options, &herald, &herald, script).await;
    }
    outbox.close(Duration::from_secs(5), clock).await;
}

const MINUTES: Duration = Duration::from_secs(30 * 60);

fn web(spec: &str) -> String {
    format!(
        "apiVersion: evenkeel/v1alpha1\nkind: Service\nmetadata: {{app: shop, name: web}}\n\
         spec: {{cluster: main, {spec}}}\n"
    )
}

async fn rig() -> Rig {
    let rig = Rig::new().await;
    rig.twin
        .world(|w| w.add_service(&FargateService::new("main", "web").desired(1)))
        .unwrap();
    rig
}

#[tokio::test(start_paused = true)]
async fn a_drift_is_told_once_with_its_diff_announced_and_told_again_when_it_is_corrected() {
    let rig = rig().await;
    let letters = Letters::default();
    let text = web("desiredCount: 3");
    runs(&rig.engine, &text, &letters, MINUTES).await;
    let mut topics = letters.topics();
    topics.sort_unstable();
    assert_eq!(
        topics,
        ["changeBegins", "changeEnded", "corrected", "driftFound"]
    );
    for letter in letters.take() {
        let about = &letter.notice.objects[0];
        assert_eq!(about.key, "shop/Service/web");
        match letter.notice.topic {
            Topic::DriftFound | Topic::Corrected => {
                assert_eq!(about.drift[0].path.to_string(), "spec.desiredCount");
                assert_eq!(
                    (&about.drift[0].live, &about.drift[0].desired),
                    (&1.into(), &3.into())
                );
            }
            Topic::ChangeBegins => assert!(about.says.contains("2 tasks are added"), "{about:?}"),
            _ => assert!(about.steps[0].contains("desired count"), "{about:?}"),
        }
    }
    // Neither as time goes on nor after a restart is anything told again.
    let again = rig.another(9).await;
    runs(&again, &text, &letters, MINUTES).await;
    assert_eq!(letters.topics(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn what_a_commit_asks_for_is_told_as_corrected_and_not_as_drift_the_first_time_too() {
    let rig = rig().await;
    let (letters, text) = (Letters::default(), documents(&web("desiredCount: 1")));
    let minute = Duration::from_secs(60);
    let script = async {
        rig.clock.sleep(5 * minute).await;
        assert_eq!(letters.topics(), [""; 0]);
        *text.0.lock().unwrap() = web("desiredCount: 3");
        rig.clock.sleep(5 * minute).await;
        let mut topics = letters.topics();
        topics.sort_unstable();
        assert_eq!(topics, ["changeBegins", "changeEnded", "corrected"]);
        letters.take();
        rig.twin
            .world(|w| w.set_desired_count("main", "web", 2).unwrap());
        rig.clock.sleep(5 * minute).await;
    };
    runs_beside(&rig.engine, &text, &letters, script).await;
    assert!(
        letters.topics().contains(&"driftFound"),
        "{:?}",
        letters.topics()
    );
}

#[tokio::test(start_paused = true)]
async fn what_nobody_works_on_is_told_by_one_of_three_replicas_and_not_after_a_restart() {
    let rig = rig().await;
    let letters = Letters::default();
    let text = web("serviceName: gone, desiredCount: 3");
    let (second, third) = (rig.another(8).await, rig.another(9).await);
    rig.twin.world(|w| w.latency = Duration::from_millis(40));
    tokio::join!(
        runs(&rig.engine, &text, &letters, MINUTES),
        runs(&second, &text, &letters, MINUTES),
        runs(&third, &text, &letters, MINUTES),
    );
    assert_eq!(letters.topics(), ["blocked"]);
    assert!(
        letters.take()[0].notice.objects[0]
            .says
            .contains("does not exist")
    );
    let again = rig.another(10).await;
    runs(&again, &text, &letters, MINUTES).await;
    assert_eq!(letters.topics(), [""; 0]);
    rig.twin
        .world(|w| w.add_service(&FargateService::new("main", "gone").desired(3)))
        .unwrap();
    runs(&again, &text, &letters, MINUTES).await;
    assert_eq!(letters.topics(), ["recovered"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_found_beside_a_document_and_left_so_is_told_once_by_one_of_two_replicas() {
    let rig = rig().await;
    let letters = Letters::default();
    let text = web("scaling: {minCapacity: 1, maxCapacity: 4}");
    runs(&rig.engine, &text, &letters, MINUTES).await;
    letters.take();
    rig.twin.world(|w| {
        w.latency = Duration::from_millis(40);
        let of = |more: serde_json::Value| {
            let mut all = serde_json::json!({
                "ServiceNamespace": "ecs", "ResourceId": "service/main/web",
                "ScalableDimension": "ecs:service:DesiredCount",
            });
            let members = more.as_object().unwrap().clone();
            all.as_object_mut().unwrap().extend(members);
            all
        };
        let suspended = of(serde_json::json!(
            {"SuspendedState": {"DynamicScalingInSuspended": true}}
        ));
        let action = of(serde_json::json!({
            "ScheduledActionName": "sale", "Schedule": "cron(0 8 1 12 ? *)",
            "ScalableTargetAction": {"MinCapacity": 2},
        }));
        for (name, body) in [
            ("RegisterScalableTarget", &suspended),
            ("PutScheduledAction", &action),
        ] {
            w.call("application-autoscaling", name, body).unwrap();
        }
    });
    let second = rig.another(8).await;
    tokio::join!(
        runs(&rig.engine, &text, &letters, MINUTES),
        runs(&second, &text, &letters, MINUTES),
    );
    let mut says: Vec<String> = Vec::new();
    for letter in letters.take() {
        assert_eq!(letter.notice.topic, Topic::DriftFound);
        assert!(letter.notice.objects.iter().all(|o| o.drift.is_empty()));
        says.extend(letter.notice.objects.into_iter().map(|o| o.says));
    }
    says.sort_unstable();
    assert_eq!(
        says,
        [
            "an operator suspended this, and it is left so: \
             spec.scaling.suspended [\"DynamicScalingIn\"]",
            "no document names this, and it is left so: \
             spec.scaling.scheduled.sale {\"minCapacity\":2,\"schedule\":\"cron(0 8 1 12 ? *)\",\"timezone\":\"UTC\"}",
        ]
    );
    let again = rig.another(9).await;
    runs(&again, &text, &letters, MINUTES).await;
    assert_eq!(letters.topics(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_fails_again_and_again_is_told_once() {
    let rig = rig().await;
    let letters = Letters::default();
    let text = web("desiredCount: 3");
    let refused = TwinError::client("InvalidParameterException", "Not today.");
    rig.twin
        .world(|w| w.faults.errors("ecs.UpdateService", 1000, &refused));
    runs(&rig.engine, &text, &letters, MINUTES).await;
    let failed = |letters: &Letters| letters.topics().iter().filter(|t| **t == "failed").count();
    assert_eq!(failed(&letters), 1, "{:?}", letters.topics());
    letters.take();
    let again = rig.another(8).await;
    runs(&again, &text, &letters, MINUTES).await;
    assert_eq!(failed(&letters), 0, "{:?}", letters.topics());
    letters.take();
    rig.twin.world(|w| w.faults.clear());
    runs(&again, &text, &letters, MINUTES).await;
    assert!(
        letters.topics().contains(&"recovered"),
        "{:?}",
        letters.topics()
    );
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_never_answers_holds_nothing_up() {
    let rig = rig().await;
    let letters = Letters::default();
    *letters.dead.lock().unwrap() = usize::MAX;
    runs(&rig.engine, &web("desiredCount: 3"), &letters, MINUTES).await;
    let count = rig
        .twin
        .world(|w| w.service("main", "web").unwrap().desired);
    assert_eq!(count, 3);
    assert_eq!(letters.topics(), [""; 0]);
}

fn notice(topic: Topic, clock: &Clock) -> Notice {
    Notice::new(topic, "shop", clock.now(), Vec::new())
}

#[tokio::test(start_paused = true)]
async fn a_notice_that_does_not_arrive_is_tried_again_and_then_given_up_and_counted() {
    let rig = Rig::new().await;
    let (letters, count) = (Letters::default(), Arc::new(Count::default()));
    let tally: Arc<dyn Tally> = count.clone();
    let outbox = outbox(&rig.clock, &letters, &tally);
    *letters.dead.lock().unwrap() = 3;
    outbox.post(&notice(Topic::Blocked, &rig.clock));
    rig.clock.sleep(Duration::from_secs(60)).await;
    assert_eq!(letters.topics(), ["blocked"]);
    *letters.dead.lock().unwrap() = 8;
    outbox.post(&notice(Topic::Failed, &rig.clock));
    outbox.post(&notice(Topic::Recovered, &rig.clock));
    rig.clock.sleep(Duration::from_secs(600)).await;
    assert_eq!(letters.topics(), ["blocked", "recovered"]);
    assert_eq!(
        (count.of(Delivery::Sent), count.of(Delivery::Failed)),
        (2, 1)
    );
    outbox.close(Duration::from_secs(1), &rig.clock).await;
}

#[tokio::test(start_paused = true)]
async fn a_command_that_runs_once_says_which_receiver_was_not_told_and_why() {
    let rig = Rig::new().await;
    for (dead, line) in [
        (0, None),
        (1, None),
        (
            usize::MAX,
            Some("ops of changeNotices was not told of all of this (it does not answer)"),
        ),
    ] {
        let (letters, missed) = (Letters::default(), Arc::new(Missed::default()));
        let tally: Arc<dyn Tally> = missed.clone();
        let outbox = outbox(&rig.clock, &letters, &tally);
        *letters.dead.lock().unwrap() = dead;
        outbox.post(&notice(Topic::Blocked, &rig.clock));
        outbox.close(Duration::from_secs(5), &rig.clock).await;
        let lines = missed.lines();
        assert_eq!(lines.len(), usize::from(line.is_some()), "{lines:?}");
        assert!(line.is_none_or(|line| lines[0].contains(line)), "{lines:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn of_a_storm_some_are_told_and_the_rest_is_counted() {
    let rig = Rig::new().await;
    let (letters, count) = (Letters::default(), Arc::new(Count::default()));
    let tally: Arc<dyn Tally> = count.clone();
    let outbox = outbox(&rig.clock, &letters, &tally);
    for _ in 0..300 {
        outbox.post(&notice(Topic::Blocked, &rig.clock));
    }
    rig.clock.sleep(Duration::from_secs(1)).await;
    let first = letters.take();
    assert_eq!(first.len(), 10);
    // Nothing more happens, and the receiver learns all the same that it was not told of all.
    rig.clock.sleep(Duration::from_secs(120)).await;
    let last = letters.take();
    assert_eq!(last.len(), 1);
    assert_eq!(last[0].notice.topic, Topic::LeftOut);
    let left_out: u32 = first
        .iter()
        .chain(&last)
        .map(|letter| letter.left_out)
        .sum();
    assert_eq!(left_out, 290);
    assert_eq!(count.of(Delivery::LeftOut), 290);
    outbox.close(Duration::from_secs(1), &rig.clock).await;
}

/// A web of one server, which answers with these statuses one after the other and keeps the bodies.
#[derive(Clone, Debug, Default)]
struct Web {
    statuses: Arc<Mutex<Vec<u16>>>,
    bodies: Arc<Mutex<Vec<String>>>,
}

impl HttpConnector for Web {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let body = String::from_utf8_lossy(request.body().bytes().unwrap_or_default()).into_owned();
        self.bodies.lock().unwrap().push(body);
        let mut statuses = self.statuses.lock().unwrap();
        HttpConnectorFuture::ready(if statuses.is_empty() {
            Err(ConnectorError::io("https://example.com/hunter2".into()))
        } else {
            let status = statuses.remove(0).try_into().unwrap();
            Ok(HttpResponse::new(status, SdkBody::empty()))
        })
    }
}

fn ways(rig: &Rig, web: &Web) -> Ways {
    Ways {
        sdk: rig.twin.sdk_config(),
        http: rig.twin.http_client(),
        web: SharedHttpConnector::new(web.clone()),
        clock: rig.clock.clone(),
        from: From {
            account: "123456789012".into(),
            region: "us-east-1".into(),
            replica: "me@host/1".into(),
        },
    }
}

#[tokio::test(start_paused = true)]
async fn a_topic_gets_the_message_with_what_subscribers_filter_by() {
    let rig = Rig::new().await;
    let way = send::way(&receiver(false), &ways(&rig, &Web::default())).unwrap();
    let letter = Letter {
        notice: notice(Topic::Contested, &rig.clock),
        left_out: 0,
    };
    let error = way.send(&letter).await.unwrap_err();
    assert!(matches!(error, SendError::Lasting(_)), "{error}");
    rig.twin.world(|w| w.sns.add_topic(TOPIC));
    way.send(&letter).await.unwrap();
    rig.twin.world(|w| {
        let [published] = w.sns.published() else {
            panic!("{:?}", w.sns)
        };
        assert_eq!(
            published.subject.as_deref(),
            Some("[critical] shop: contested")
        );
        assert!(
            published.message.contains("123456789012 us-east-1"),
            "{published:?}"
        );
        let attributes = published.attributes.to_string();
        assert!(
            attributes.contains("contested") && attributes.contains("critical"),
            "{attributes}"
        );
    });
}

#[tokio::test(start_paused = true)]
async fn a_webhook_gets_json_and_its_url_is_in_no_error() {
    let rig = Rig::new().await;
    let web = Web::default();
    *web.statuses.lock().unwrap() = vec![200, 503, 404];
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hook");
    std::fs::write(&path, "https://example.com/hunter2\n").unwrap();
    let hook = Receiver {
        way: Way::Webhook(Kept::File(path.display().to_string())),
        ..receiver(false)
    };
    let way = send::way(&hook, &ways(&rig, &web)).unwrap();
    let letter = Letter {
        notice: notice(Topic::Failed, &rig.clock),
        left_out: 4,
    };
    way.send(&letter).await.unwrap();
    let body: serde_json::Value = serde_json::from_str(&web.bodies.lock().unwrap()[0]).unwrap();
    assert_eq!(
        (&body["event"], &body["leftOut"]),
        (&"failed".into(), &4.into())
    );
    let passing = way.send(&letter).await.unwrap_err();
    assert_eq!(
        passing,
        SendError::Passing("it answered with HTTP 503".into())
    );
    let lasting = way.send(&letter).await.unwrap_err();
    assert!(matches!(lasting, SendError::Lasting(_)), "{lasting}");
    let gone = way.send(&letter).await.unwrap_err();
    for error in [passing, lasting, gone] {
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
    let missing = Receiver {
        way: Way::Slack(Kept::Env("EVENKEEL_NO_SUCH_VARIABLE".into())),
        ..receiver(false)
    };
    let error = send::way(&missing, &ways(&rig, &web))
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.contains("EVENKEEL_NO_SUCH_VARIABLE is not set"),
        "{error}"
    );
}
