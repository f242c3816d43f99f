//! The store: where leases, the ledger and conditions live. DynamoDB always, embedded on one machine.

pub mod embedded;
