//! What is drawn for ECS: one cluster, two services, their task definitions, tags and deployments.

use serde_json::{Value, json};

use super::dice::Dice;
use super::draw_scaling::{begin_scaling, scaled, scaling};
use super::sides::{Call, call};

/// A sequence: an estate first, then what the dice say.
pub fn sequence(seed: u64, account: &str) -> Vec<Call> {
    let dice = &mut Dice::seeded(seed);
    let mut calls = vec![
        call("ecs", "CreateCluster", json!({"clusterName": "c1"})),
        call("ecs", "RegisterTaskDefinition", definition("web")),
        call("ecs", "RegisterTaskDefinition", definition("api")),
        call("ecs", "CreateService", service("web")),
        call("ecs", "CreateService", service("api")),
    ];
    begin_scaling(dice, &mut calls);
    for _ in 0..24 {
        calls.push(match dice.below(5) {
            0 => scaling(dice),
            1 => scaled(dice),
            2 => services(dice),
            3 => definitions(dice),
            _ => around(dice, account),
        });
    }
    calls
}

/// Looks at the deployments of one service, and at what is not there.
pub fn deployments(seed: u64, account: &str) -> Vec<Call> {
    let dice = &mut Dice::seeded(seed);
    let mut calls = vec![
        call("ecs", "CreateCluster", json!({"clusterName": "c1"})),
        call("ecs", "RegisterTaskDefinition", definition("web")),
        call("ecs", "CreateService", service("web")),
    ];
    let arn = |rest: &str| format!("arn:aws:ecs:us-east-1:{account}:{rest}");
    for _ in 0..8 {
        calls.push(match dice.below(4) {
            0 | 1 => {
                let mut input = json!({"cluster": "c1", "service": "web"});
                match dice.below(6) {
                    0 => input["cluster"] = json!("none"),
                    1 => input["service"] = json!("gone"),
                    _ => {}
                }
                let statuses = [json!(["SUCCESSFUL"]), json!(["ROLLBACK_FAILED"])];
                dice.maybe(&mut input, "status", &statuses);
                call("ecs", "ListServiceDeployments", input)
            }
            2 => {
                let gone = arn("service-deployment/c1/web/AAAAAAAAAAAAAAAAAAAAA");
                let one = dice.pick(&["$deployment".to_owned(), gone]);
                let input = json!({"serviceDeploymentArns": [one]});
                call("ecs", "DescribeServiceDeployments", input)
            }
            _ => {
                let gone = arn("service-revision/c1/web/1234567890123456789");
                let one = dice.pick(&["$revision".to_owned(), gone]);
                let input = json!({"serviceRevisionArns": [one]});
                call("ecs", "DescribeServiceRevisions", input)
            }
        });
    }
    calls
}

fn definition(family: &str) -> Value {
    json!({
        "family": family,
        "requiresCompatibilities": ["FARGATE"],
        "networkMode": "awsvpc",
        "cpu": "256",
        "memory": "512",
        "containerDefinitions": [{
            "name": "app", "image": "registry.example/app:1", "essential": true,
            "portMappings": [{"containerPort": 8080}],
            "environment": [{"name": "MODE", "value": "live"}],
        }],
    })
}

fn service(name: &str) -> Value {
    json!({
        "cluster": "c1",
        "serviceName": name,
        "taskDefinition": name,
        "desiredCount": 2,
        "launchType": "FARGATE",
        "loadBalancers": [{
            "targetGroupArn": format!("arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/{name}/1"),
            "containerName": "app", "containerPort": 8080,
        }],
    })
}

fn rollout(dice: &mut Dice) -> Value {
    let mut rollout = json!({});
    dice.maybe(
        &mut rollout,
        "minimumHealthyPercent",
        &[json!(50), json!(100)],
    );
    dice.maybe(&mut rollout, "maximumPercent", &[json!(150), json!(200)]);
    let breaker = |enable, rollback| json!({"enable": enable, "rollback": rollback});
    let breakers = [
        breaker(true, true),
        breaker(true, false),
        breaker(false, false),
    ];
    dice.maybe(&mut rollout, "deploymentCircuitBreaker", &breakers);
    rollout
}

fn services(dice: &mut Dice) -> Call {
    match dice.below(9) {
        0 | 1 => {
            let mut input = json!({"cluster": "c1"});
            input["services"] = json!(match dice.below(12) {
                0 => Vec::new(),
                1 => vec!["web".to_owned(); 11],
                _ => dice.some(&["web", "api", "gone"]),
            });
            if dice.once_in(15) {
                input["cluster"] = json!("none");
            }
            dice.maybe(&mut input, "include", &[json!(["TAGS"])]);
            call("ecs", "DescribeServices", input)
        }
        2 => {
            let mut input = json!({"cluster": dice.pick(&["c1", "c1", "c1", "none"])});
            dice.maybe(&mut input, "maxResults", &[json!(1), json!(10), json!(100)]);
            if dice.once_in(3) {
                input["schedulingStrategy"] = json!(dice.pick(&["REPLICA", "DAEMON"]));
            }
            dice.maybe(&mut input, "launchType", &[json!("FARGATE"), json!("EC2")]);
            call("ecs", "ListServices", input)
        }
        3 => {
            let mut input = service(dice.pick(&["new", "new", "new", "web"]));
            input["taskDefinition"] = json!(dice.pick(&["web", "api", "web:1", "web:1", "api:9"]));
            dice.maybe(&mut input, "desiredCount", &[json!(0), json!(1), json!(3)]);
            if dice.once_in(8) {
                input["desiredCount"] = json!(-1);
            }
            if dice.once_in(10) {
                input["cluster"] = json!("none");
            }
            if dice.once_in(2) {
                input["deploymentConfiguration"] = rollout(dice);
            }
            if dice.once_in(2) {
                input["tags"] = dice.tags("key", "value");
            }
            dice.maybe(&mut input, "propagateTags", &[json!("SERVICE")]);
            call("ecs", "CreateService", input)
        }
        _ => call("ecs", "UpdateService", update(dice)),
    }
}

fn update(dice: &mut Dice) -> Value {
    let mut input = json!({"cluster": "c1", "service": dice.pick(&["web", "api"])});
    match dice.below(24) {
        0 => input["service"] = json!("gone"),
        1 => input["cluster"] = json!("none"),
        2 => input["desiredCount"] = json!(-1),
        3 => input["taskDefinition"] = json!("web:9"),
        _ => {}
    }
    if dice.once_in(3) {
        input["taskDefinition"] = json!(dice.pick(&["web", "api", "web:1", "api:1", "web:2"]));
    }
    dice.maybe(
        &mut input,
        "desiredCount",
        &[json!(0), json!(1), json!(3), json!(7)],
    );
    if dice.once_in(4) {
        input["forceNewDeployment"] = json!(true);
    }
    if dice.once_in(3) {
        input["deploymentConfiguration"] = rollout(dice);
    }
    if dice.once_in(4) {
        input["healthCheckGracePeriodSeconds"] = json!(dice.pick(&[0, 30]));
    }
    if dice.once_in(4) {
        input["enableExecuteCommand"] = json!(dice.pick(&[true, false]));
    }
    if dice.once_in(5) {
        input["propagateTags"] = json!(dice.pick(&["SERVICE", "TASK_DEFINITION"]));
    }
    input
}

fn definitions(dice: &mut Dice) -> Call {
    let names = [
        "web", "web:1", "api", "api:1", "web:2", "web:9", "gone", "api:2",
    ];
    match dice.below(6) {
        0 | 1 => call("ecs", "RegisterTaskDefinition", registration(dice)),
        2 => {
            let named = ["api:1", "web:2", "web:9", "gone:1", "web"];
            call(
                "ecs",
                "DeregisterTaskDefinition",
                json!({"taskDefinition": dice.pick(&named)}),
            )
        }
        3 => {
            let mut input = json!({});
            dice.maybe(
                &mut input,
                "familyPrefix",
                &[json!("web"), json!("api"), json!("w")],
            );
            dice.maybe(&mut input, "status", &[json!("ACTIVE"), json!("INACTIVE")]);
            dice.maybe(&mut input, "sort", &[json!("ASC"), json!("DESC")]);
            dice.maybe(&mut input, "maxResults", &[json!(1), json!(2), json!(100)]);
            call("ecs", "ListTaskDefinitions", input)
        }
        _ => {
            let mut input = json!({"taskDefinition": dice.pick(&names)});
            dice.maybe(&mut input, "include", &[json!(["TAGS"])]);
            call("ecs", "DescribeTaskDefinition", input)
        }
    }
}

fn registration(dice: &mut Dice) -> Value {
    let mut input = definition(dice.pick(&["web", "api"]));
    let sizes = [
        ("256", "1024"),
        ("512", "1024"),
        ("1024", "4096"),
        ("1 vCPU", "2 GB"),
    ];
    let (cpu, memory) = dice.pick(&sizes);
    (input["cpu"], input["memory"]) = (json!(cpu), json!(memory));
    let container = &mut input["containerDefinitions"][0];
    dice.maybe(container, "cpu", &[json!(0), json!(128)]);
    dice.maybe(container, "memory", &[json!(256)]);
    dice.maybe(container, "memoryReservation", &[json!(128)]);
    dice.maybe(container, "command", &[json!(["serve", "--all"])]);
    if dice.once_in(3) {
        container["portMappings"] =
            json!([{"containerPort": 80, "hostPort": 80, "protocol": "tcp"}]);
    }
    if dice.once_in(3) {
        container["environment"] = json!([]);
    }
    if dice.once_in(2) {
        input["tags"] = dice.tags("key", "value");
    }
    match dice.below(24) {
        0 => input["memory"] = json!("8192"),
        1 => input["containerDefinitions"] = json!([]),
        2 => input["family"] = json!("not a family"),
        3 => input["cpu"] = Value::Null,
        4 => input["networkMode"] = json!("bridge"),
        5 => input["containerDefinitions"][0]["essential"] = json!(false),
        6 => input["containerDefinitions"][0]["image"] = Value::Null,
        7 => input["containerDefinitions"][0]["name"] = Value::Null,
        8 => input["containerDefinitions"][0]["memory"] = json!(999_999),
        _ => {}
    }
    input
}

fn around(dice: &mut Dice, account: &str) -> Call {
    let arn = |rest: &str| json!(format!("arn:aws:ecs:us-east-1:{account}:{rest}"));
    let objects = [
        "service/c1/web",
        "service/c1/api",
        "cluster/c1",
        "task-definition/web:1",
    ];
    let mut object = dice.pick(&objects);
    if dice.once_in(12) {
        object = dice.pick(&["service/c1/gone", "cluster/none", "task-definition/web:9"]);
    }
    match dice.below(7) {
        0 => {
            // The same again: a cluster that is there is given back.
            let second = json!({"clusterName": "c2", "tags": [{"key": "team", "value": "a"}]});
            let clusters = [json!({"clusterName": "c1"}), second.clone(), second];
            call("ecs", "CreateCluster", dice.pick(&clusters))
        }
        1 => {
            let mut input = json!({"clusters": dice.some(&["c1", "c2", "none"])});
            let include = [json!(["TAGS"]), json!(["SETTINGS"])];
            dice.maybe(&mut input, "include", &include);
            call("ecs", "DescribeClusters", input)
        }
        2 => {
            let mut input = json!({});
            dice.maybe(&mut input, "maxResults", &[json!(1), json!(100)]);
            call("ecs", "ListClusters", input)
        }
        3 => {
            let mut tags = dice.tags("key", "value");
            if dice.once_in(10) {
                tags = json!([{"key": "aws:mine", "value": "x"}]);
            }
            call(
                "ecs",
                "TagResource",
                json!({"resourceArn": arn(object), "tags": tags}),
            )
        }
        4 => {
            let keys = dice.some(&["team", "stage", "none"]);
            call(
                "ecs",
                "UntagResource",
                json!({"resourceArn": arn(object), "tagKeys": keys}),
            )
        }
        _ => call(
            "ecs",
            "ListTagsForResource",
            json!({"resourceArn": arn(object)}),
        ),
    }
}
