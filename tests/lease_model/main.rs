//! The larger worlds of the lease model, explored whole: `cargo run --release --example leases`.

#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "the smaller worlds and the flaws are explored by the tests, where a panic is a failure"
)]

#[path = "mod.rs"]
mod lease_model;

use lease_model::{Bounds, Event, explore, faults, one_app, two_apps};

/// What takes a pause to come to pass, or a view of other processes.
const NO_PAUSE: [Event; 5] = [
    Event::EndedTakenOver,
    Event::ReplayedIntentMetAShutDoor,
    Event::DoorShut,
    Event::OutcomeCameLate,
    Event::EffectAfterItWasGivenUp,
];
/// What takes a lost answer to come to pass, or a view of other processes.
const NO_LOSS: [Event; 3] = [
    Event::EndedTakenOver,
    Event::LostGrantFoundOurs,
    Event::LostGrantFoundAnothers,
];

fn main() {
    let one = "three holders, two apps, one of them dies, loses an answer or is fenced";
    explore(one, two_apps(faults(0, 1, 1, 1, 1)), &NO_PAUSE);
    let two = Bounds {
        holders: 2,
        ..two_apps(faults(1, 0, 0, 0, 1))
    };
    explore("two holders, two apps, one of them stops", two, &NO_LOSS);
    let three = one_app(faults(2, 1, 1, 0, 4));
    explore(
        "three holders, one app, two of them stop",
        three,
        &[Event::EndedTakenOver],
    );
    println!("every entry held in every state");
}
