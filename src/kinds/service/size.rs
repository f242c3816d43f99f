//! Sizes: which ones Fargate offers, what a size change does to a task definition, and what in
//! it stands in the way.
//!
//! Pure.

use std::collections::BTreeMap;

use serde::Deserialize as _;
use serde_json::json;

use super::facts::{Container, Revision, family_revision};
use super::spec::ContainerSpec;
use super::view::{ANSWER_ONLY, BASE_TAG, INTENT_TAG, is_users};
use crate::model::tree::Tree;

/// Fargate's CPU values and, for each, its memory values in MiB (developer guide, "Fargate task
/// definition differences": task CPU and memory).
fn memories(cpu: u32) -> Option<Vec<u32>> {
    let steps = |from: u32, to: u32, step: usize| Some((from..=to).step_by(step).collect());
    match cpu {
        256 => Some(vec![512, 1024, 2048]),
        512 => steps(1024, 4096, 1024),
        1024 => steps(2048, 8192, 1024),
        2048 => steps(4096, 16_384, 1024),
        4096 => steps(8192, 30_720, 1024),
        8192 => steps(16_384, 61_440, 4096),
        16_384 => steps(32_768, 122_880, 8192),
        32_768 => Some(vec![61_440, 122_880, 249_856]),
        _ => None,
    }
}

/// CPU units that Fargate offers.
const FARGATE_CPUS: [u32; 8] = [256, 512, 1024, 2048, 4096, 8192, 16_384, 32_768];

/// Why Fargate has no such size, naming what it has; `None` when it has. Either part may be
/// unknown.
pub fn fargate_fault(cpu: Option<u32>, memory: Option<u32>) -> Option<String> {
    let Some(cpu) = cpu else {
        return memory.and_then(no_memory);
    };
    let Some(allowed) = memories(cpu) else {
        return Some(format!(
            "Fargate has no size with {cpu} CPU units; it has {}",
            FARGATE_CPUS.map(|c| c.to_string()).join(", ")
        ));
    };
    let memory = memory?;
    (!allowed.contains(&memory)).then(|| {
        let goes_with = match cpus(memory) {
            none if none.is_empty() => String::new(),
            cpus => format!(", and {memory} MiB goes with {} CPU units", any_of(&cpus)),
        };
        format!(
            "Fargate has no size with {cpu} CPU units and {memory} MiB of memory; with {cpu} CPU \
             units it has {}{goes_with}",
            described(&allowed)
        )
    })
}

/// Why Fargate has no size with this memory, naming its neighbours.
fn no_memory(memory: u32) -> Option<String> {
    if !cpus(memory).is_empty() {
        return None;
    }
    let all = || FARGATE_CPUS.iter().filter_map(|c| memories(*c)).flatten();
    let near = [
        all().filter(|m| *m < memory).max(),
        all().filter(|m| *m > memory).min(),
    ];
    let near: Vec<String> = near
        .into_iter()
        .flatten()
        .map(|m| format!("{m} MiB (with {} CPU units)", any_of(&cpus(m))))
        .collect();
    Some(format!(
        "Fargate has no size with {memory} MiB of memory; nearest are {}",
        near.join(" and ")
    ))
}

/// The CPU values that go with a memory value.
fn cpus(memory: u32) -> Vec<u32> {
    let has_it = |cpu: &u32| memories(*cpu).is_some_and(|m| m.contains(&memory));
    FARGATE_CPUS.into_iter().filter(has_it).collect()
}

fn any_of(values: &[u32]) -> String {
    let words: Vec<String> = values.iter().map(u32::to_string).collect();
    match words.as_slice() {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        words => words.concat(),
    }
}

fn described(allowed: &[u32]) -> String {
    match allowed {
        [first, second, .., last] if allowed.len() > 4 => {
            format!("{first} to {last} MiB in steps of {}", second - first)
        }
        _ => {
            let all: Vec<String> = allowed.iter().map(u32::to_string).collect();
            format!("{} MiB", all.join(", "))
        }
    }
}

/// The size that a revision shall have.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Size {
    /// CPU units of a task; `None` leaves it unset.
    pub cpu: Option<u32>,
    /// Memory of a task, MiB; `None` leaves it unset.
    pub memory: Option<u32>,
    /// Containers' own limits that the document sets.
    pub containers: BTreeMap<String, ContainerSpec>,
}

impl Size {
    /// The size that a step's tree stands for.
    pub fn of(tree: &Tree) -> Option<Self> {
        let number = |member| u32::try_from(tree.get(member)?.as_u64()?).ok();
        Some(Self {
            cpu: number("cpu"),
            memory: number("memory"),
            containers: BTreeMap::deserialize(tree.get("containers")?).ok()?,
        })
    }

    /// Whether `revision` has it.
    pub fn is_of(&self, revision: &Revision) -> bool {
        let own = |name: &str, set: &ContainerSpec| {
            revision
                .containers
                .get(name)
                .is_some_and(|own| overridden(*own, Some(set)) == *own)
        };
        self.cpu.is_none_or(|cpu| revision.cpu == Some(cpu))
            && self.memory.is_none_or(|m| revision.memory == Some(m))
            && self.containers.iter().all(|(name, set)| own(name, set))
    }

    /// For people: `512 CPU units, 1024 MiB`.
    pub fn described(&self) -> String {
        let mut parts = Vec::new();
        if let Some(cpu) = self.cpu {
            parts.push(format!("{cpu} CPU units"));
        }
        if let Some(memory) = self.memory {
            parts.push(format!("{memory} MiB"));
        }
        for name in self.containers.keys() {
            parts.push(format!("limits of {name}"));
        }
        parts.join(", ")
    }
}

/// Why Fargate, if that is what `base` is made for, has no such size.
pub fn no_such_size(base: &Revision, size: &Size) -> Option<String> {
    let fargate = base.requires.iter().any(|r| r == "FARGATE");
    fargate
        .then(|| fargate_fault(size.cpu, size.memory))
        .flatten()
}

/// What in `base` stands in the way of `size`, for people; empty when nothing does.
pub fn conflicts(base: &Revision, size: &Size) -> Vec<String> {
    let mut found = Vec::new();
    for name in size.containers.keys() {
        if !base.containers.contains_key(name) {
            let names: Vec<&str> = base.containers.keys().map(String::as_str).collect();
            found.push(format!(
                "the task definition has no container {name:?}; it has {}",
                names.join(", ")
            ));
        }
    }
    let after: BTreeMap<&str, Container> = base
        .containers
        .iter()
        .map(|(name, limits)| {
            (
                name.as_str(),
                overridden(*limits, size.containers.get(name)),
            )
        })
        .collect();
    for (name, limits) in &after {
        if let (Some(hard), Some(soft)) = (limits.memory, limits.memory_reservation)
            && hard < soft
        {
            found.push(format!(
                "container {name}'s memory of {hard} MiB would be below its memoryReservation of \
                 {soft}"
            ));
        }
    }
    if let Some(memory) = size.memory {
        for (name, limits) in &after {
            for (what, value) in [
                ("memory", limits.memory),
                ("memoryReservation", limits.memory_reservation),
            ] {
                if let Some(value) = value.filter(|v| *v > memory) {
                    found.push(format!(
                        "container {name}'s own {what} of {value} MiB is above the task's {memory}"
                    ));
                }
            }
        }
        let reserved: u32 = after
            .values()
            .filter_map(|c| c.memory_reservation.or(c.memory))
            .fold(0, u32::saturating_add);
        if reserved > memory && found.is_empty() {
            found.push(format!(
                "its containers ({}) reserve {reserved} MiB together, above the task's {memory}",
                names(&after)
            ));
        }
    }
    let cpus = after.values().map(|c| c.cpu).fold(0, u32::saturating_add);
    if let Some(cpu) = size.cpu.filter(|cpu| cpus > *cpu) {
        found.push(format!(
            "its containers ({}) reserve {cpus} CPU units together, above the task's {cpu}",
            names(&after)
        ));
    }
    found.extend(holders(base, size));
    found
}

fn names(containers: &BTreeMap<&str, Container>) -> String {
    containers.keys().copied().collect::<Vec<_>>().join(", ")
}

fn overridden(limits: Container, with: Option<&ContainerSpec>) -> Container {
    let Some(ContainerSpec {
        cpu,
        memory,
        memory_reservation,
    }) = with
    else {
        return limits;
    };
    Container {
        cpu: cpu.unwrap_or(limits.cpu),
        memory: memory.or(limits.memory),
        memory_reservation: memory_reservation.or(limits.memory_reservation),
    }
}

/// A container whose own limit makes up the whole old size keeps it in a larger task, which then
/// gives it nothing, unless the document says what it shall have.
fn holders(base: &Revision, size: &Size) -> Vec<String> {
    let mut found = Vec::new();
    for (name, limits) in &base.containers {
        let set = size.containers.get(name);
        if let (Some(old), Some(new)) = (base.cpu, size.cpu)
            && new > old
            && limits.cpu == old
            && set.is_none_or(|s| s.cpu.is_none())
        {
            found.push(format!(
                "container {name} alone holds the old size: its own cpu is {old}"
            ));
        }
        if let (Some(old), Some(new)) = (base.memory, size.memory)
            && new > old
            && limits.memory == Some(old)
            && set.is_none_or(|s| s.memory.is_none())
        {
            found.push(format!(
                "container {name} alone holds the old size: its own memory is {old} MiB"
            ));
        }
    }
    found
}

/// The body of RegisterTaskDefinition: `answer` of DescribeTaskDefinition with the size patched
/// and the tags of `intent` set. All that this build does not know of a container survives.
/// The result holds the containers' environment: it goes into the request and nowhere else.
///
/// `None` when the answer holds no task definition, or leaves no room for the intent's tag.
pub fn registration(answer: &Tree, size: &Size, intent: &str, base: &str) -> Option<Tree> {
    let mut body = answer.get("taskDefinition")?.as_object()?.clone();
    for member in ANSWER_ONLY {
        body.remove(*member);
    }
    if let Some(cpu) = size.cpu {
        body.insert("cpu".into(), json!(cpu.to_string()));
    }
    if let Some(memory) = size.memory {
        body.insert("memory".into(), json!(memory.to_string()));
    }
    let containers = body.get_mut("containerDefinitions")?.as_array_mut()?;
    for container in containers.iter_mut().filter_map(Tree::as_object_mut) {
        let name = container.get("name").and_then(Tree::as_str);
        let Some(limits) = name.and_then(|name| size.containers.get(name)) else {
            continue;
        };
        for (member, value) in [
            ("cpu", limits.cpu),
            ("memory", limits.memory),
            ("memoryReservation", limits.memory_reservation),
        ] {
            if let Some(value) = value {
                container.insert(member.into(), json!(value));
            }
        }
    }
    let mut tags: Vec<Tree> = answer
        .get("tags")
        .and_then(Tree::as_array)
        .cloned()
        .unwrap_or_default();
    tags.retain(|tag| {
        let key = tag.get("key").and_then(Tree::as_str).unwrap_or_default();
        is_users(key)
    });
    if tags.len() >= TAGS_MAX {
        return None;
    }
    for (key, value) in [(INTENT_TAG, intent), (BASE_TAG, base)] {
        // Recovery needs the first; the second gives way to a full set of the user's own.
        if tags.len() < TAGS_MAX {
            tags.push(json!({"key": key, "value": value}));
        }
    }
    body.insert("tags".into(), Tree::Array(tags));
    Some(Tree::Object(body))
}

/// Most tags of one resource (API reference, RegisterTaskDefinition).
const TAGS_MAX: usize = 50;

/// Why `base` leaves no room for the tag by which a registration is found whose answer was lost,
/// and what to do; `None` when it does.
pub fn tags_full(base: &Revision) -> Option<String> {
    (base.tags >= TAGS_MAX).then(|| {
        format!(
            "{} has {} tags, as many as AWS takes, and its new revision needs one more, by which \
             it is found when AWS's answer is lost; deploy a revision with fewer tags",
            family_revision(&base.arn),
            base.tags
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(containers: &[(&str, Container)]) -> Revision {
        Revision {
            arn: "arn:aws:ecs:us-east-1:1:task-definition/web:7".into(),
            cpu: Some(256),
            memory: Some(512),
            containers: containers
                .iter()
                .map(|(n, c)| ((*n).to_owned(), *c))
                .collect(),
            requires: vec!["FARGATE".into()],
            ..Revision::default()
        }
    }

    fn limits(cpu: u32, memory: Option<u32>, reservation: Option<u32>) -> Container {
        Container {
            cpu,
            memory,
            memory_reservation: reservation,
        }
    }

    fn size(cpu: u32, memory: u32) -> Size {
        Size {
            cpu: Some(cpu),
            memory: Some(memory),
            ..Size::default()
        }
    }

    #[test]
    fn a_size_that_fargate_lacks_is_refused_with_those_it_has() {
        assert_eq!(
            fargate_fault(Some(512), Some(512)).unwrap(),
            "Fargate has no size with 512 CPU units and 512 MiB of memory; with 512 CPU units it \
             has 1024, 2048, 3072, 4096 MiB, and 512 MiB goes with 256 CPU units"
        );
        assert_eq!(
            fargate_fault(None, Some(700)).unwrap(),
            "Fargate has no size with 700 MiB of memory; nearest are 512 MiB (with 256 CPU units) \
             and 1024 MiB (with 256 or 512 CPU units)"
        );
        assert!(
            fargate_fault(None, Some(300_000))
                .unwrap()
                .ends_with("nearest are 249856 MiB (with 32768 CPU units)")
        );
        assert!(
            fargate_fault(Some(1024), Some(9000))
                .unwrap()
                .ends_with("it has 2048 to 8192 MiB in steps of 1024")
        );
        assert!(fargate_fault(Some(300), None).unwrap().contains("256, 512"));
        for (cpu, memory) in [(256, 512), (16_384, 122_880), (32_768, 249_856)] {
            assert_eq!(fargate_fault(Some(cpu), Some(memory)), None);
        }
    }

    #[test]
    fn containers_without_limits_stand_in_no_way() {
        let base = base(&[("app", limits(0, None, None))]);
        assert_eq!(conflicts(&base, &size(512, 1024)), Vec::<String>::new());
    }

    #[test]
    fn a_container_above_the_new_task_is_named() {
        let base = base(&[
            ("app", limits(0, Some(4096), None)),
            ("log", limits(0, None, None)),
        ]);
        let found = conflicts(&base, &size(512, 1024));
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("app") && found[0].contains("4096"));
    }

    #[test]
    fn a_container_that_alone_holds_the_old_size_is_named_unless_the_document_sets_it() {
        let base = base(&[("app", limits(256, Some(512), None))]);
        assert_eq!(conflicts(&base, &size(512, 1024)).len(), 2);
        let mut wanted = size(512, 1024);
        wanted.containers.insert(
            "app".into(),
            ContainerSpec {
                cpu: Some(512),
                memory: Some(1024),
                memory_reservation: None,
            },
        );
        assert_eq!(conflicts(&base, &wanted), Vec::<String>::new());
    }

    #[test]
    fn a_container_of_the_whole_old_size_is_named_beside_a_sidecar_too() {
        let base = base(&[
            ("app", limits(256, Some(512), None)),
            ("log", limits(0, None, None)),
        ]);
        let found = conflicts(&base, &size(512, 1024));
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found.iter().all(|f| f.contains("container app alone")));
        // A document that sets a limit means it, even where it is what it was.
        let mut wanted = size(512, 1024);
        let set = |cpu, memory| ContainerSpec {
            cpu,
            memory,
            memory_reservation: None,
        };
        wanted
            .containers
            .insert("app".into(), set(Some(256), Some(768)));
        assert_eq!(conflicts(&base, &wanted), Vec::<String>::new());
        wanted.containers.insert("app".into(), set(None, Some(512)));
        let found = conflicts(&base, &wanted);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("cpu"));
        // One that is smaller leaves room, and a task that shrinks gives none.
        let small = self::base(&[("app", limits(128, None, Some(512)))]);
        assert_eq!(conflicts(&small, &size(512, 1024)), Vec::<String>::new());
        let mut large = base;
        (large.cpu, large.memory) = (Some(512), Some(1024));
        assert_eq!(conflicts(&large, &size(256, 512)), Vec::<String>::new());
    }

    #[test]
    fn limits_that_together_exceed_the_task_are_named() {
        let base = base(&[
            ("app", limits(400, None, Some(800))),
            ("log", limits(200, None, Some(800))),
        ]);
        let found = conflicts(&base, &size(512, 1024));
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found.iter().all(|f| f.contains("app, log")));
    }

    #[test]
    fn a_container_that_is_not_there_is_named() {
        let base = base(&[("app", limits(0, None, None))]);
        let mut wanted = size(512, 1024);
        wanted.containers.insert(
            "ap".into(),
            ContainerSpec {
                cpu: Some(1),
                memory: None,
                memory_reservation: None,
            },
        );
        assert!(conflicts(&base, &wanted)[0].contains("it has app"));
    }

    #[test]
    fn the_intents_tag_is_never_dropped_for_a_full_set_of_the_users_own() {
        let answer = |count: usize| {
            let mut tags: Vec<Tree> = (0..count)
                .map(|n| json!({"key": format!("k{n}"), "value": ""}))
                .collect();
            // These are AWS's and ours, and take no room.
            for key in ["aws:x", INTENT_TAG, BASE_TAG] {
                tags.push(json!({"key": key, "value": "old"}));
            }
            json!({
                "taskDefinition": {"taskDefinitionArn": "arn:x/web:7", "containerDefinitions": []},
                "tags": tags,
            })
        };
        let base = |count| crate::kinds::service::view::revision(&answer(count)).unwrap();
        let body = registration(&answer(49), &size(512, 1024), "i1", "web:7").unwrap();
        let tags = body["tags"].as_array().unwrap();
        assert_eq!(tags.len(), 50);
        assert_eq!(tags[49], json!({"key": INTENT_TAG, "value": "i1"}));
        assert_eq!(tags_full(&base(49)), None);
        assert_eq!(
            registration(&answer(50), &size(512, 1024), "i1", "web:7"),
            None
        );
        assert!(tags_full(&base(50)).unwrap().contains("web:7 has 50 tags"));
    }

    #[test]
    fn a_registration_keeps_everything_but_the_size_and_the_answer() {
        let answer = json!({
            "taskDefinition": {
                "taskDefinitionArn": "arn:x/web:7", "revision": 7, "status": "ACTIVE",
                "requiresAttributes": [], "compatibilities": ["FARGATE"], "registeredAt": 1.0,
                "registeredBy": "ci", "family": "web", "cpu": "256", "memory": "512",
                "containerDefinitions": [{
                    "name": "app", "image": "x:1", "cpu": 0,
                    "environment": [{"name": "K", "value": "V"}],
                    "somethingNew": {"a": [1]},
                }],
            },
            "tags": [
                {"key": "team", "value": "x"},
                {"key": "evenkeel:intent", "value": "old"},
                {"key": "aws:cloudformation:stack-name", "value": "s"},
            ],
        });
        let body = registration(&answer, &size(512, 1024), "i1", "web:7").unwrap();
        assert_eq!(
            body,
            json!({
                "family": "web", "cpu": "512", "memory": "1024",
                "containerDefinitions": [{
                    "name": "app", "image": "x:1", "cpu": 0,
                    "environment": [{"name": "K", "value": "V"}],
                    "somethingNew": {"a": [1]},
                }],
                "tags": [
                    {"key": "team", "value": "x"},
                    {"key": "evenkeel:intent", "value": "i1"},
                    {"key": "evenkeel:base", "value": "web:7"},
                ],
            })
        );
    }
}
