//! Change control: what may be written now, what later, and what only after somebody approved it.
//!
//! Pure: values in, values out. `document` reads a Policy document into a [`policy::ChangePolicy`];
//! `leash` says which policy is in force for an app; `gate` holds a change against it, with what
//! `state` carries from the store: pauses, approvals, the last hour's changes, the canary.

pub mod approval;
pub mod document;
pub mod gate;
pub mod leash;
pub mod pause;
pub mod policy;
pub mod spec;
pub mod state;
pub mod window;
