//! Application Auto Scaling in the twin: scalable targets, policies and scheduled actions of ECS services.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::cloudwatch::CloudWatch;
use super::ecs::Ecs;
use super::wire::{CallContext, TwinError};

/// The Application Auto Scaling of one account and region.
#[derive(Clone, Debug)]
pub struct AutoScaling {}

impl AutoScaling {
    /// Empty. The same seed gives the same ids.
    pub fn new(_seed: u64) -> Self {
        Self {}
    }

    /// Answers one call. It acts on the services of `ecs`, and policies keep alarms in `cloudwatch`.
    ///
    /// # Errors
    /// As Application Auto Scaling does.
    pub fn call(
        &mut self,
        operation: &str,
        _input: &Value,
        _cx: &CallContext,
        _ecs: &mut Ecs,
        _cloudwatch: &mut CloudWatch,
    ) -> Result<Value, TwinError> {
        Err(TwinError::unknown_operation(
            "application-autoscaling",
            operation,
        ))
    }

    /// How far reads stay behind writes.
    pub fn set_read_lag(&mut self, _lag: Duration) {}

    /// When the next scheduled action fires.
    pub fn next_firing(&self) -> Option<Timestamp> {
        None
    }

    /// Fires what is due at `now`.
    pub fn fire(&mut self, _now: Timestamp, _ecs: &mut Ecs) {}
}
