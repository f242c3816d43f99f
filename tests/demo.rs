//! Demo: the tour ends well, and does not when something goes wrong.
//!
//! Real requests over loopback, so in real time: the slowest tests of all.

use std::io::Write;
use std::sync::{Arc, Mutex};

use evenkeel::clock::Clock;
use evenkeel::demo::stage::Served;
use evenkeel::demo::voice::Voice;
use evenkeel::demo::{estate, tour};
use evenkeel::engine::desired;
use evenkeel::entropy::Entropy;
use evenkeel::model::document::DesiredSet;
use evenkeel::model::plan::{Plan, Verdict};
use evenkeel::twin::World;
use evenkeel::twin::wire::TwinError;

use crate::rig::Rig;

/// What the tour said.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<u8>>>);

impl Heard {
    /// Without colours.
    fn text(&self) -> String {
        let bytes = self.0.lock().unwrap().clone();
        anstream::adapter::strip_str(&String::from_utf8(bytes).unwrap()).to_string()
    }
}

impl Write for Heard {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn wanted() -> DesiredSet {
    desired::load(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("desired-state"))
}

async fn plan_over(build: fn(&mut World) -> Result<(), TwinError>) -> Plan {
    let rig = Rig::new().await;
    rig.twin.world(build).unwrap();
    rig.plan(&wanted()).await
}

#[tokio::test(start_paused = true)]
async fn an_estate_in_order_has_no_drift() {
    let plan = plan_over(estate::in_order).await;
    assert_eq!(plan.verdict(), Verdict::InOrder, "{plan:#?}");
    assert_eq!(plan.summary.in_sync, wanted().documents.len());
}

#[tokio::test(start_paused = true)]
async fn an_estate_out_of_order_differs_in_a_dozen_ways_and_nothing_is_held() {
    let plan = plan_over(estate::out_of_order).await;
    let drift: usize = plan.objects.iter().map(|o| o.drift.len()).sum();
    assert!(drift >= 12, "{drift}");
    assert_eq!(plan.summary.blocked + plan.summary.deferred, 0);
    let held = plan.objects.iter().filter(|o| !o.holds.is_empty()).count();
    assert_eq!(held, 0);
}

#[tokio::test]
async fn the_tour_comes_out_as_told_in_eighty_columns() {
    let heard = Heard::default();
    let voice = Voice::new(Box::new(heard.clone()));
    let end = tour::take(&voice, &Clock::system(), &Entropy::seeded(1)).await;
    let text = heard.text();
    assert!(end.is_ok(), "{:#}\n{text}", end.unwrap_err());
    // A field's path cannot be broken.
    for line in text.lines().filter(|line| !line.starts_with("      spec.")) {
        assert!(line.chars().count() <= 80, "{line}");
    }
    // The values of containers' environments are nobody's business.
    assert!(!text.contains("mongodb://"));
}

#[tokio::test]
async fn a_tour_on_which_aws_refuses_a_write_ends_with_the_reason() {
    let clock = Clock::system();
    let served = Served::start(([127, 0, 0, 1], 0).into(), clock.clone(), 7)
        .await
        .unwrap();
    let refusal = TwinError::client("InvalidParameterValue", "not today");
    served
        .twin
        .world(|world| world.faults.errors("rds.ModifyDBCluster", 100, &refusal));
    let voice = Voice::new(Box::new(Heard::default()));
    let end = tour::over(&served, &voice, &clock, &Entropy::seeded(1)).await;
    let reason = format!("{:#}", end.unwrap_err());
    assert!(reason.contains("not today"), "{reason}");
    assert!(
        reason.contains("personal-journal/Database/documents"),
        "{reason}"
    );
    served.stop().await.unwrap();
}
