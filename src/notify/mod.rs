//! Notify: who is told of changes of state, how, and how often at the most.
//!
//! `derive` and `derive_source` find what is worth telling (pure), `herald` hears it from the controller, `outbox`
//! queues it for each receiver and sends it in the background, `message` says it in words, `limit`
//! counts, `missed` keeps who was not told. A receiver that does not answer holds nobody up.

pub mod derive;
pub mod derive_source;
pub mod herald;
pub mod limit;
pub mod message;
pub mod missed;
pub mod outbox;
pub mod receiver;
pub mod send;
