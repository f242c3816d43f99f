//! The larger worlds of the lease model, explored whole: `cargo run --release --example leases`.

#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "the smaller worlds and the flaws are explored by the tests, where a panic is a failure"
)]

#[path = "mod.rs"]
mod lease_model;

fn main() {
    for world in lease_model::LARGER {
        let states = world.explore();
        println!("{}: {states} states held\n", world.name);
    }
}
