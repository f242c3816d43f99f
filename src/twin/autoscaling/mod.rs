//! Application Auto Scaling in the twin: scalable targets, policies and scheduled actions of ECS services.

mod input;
mod policies;
mod schedule;
mod scheduled;
mod targets;

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use self::policies::Policy;
pub use self::schedule::Schedule;
use self::scheduled::ScheduledAction;
pub use self::targets::ScalableTarget;
use super::cloudwatch::CloudWatch;
use super::ecs::Ecs;
use super::ids::Ids;
use super::lagging::Lagging;
use super::wire::{CallContext, TwinError};

/// `service/<cluster>/<service>`: the resource id of an ECS service.
type ResourceId = String;

/// The Application Auto Scaling of one account and region, for the namespace `ecs`.
#[derive(Clone, Debug)]
pub struct AutoScaling {
    targets: Lagging<ResourceId, ScalableTarget>,
    /// By resource and policy name.
    policies: Lagging<(ResourceId, String), Policy>,
    /// By resource and action name.
    actions: Lagging<(ResourceId, String), ScheduledAction>,
    /// The earliest firing of all actions.
    next_firing: Option<Timestamp>,
    ids: Ids,
}

impl AutoScaling {
    /// Empty. The same seed gives the same ids.
    pub fn new(seed: u64) -> Self {
        Self {
            targets: Lagging::default(),
            policies: Lagging::default(),
            actions: Lagging::default(),
            next_firing: None,
            ids: Ids::new(seed),
        }
    }

    /// Answers one call. It acts on the services of `ecs`, and policies keep alarms in `cloudwatch`.
    ///
    /// # Errors
    /// As Application Auto Scaling does.
    pub fn call(
        &mut self,
        operation: &str,
        input: &Value,
        cx: &CallContext,
        ecs: &mut Ecs,
        cloudwatch: &mut CloudWatch,
    ) -> Result<Value, TwinError> {
        match operation {
            "RegisterScalableTarget" => self.register_target(input, cx, ecs),
            "DeregisterScalableTarget" => self.deregister_target(input, cx, cloudwatch),
            "DescribeScalableTargets" => self.describe_targets(input, cx),
            "PutScalingPolicy" => self.put_policy(input, cx, cloudwatch),
            "DeleteScalingPolicy" => self.delete_policy(input, cx, cloudwatch),
            "DescribeScalingPolicies" => self.describe_policies(input, cx),
            "PutScheduledAction" => self.put_action(input, cx),
            "DeleteScheduledAction" => self.delete_action(input, cx),
            "DescribeScheduledActions" => self.describe_actions(input, cx),
            other => Err(TwinError::unknown_operation(
                "application-autoscaling",
                other,
            )),
        }
    }

    /// How far reads stay behind writes.
    pub fn set_read_lag(&mut self, lag: Duration) {
        self.targets.lag = lag;
        self.policies.lag = lag;
        self.actions.lag = lag;
    }

    /// The scalable target of an ECS service as it is.
    pub fn target(&self, cluster: &str, service: &str) -> Option<&ScalableTarget> {
        self.targets.get(&format!("service/{cluster}/{service}"))
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_applicationautoscaling as sdk;
    use sdk::error::ProvideErrorMetadata as _;
    use sdk::types::{
        MetricType, PolicyType, PredefinedMetricSpecification, ScalableDimension,
        ScalableTargetAction, ServiceNamespace, SuspendedState,
        TargetTrackingScalingPolicyConfiguration,
    };

    use super::*;
    use crate::clock::Clock;
    use crate::twin::Twin;
    use crate::twin::estate::FargateService;

    const WEB: &str = "service/c/web";

    struct Desk {
        twin: Twin,
        clock: Clock,
        client: sdk::Client,
    }

    impl Desk {
        /// `c/web` with two tasks, on Monday 2026-11-23, 12:00 UTC.
        fn new() -> Self {
            let clock = Clock::virtual_at("2026-11-23T12:00:00Z".parse().unwrap());
            let twin = Twin::new(clock.clone(), 7);
            let web = FargateService::new("c", "web").desired(2);
            twin.world(|w| w.add_service(&web)).unwrap();
            let client = sdk::Client::new(&twin.sdk_config());
            Self {
                twin,
                clock,
                client,
            }
        }

        fn register(
            &self,
        ) -> sdk::operation::register_scalable_target::builders::RegisterScalableTargetFluentBuilder
        {
            self.client
                .register_scalable_target()
                .service_namespace(ServiceNamespace::Ecs)
                .scalable_dimension(ScalableDimension::EcsServiceDesiredCount)
                .resource_id(WEB)
        }

        fn put_action(
            &self,
            schedule: &str,
            min: i32,
            max: i32,
        ) -> sdk::operation::put_scheduled_action::builders::PutScheduledActionFluentBuilder
        {
            let action = ScalableTargetAction::builder()
                .min_capacity(min)
                .max_capacity(max);
            self.client
                .put_scheduled_action()
                .service_namespace(ServiceNamespace::Ecs)
                .scalable_dimension(ScalableDimension::EcsServiceDesiredCount)
                .resource_id(WEB)
                .scheduled_action_name("nights")
                .schedule(schedule)
                .scalable_target_action(action.build())
        }

        fn put_policy(
            &self,
            name: &str,
            metric: MetricType,
        ) -> sdk::operation::put_scaling_policy::builders::PutScalingPolicyFluentBuilder {
            let metric = PredefinedMetricSpecification::builder()
                .predefined_metric_type(metric)
                .build()
                .unwrap();
            let tracking = TargetTrackingScalingPolicyConfiguration::builder()
                .target_value(70.0)
                .predefined_metric_specification(metric)
                .scale_in_cooldown(60);
            self.client
                .put_scaling_policy()
                .service_namespace(ServiceNamespace::Ecs)
                .scalable_dimension(ScalableDimension::EcsServiceDesiredCount)
                .resource_id(WEB)
                .policy_name(name)
                .policy_type(PolicyType::TargetTrackingScaling)
                .target_tracking_scaling_policy_configuration(tracking.build().unwrap())
        }

        async fn bounds(&self) -> (i32, i32) {
            let targets = self
                .client
                .describe_scalable_targets()
                .service_namespace(ServiceNamespace::Ecs)
                .resource_ids(WEB)
                .send()
                .await
                .unwrap();
            let target = &targets.scalable_targets()[0];
            (target.min_capacity(), target.max_capacity())
        }

        fn count(&self) -> i64 {
            self.twin.world(|w| w.service("c", "web").unwrap().desired)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_target_merges_what_is_sent_and_clamps_the_count_at_once() {
        let desk = Desk::new();
        let err = desk.register().min_capacity(3).send().await.unwrap_err();
        assert_eq!(err.code(), Some("ValidationException"));
        let both = desk.register().min_capacity(3).max_capacity(9);
        both.send().await.unwrap();
        assert_eq!(desk.count(), 3);
        desk.register().max_capacity(5).send().await.unwrap();
        assert_eq!(desk.bounds().await, (3, 5));
        let suspended = SuspendedState::builder().scheduled_scaling_suspended(true);
        let suspend = desk.register().suspended_state(suspended.build());
        suspend.send().await.unwrap();
        desk.twin
            .world(|w| w.set_desired_count("c", "web", 8))
            .unwrap();
        desk.register().send().await.unwrap();
        assert_eq!(desk.count(), 5);
        let state = desk
            .twin
            .world(|w| w.autoscaling.target("c", "web").unwrap().suspended.clone());
        assert_eq!(state["ScheduledScalingSuspended"], true);
        assert_eq!(state["DynamicScalingInSuspended"], false);
        let err = desk.register().min_capacity(6).send().await.unwrap_err();
        assert!(err.into_service_error().is_validation_exception());
        let gone = desk.register().resource_id("service/c/gone");
        let err = gone.min_capacity(1).max_capacity(2).send().await;
        assert!(
            err.unwrap_err()
                .into_service_error()
                .is_validation_exception()
        );
    }

    #[tokio::test(start_paused = true)]
    async fn target_tracking_keeps_its_own_alarms() {
        let desk = Desk::new();
        let cpu = || {
            desk.put_policy("cpu", MetricType::EcsServiceAverageCpuUtilization)
                .send()
        };
        let err = cpu().await.unwrap_err().into_service_error();
        assert!(err.is_object_not_found_exception());
        let register = desk.register().min_capacity(1).max_capacity(9);
        register.send().await.unwrap();
        let first = cpu().await.unwrap();
        let again = cpu().await.unwrap();
        assert_eq!(first.policy_arn(), again.policy_arn());
        let names = |answer: &sdk::operation::put_scaling_policy::PutScalingPolicyOutput| {
            let names = answer.alarms().iter().map(|a| a.alarm_name().to_owned());
            names.collect::<Vec<_>>()
        };
        assert_eq!(names(&first), names(&again));
        assert!(names(&first)[0].starts_with("TargetTracking-service/c/web-AlarmHigh-"));
        let alarms = desk.twin.world(|w| w.cloudwatch.alarms().len());
        assert_eq!(alarms, 2);
        let twice = desk.put_policy("cpu-2", MetricType::EcsServiceAverageCpuUtilization);
        let err = twice.send().await.unwrap_err().into_service_error();
        assert!(err.is_validation_exception());
    }

    #[tokio::test(start_paused = true)]
    async fn policies_come_ten_to_a_page() {
        let desk = Desk::new();
        for i in 0..12 {
            let name = format!("s{i:02}");
            let web = FargateService::new("c", &name);
            desk.twin.world(|w| w.add_service(&web)).unwrap();
            let id = format!("service/c/{name}");
            let register = desk.register().resource_id(&id);
            register
                .min_capacity(1)
                .max_capacity(2)
                .send()
                .await
                .unwrap();
            let put = desk.put_policy("cpu", MetricType::EcsServiceAverageCpuUtilization);
            put.resource_id(&id).send().await.unwrap();
        }
        let list = || {
            desk.client
                .describe_scaling_policies()
                .service_namespace(ServiceNamespace::Ecs)
        };
        let first = list().send().await.unwrap();
        assert_eq!(first.scaling_policies().len(), 10);
        let policy = &first.scaling_policies()[0];
        let tracking = policy.target_tracking_scaling_policy_configuration();
        assert_eq!(tracking.unwrap().target_value(), 70.0);
        let rest = list().set_next_token(first.next_token().map(str::to_owned));
        assert_eq!(rest.send().await.unwrap().scaling_policies().len(), 2);
        let one = list().resource_id("service/c/s03").send().await.unwrap();
        assert_eq!(one.scaling_policies().len(), 1);
        let err = list().max_results(11).send().await.unwrap_err();
        assert!(err.into_service_error().is_validation_exception());
        let many = desk.client.describe_scalable_targets();
        let many = many.service_namespace(ServiceNamespace::Ecs);
        let many = many.set_resource_ids(Some(vec![WEB.to_owned(); 51]));
        let err = many.send().await.unwrap_err().into_service_error();
        assert!(err.is_validation_exception());
    }

    #[tokio::test(start_paused = true)]
    async fn a_scheduled_action_fires_in_its_zone_and_clamps_the_count() {
        let desk = Desk::new();
        let nights = || desk.put_action("cron(0 20 * * ? *)", 1, 1);
        let err = nights().send().await.unwrap_err().into_service_error();
        assert!(err.is_object_not_found_exception());
        let register = desk.register().min_capacity(2).max_capacity(9);
        register.send().await.unwrap();
        let put = nights().timezone("Europe/Zurich");
        put.send().await.unwrap();
        let hours = |h: u64| desk.clock.sleep(Duration::from_secs(h * 3600 - 60));
        hours(7).await;
        assert_eq!(desk.bounds().await, (2, 9));
        desk.clock.sleep(Duration::from_secs(120)).await;
        assert_eq!(desk.bounds().await, (1, 1));
        assert_eq!(desk.count(), 1);
        let register = desk.register().min_capacity(2).max_capacity(9);
        register.send().await.unwrap();
        assert_eq!(desk.count(), 2);
        hours(24).await;
        assert_eq!(desk.bounds().await, (1, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn an_action_put_again_loses_the_start_that_is_not_sent_and_keeps_the_rest() {
        let desk = Desk::new();
        let register = desk.register().min_capacity(2).max_capacity(9);
        register.send().await.unwrap();
        let start = aws_smithy_types::DateTime::from_secs(1_900_000_000);
        let put = desk.put_action("cron(0 20 * * ? *)", 1, 1);
        let put = put.start_time(start).timezone("Europe/Zurich");
        put.send().await.unwrap();
        let read = || async {
            let list = desk.client.describe_scheduled_actions();
            let list = list.service_namespace(ServiceNamespace::Ecs).send();
            list.await.unwrap().scheduled_actions()[0].clone()
        };
        assert_eq!(read().await.start_time(), Some(&start));
        desk.put_action("rate(1 day)", 1, 2).send().await.unwrap();
        let after = read().await;
        assert_eq!(after.start_time(), None);
        assert_eq!(after.schedule(), "rate(1 day)");
        assert_eq!(after.timezone(), Some("Europe/Zurich"));
        let bad = desk.put_action("cron(0 20 * * * *)", 1, 2);
        let err = bad.send().await.unwrap_err().into_service_error();
        assert!(err.is_validation_exception());
        let bad = desk
            .put_action("rate(1 day)", 1, 2)
            .timezone("Mars/Olympus");
        let err = bad.send().await.unwrap_err().into_service_error();
        assert!(err.is_validation_exception());
        let bad = desk.put_action("rate(1 day)", 3, 2);
        let err = bad.send().await.unwrap_err().into_service_error();
        assert!(err.is_validation_exception());
    }

    #[tokio::test(start_paused = true)]
    async fn a_suspended_schedule_changes_nothing() {
        let desk = Desk::new();
        let brake = SuspendedState::builder().scheduled_scaling_suspended(true);
        let register = desk.register().min_capacity(2).max_capacity(9);
        register
            .suspended_state(brake.build())
            .send()
            .await
            .unwrap();
        let put = desk.put_action("cron(0 20 * * ? *)", 1, 1);
        put.send().await.unwrap();
        desk.clock.sleep(Duration::from_secs(86_400)).await;
        assert_eq!(desk.bounds().await, (2, 9));
    }
}
