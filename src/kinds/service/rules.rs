//! Rules over one Service document: what is wrong with it beyond its shape.

use super::desired::{service_name, spec};
use super::size::fargate_fault;
use super::spec::{ContainerSpec, LaunchType, ServiceSpec};
use crate::model::document::Document;
use crate::model::finding::Finding;

/// Everything that is wrong with the document beyond its shape.
pub fn check(document: &Document) -> Vec<Finding> {
    let spec = match spec(document) {
        Ok(spec) => spec,
        Err(cause) => {
            return vec![
                Finding::error("wrong-shape", format!("{}: {cause}", document.key))
                    .help("compare it with `evenkeel schema` or the reference page of Service")
                    .at(document.span_of(""))
                    .of(&document.key),
            ];
        }
    };
    let mut findings = Findings {
        document,
        found: Vec::new(),
    };
    findings.count(&spec);
    findings.size(&spec);
    findings.deployment(&spec);
    findings.tags(&spec);
    if let Some(scaling) = &spec.scaling {
        findings.scaling(scaling, &service_name(document, &spec));
    }
    findings.found
}

/// What has been found.
pub struct Findings<'a> {
    document: &'a Document,
    found: Vec<Finding>,
}

impl Findings<'_> {
    /// Adds an error at `path`, below `spec`.
    pub fn error(&mut self, rule: &str, path: &str, message: String, help: &str) {
        self.push(Finding::error(rule, self.named(message)), path, help);
    }

    /// Adds a warning.
    pub fn warning(&mut self, rule: &str, path: &str, message: String, help: &str) {
        self.push(Finding::warning(rule, self.named(message)), path, help);
    }

    fn named(&self, message: String) -> String {
        format!("{}: {message}", self.document.key)
    }

    fn push(&mut self, finding: Finding, path: &str, help: &str) {
        self.found.push(
            finding
                .help(help)
                .at(self.document.span_of(path))
                .of(&self.document.key),
        );
    }

    fn count(&mut self, spec: &ServiceSpec) {
        if spec.desired_count.is_some() && spec.scaling.is_some() {
            self.error(
                "count-owned-twice",
                "desiredCount",
                "`desiredCount` and `scaling` both own the number of tasks".to_owned(),
                "choose one: `desiredCount` for a fixed number, `scaling` for bounds between \
                 which Application Auto Scaling moves",
            );
        }
    }

    fn size(&mut self, spec: &ServiceSpec) {
        let fargate = spec.launch_type.unwrap_or(LaunchType::Fargate) == LaunchType::Fargate;
        if fargate && let Some(fault) = fargate_fault(spec.cpu, spec.memory) {
            let path = match (spec.cpu, spec.memory) {
                (Some(cpu), Some(_)) if fargate_fault(Some(cpu), None).is_none() => "memory",
                (Some(_), _) => "cpu",
                _ => "memory",
            };
            self.error(
                "fargate-size",
                path,
                fault,
                "take one of the sizes named, or say `launchType: EC2` if the tasks do not run on \
                 Fargate",
            );
        }
        for (name, limits) in spec.containers.iter().flatten() {
            self.container(name, limits, spec);
        }
    }

    /// Of a container's memory and of its CPU each the first fault: what is above the task is so
    /// by its reservation, too.
    fn container(&mut self, name: &str, limits: &ContainerSpec, spec: &ServiceSpec) {
        let ContainerSpec {
            cpu,
            memory,
            memory_reservation,
        } = *limits;
        let above = |what: &str, own: Option<u32>, task: Option<u32>| {
            let (own, task) = own.zip(task).filter(|(own, task)| own > task)?;
            let message = format!("container {name}'s {what} {own} is above the task's {task}");
            let help = "lower the container's limit or raise the task's size";
            Some((what.to_owned(), message, help))
        };
        let crossed = memory.zip(memory_reservation).filter(|(h, s)| h < s);
        let crossed = crossed.map(|(hard, soft)| {
            let message =
                format!("container {name}'s memory {hard} is below its memoryReservation {soft}");
            let help = "the hard limit `memory` has to be the greater one";
            ("memory".to_owned(), message, help)
        });
        let of_memory = crossed
            .or_else(|| above("memory", memory, spec.memory))
            .or_else(|| above("memoryReservation", memory_reservation, spec.memory));
        let of_cpu = above("cpu", cpu, spec.cpu);
        for (field, message, help) in of_memory.into_iter().chain(of_cpu) {
            let path = format!("containers.{name}.{field}");
            self.error("container-limits", &path, message, help);
        }
    }

    fn deployment(&mut self, spec: &ServiceSpec) {
        let percents = spec
            .deployment
            .as_ref()
            .map(|d| (d.minimum_healthy_percent, d.maximum_percent));
        match percents {
            Some((Some(100), Some(100))) => self.error(
                "deployment-stuck",
                "deployment",
                "with minimumHealthyPercent 100 and maximumPercent 100 no task can ever be \
                 replaced"
                    .to_owned(),
                "lower the minimum or raise the maximum",
            ),
            Some((Some(0), Some(100))) => self.warning(
                "deployment-stops-all",
                "deployment",
                "with minimumHealthyPercent 0 and maximumPercent 100 a deployment may stop every \
                 task before it starts the first new one"
                    .to_owned(),
                "raise the maximum, if two versions may run beside each other for a while",
            ),
            _ => {}
        }
    }

    fn tags(&mut self, spec: &ServiceSpec) {
        for (key, value) in spec.tags.iter().flatten() {
            if let Some((fault, help)) = tag_fault(key, value) {
                self.error("bad-tag", &format!("tags.{key}"), fault, help);
            }
        }
        if spec.tags.as_ref().is_some_and(|tags| tags.len() > 50) {
            self.error(
                "bad-tag",
                "tags",
                "a service has at most 50 tags".to_owned(),
                "name fewer tags",
            );
        }
    }
}

/// What is wrong with a tag, and what to do.
pub fn tag_fault(key: &str, value: &str) -> Option<(String, &'static str)> {
    const SHORTER: &str = "a key has 1 to 128 characters, a value at most 256";
    let whose = key.to_ascii_lowercase();
    if key.is_empty() || key.chars().count() > 128 {
        let fault = format!("tag key {key:?} is not 1 to 128 characters long");
        return Some((fault, SHORTER));
    }
    if whose.starts_with("aws:") {
        let fault = format!("tag key {key:?} begins with aws:, which only AWS sets");
        return Some((fault, "take it out, or give it another key"));
    }
    if whose.starts_with("evenkeel:") {
        let fault = format!(
            "tag key {key:?} begins with evenkeel:, by which evenkeel knows what it made itself"
        );
        return Some((fault, "take it out, or give it another key"));
    }
    if value.chars().count() > 256 {
        let fault = format!("the value of tag {key:?} is longer than 256 characters");
        return Some((fault, SHORTER));
    }
    let text = [key, value]
        .into_iter()
        .find(|text| !text.chars().all(taggable))?;
    Some((
        format!("{text:?} has characters that tags cannot hold"),
        "tags hold letters, digits, spaces and + - = . _ : / @",
    ))
}

fn taggable(c: char) -> bool {
    c.is_alphanumeric() || " +-=._:/@".contains(c)
}
