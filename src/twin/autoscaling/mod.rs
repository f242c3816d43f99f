//! Application Auto Scaling in the twin: scalable targets, policies and scheduled actions of ECS services.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::cloudwatch::CloudWatch;
use super::ecs::Ecs;
use super::wire::{CallContext, TwinError};

/// The model.
#[derive(Clone, Debug)]
pub struct AutoScaling;

impl AutoScaling {
    /// Empty.
    pub fn new(_seed: u64) -> Self {
        Self
    }
    /// Answers one call.
    pub fn call(&mut self, operation: &str, _input: &Value, _cx: &CallContext, _ecs: &mut Ecs, _cloudwatch: &mut CloudWatch) -> Result<Value, TwinError> {
        Err(TwinError::unknown_operation("application-autoscaling", operation))
    }
    /// Lag.
    pub fn set_read_lag(&mut self, _lag: Duration) {}
    /// Next.
    pub fn next_firing(&self) -> Option<Timestamp> { None }
    /// Fire.
    pub fn fire(&mut self, _now: Timestamp, _ecs: &mut Ecs) {}
}
