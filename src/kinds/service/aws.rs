//! The driver of services: the reading before each write, and the write.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use serde_json::{Map, json};

use super::bodies::Bodies;
use super::effect;
use super::facts::{Facts, family_revision};
use super::look;
use super::look_scaling::Widths;
use super::past;
use super::revision::{self, Revisions, unusable};
use super::size::{Size, registration, tags_full};
use super::unmoved;
use super::view;
use crate::aws::call::{AwsError, Permit, RawAnswer};
use crate::aws::cell::Cell;
use crate::aws::fault::Fault;
use crate::kinds::{Applied, BoxFuture, Driver, LateEffect, StepError, Wanted};
use crate::model::change::Step;
use crate::model::key::ResourceKey;
use crate::model::snapshot::Seen;
use crate::model::tree::Tree;

/// Application Auto Scaling's word for a service's task count.
const DIMENSION: &str = "ecs:service:DesiredCount";

/// Reads and writes the services of one cell.
#[derive(Debug)]
pub struct ServiceDriver {
    /// Where.
    pub cell: Arc<Cell>,
    /// Task definitions, as far as size goes.
    pub revisions: Revisions,
    /// Which way of listing is the cheaper one.
    pub widths: Widths,
    /// Whole task definitions between the last reading and their registration.
    bodies: Bodies,
}

impl ServiceDriver {
    /// A driver that knows nothing yet.
    pub fn new(cell: Arc<Cell>) -> Self {
        Self {
            cell,
            revisions: Revisions::default(),
            widths: Widths::default(),
            bodies: Bodies::default(),
        }
    }

    async fn last_reading(&self, step: &Step) -> Result<(), StepError> {
        let text = |member| step.detail.get(member).and_then(Tree::as_str);
        match (step.operation.as_str(), text("base")) {
            ("ecs.RegisterTaskDefinition", Some(base)) => {
                let (secret, revision) = revision::describe(&self.cell, base).await?;
                if !revision.unknown.is_empty() {
                    return Err(StepError::Superseded(format!(
                        "{} has members that this build does not know: {}",
                        family_revision(base),
                        revision.unknown.join(", ")
                    )));
                }
                // Tags of a revision may change, all else of it may not.
                if let Some(why) = tags_full(&revision) {
                    return Err(StepError::Superseded(why));
                }
                let now = self.cell.clock.boot();
                self.bodies.keep(&step.object, base, secret, now);
                Ok(())
            }
            _ => unmoved::check(&self.cell, step).await,
        }
    }

    async fn write(
        &self,
        step: &Step,
        earlier: &BTreeMap<usize, Tree>,
        permit: Permit,
    ) -> Result<Applied, StepError> {
        let detail = &step.detail;
        match step.operation.as_str() {
            "ecs.RegisterTaskDefinition" => self.register(step, permit).await,
            "ecs.UpdateService" => self.update(step, earlier, permit).await,
            "ecs.TagResource" => {
                let tags = detail.get("tags").and_then(Tree::as_object);
                let tags: Vec<Tree> = tags
                    .into_iter()
                    .flatten()
                    .map(|(key, value)| json!({"key": key, "value": value}))
                    .collect();
                let body = json!({"resourceArn": detail.get("resourceArn"), "tags": tags});
                let call = self.cell.ecs.tag_resource().customize();
                let sent = call
                    .mutate_request(replace_body(&body))
                    .interceptor(permit.ticket())
                    .send()
                    .await;
                done(step, sent.map(|_| ()))
            }
            "application-autoscaling.RegisterScalableTarget" => {
                let mut body = scaled(detail);
                for (member, field) in [
                    ("MinCapacity", "minCapacity"),
                    ("MaxCapacity", "maxCapacity"),
                ] {
                    body.insert(member.into(), json!(detail.get(field)));
                }
                let call = self.cell.autoscaling.register_scalable_target().customize();
                let sent = call
                    .mutate_request(replace_body(&Tree::Object(body)))
                    .interceptor(permit.ticket())
                    .send()
                    .await;
                done(step, sent.map(|_| ()))
            }
            "application-autoscaling.PutScalingPolicy" => {
                let mut body = scaled(detail);
                body.insert("PolicyName".into(), json!(detail.get("policyName")));
                body.insert("PolicyType".into(), json!("TargetTrackingScaling"));
                body.insert(
                    "TargetTrackingScalingPolicyConfiguration".into(),
                    json!(detail.get("configuration")),
                );
                let call = self.cell.autoscaling.put_scaling_policy().customize();
                let sent = call
                    .mutate_request(replace_body(&Tree::Object(body)))
                    .interceptor(permit.ticket())
                    .send()
                    .await;
                done(step, sent.map(|_| ()))
            }
            "application-autoscaling.PutScheduledAction" => {
                let mut body = scaled(detail);
                let members = detail.get("members").and_then(Tree::as_object);
                body.extend(members.cloned().unwrap_or_default());
                body.insert(
                    "ScheduledActionName".into(),
                    json!(detail.get("scheduledActionName")),
                );
                let call = self.cell.autoscaling.put_scheduled_action().customize();
                let sent = call
                    .mutate_request(replace_body(&Tree::Object(body)))
                    .interceptor(permit.ticket())
                    .send()
                    .await;
                done(step, sent.map(|_| ()))
            }
            _ => Err(not_sent(step, "it is no write of a service").into()),
        }
    }

    async fn register(&self, step: &Step, permit: Permit) -> Result<Applied, StepError> {
        let base = step.detail.get("base").and_then(Tree::as_str);
        let now = self.cell.clock.boot();
        let secret = base.and_then(|base| self.bodies.take(&step.object, base, now));
        let body = base.zip(secret).and_then(|(base, secret)| {
            registration(
                &secret.open()?,
                &Size::of(step.detail.get("size")?)?,
                permit.intent(),
                family_revision(base),
            )
        });
        let Some(body) = body else {
            return Err(not_sent(step, "the revision to register anew was not read first").into());
        };
        let raw = RawAnswer::default();
        let call = self.cell.ecs.register_task_definition().customize();
        call.mutate_request(replace_body(&body))
            .interceptor(raw.clone())
            .interceptor(permit.ticket())
            .send()
            .await
            .map_err(|e| AwsError::from_sdk(&step.operation, &step.object, &e))?;
        let answer = serde_json::from_slice::<Tree>(&raw.bytes()).ok();
        let Some(revision) = answer.as_ref().and_then(view::revision) else {
            return Err(unknown(step).into());
        };
        let detail = self.registered(&revision.arn);
        self.revisions.keep(&step.object, revision);
        Ok(Applied { detail })
    }

    /// What is known of a registration that was made.
    pub fn registered(&self, arn: &str) -> Tree {
        json!({"taskDefinitionArn": arn, "at": self.cell.clock.now()})
    }

    async fn update(
        &self,
        step: &Step,
        earlier: &BTreeMap<usize, Tree>,
        permit: Permit,
    ) -> Result<Applied, StepError> {
        let mut body = Map::new();
        for member in [
            "cluster",
            "service",
            "desiredCount",
            "taskDefinition",
            "deploymentConfiguration",
            "healthCheckGracePeriodSeconds",
        ] {
            if let Some(value) = step.detail.get(member) {
                body.insert(member.into(), value.clone());
            }
        }
        if let Some(at) = step.detail.get("taskDefinitionOfStep") {
            let arn = at
                .as_u64()
                .and_then(|at| earlier.get(&usize::try_from(at).ok()?))
                .and_then(|registered| registered.get("taskDefinitionArn"));
            let Some(arn) = arn else {
                return Err(not_sent(step, "the revision to run was not registered first").into());
            };
            body.insert("taskDefinition".into(), arn.clone());
        }
        let revision = body.get("taskDefinition").cloned();
        let raw = RawAnswer::default();
        let call = self.cell.ecs.update_service().customize();
        call.mutate_request(replace_body(&Tree::Object(body)))
            .interceptor(raw.clone())
            .interceptor(permit.ticket())
            .send()
            .await
            .map_err(|e| AwsError::from_sdk(&step.operation, &step.object, &e))?;
        let mut detail = Map::new();
        let mut at = self.cell.clock.now();
        if let Some(revision) = revision {
            let answer = serde_json::from_slice::<Tree>(&raw.bytes()).ok();
            let facts = answer.and_then(|a| view::facts(a.get("service")?));
            let primary = facts.as_ref().and_then(Facts::primary);
            detail.insert("taskDefinition".into(), revision);
            detail.insert("deployment".into(), json!(primary.map(|d| &d.id)));
            // Compared with other deployments' times: by ECS's clock, and not by ours.
            at = primary.and_then(|d| d.created_at).unwrap_or(at);
        }
        detail.insert("at".into(), json!(at));
        Ok(Applied {
            detail: Tree::Object(detail),
        })
    }
}

impl Driver for ServiceDriver {
    fn observe<'a>(&'a self, wanted: &'a [Wanted]) -> BoxFuture<'a, BTreeMap<ResourceKey, Seen>> {
        // A look comes again and again, whatever became of the writes before it.
        self.bodies.drop_unused(self.cell.clock.boot());
        Box::pin(look::look(self, wanted))
    }

    fn prepare<'a>(
        &'a self,
        step: &'a Step,
        _earlier: &'a BTreeMap<usize, Tree>,
    ) -> BoxFuture<'a, Result<(), StepError>> {
        Box::pin(self.last_reading(step))
    }

    fn apply<'a>(
        &'a self,
        step: &'a Step,
        earlier: &'a BTreeMap<usize, Tree>,
        permit: Permit,
    ) -> BoxFuture<'a, Result<Applied, StepError>> {
        Box::pin(self.write(step, earlier, permit))
    }

    fn is_built_upon(&self, step: &Step) -> bool {
        past::is_part(step)
    }

    fn late_effect(&self, step: &Step) -> LateEffect {
        match step.operation.as_str() {
            "ecs.RegisterTaskDefinition" => LateEffect::Hides,
            _ => LateEffect::Shows,
        }
    }

    fn resolve<'a>(
        &'a self,
        intent: &'a str,
        step: &'a Step,
    ) -> BoxFuture<'a, Result<Option<Applied>, AwsError>> {
        Box::pin(effect::find(self, intent, step))
    }
}

/// Puts `body` in place of the request's own, before it is signed, so that members which the
/// SDK's types do not know go out too.
fn replace_body(body: &Tree) -> impl Fn(&mut HttpRequest) + Send + Sync + 'static {
    let text = body.to_string();
    move |request| {
        let length = text.len().to_string();
        *request.body_mut() = SdkBody::from(text.as_str());
        request.headers_mut().insert("content-length", length);
    }
}

/// The members that name a service to Application Auto Scaling.
fn scaled(detail: &Tree) -> Map<String, Tree> {
    let mut body = Map::new();
    body.insert("ServiceNamespace".into(), json!("ecs"));
    body.insert("ResourceId".into(), json!(detail.get("resourceId")));
    body.insert("ScalableDimension".into(), json!(DIMENSION));
    body
}

fn done<E>(step: &Step, sent: Result<(), SdkError<E, HttpResponse>>) -> Result<Applied, StepError>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match sent {
        Ok(()) => Ok(Applied::default()),
        Err(e) => Err(AwsError::from_sdk(&step.operation, &step.object, &e).into()),
    }
}

fn not_sent(step: &Step, why: &str) -> AwsError {
    AwsError {
        operation: step.operation.clone(),
        object: step.object.clone(),
        fault: Fault::NotSent,
        code: String::new(),
        message: why.to_owned(),
    }
}

fn unknown(step: &Step) -> AwsError {
    AwsError {
        fault: Fault::Unknown,
        ..unusable(&step.operation, &step.object)
    }
}
