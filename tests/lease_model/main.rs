//! The larger worlds of the lease model, explored whole: `cargo run --release --example leases`.

#![allow(
    dead_code,
    reason = "the smaller worlds and the flaws are explored by the tests"
)]

#[path = "mod.rs"]
mod lease_model;

use std::time::Instant;

fn main() {
    for world in lease_model::LARGER {
        let began = Instant::now();
        let states = world.explore();
        println!(
            "{}: {states} states held, {:.0} s\n",
            world.name,
            began.elapsed().as_secs_f64()
        );
    }
}
