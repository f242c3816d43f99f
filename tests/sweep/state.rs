//! States: what a crash leaves, as text in which two crashes that leave the same are equal.
//!
//! Ids and hashes are named by the order in which they appear, times by their age in steps of
//! [`AGE`]. The twin's token buckets are left out: they are full again before any lease runs out.

use std::fmt::Write as _;

use evenkeel::twin::World;
use jiff::Timestamp;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::stage::Stage;

/// Ages are told in steps of this many seconds. Nothing waits for less but pauses between attempts.
const AGE: i64 = 10;
/// What is older is old: nothing waits longer.
const OLD: i64 = 900;

/// The digest of a state. States of equal digests are taken as one.
pub type State = [u8; 32];

/// The state that a crash at this moment leaves.
pub fn state(stage: &Stage) -> State {
    let mut text = String::new();
    for row in stage.rows() {
        let _ = writeln!(text, "{row}");
    }
    let now = stage.world(|w| {
        let _ = write!(
            text,
            "{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{}",
            w.ecs,
            w.autoscaling,
            w.cloudwatch,
            w.rds,
            w.dynamodb,
            w.faults.waiting()
        );
        for definition in w.ecs.all_task_definitions() {
            let _ = write!(
                text,
                "{:?} {}",
                definition.tags,
                json!(definition.registrable())
            );
        }
        w.now()
    });
    Sha256::digest(normal(&text, Some(now)).as_bytes()).into()
}

/// What AWS holds in the end, whoever wrote it and when: by this two ways to the same end are equal.
pub fn estate(w: &mut World) -> String {
    let mut text = String::new();
    let services: Vec<_> = w
        .ecs
        .all_services()
        .map(|(key, service)| (key.to_owned(), service.clone()))
        .collect();
    for (key, service) in services {
        let mut members = json!(service.members);
        if let Some(members) = members.as_object_mut() {
            members.remove("taskDefinition");
        }
        let definition = w
            .ecs
            .task_definition(&service.task_definition)
            .map(|d| json!(d.registrable()));
        let _ = writeln!(
            text,
            "{key} {} {:?} {} {}",
            members,
            service.tags,
            service.desired,
            json!(definition)
        );
        let of = json!({"ServiceNamespace": "ecs", "ResourceId": format!("service/{key}")});
        let all = json!({"ServiceNamespace": "ecs", "ResourceIds": [format!("service/{key}")]});
        for (operation, input) in [
            ("DescribeScalableTargets", &all),
            ("DescribeScalingPolicies", &of),
            ("DescribeScheduledActions", &of),
        ] {
            let answer = w.call("application-autoscaling", operation, input);
            let _ = writeln!(text, "{}", json!(answer.unwrap_or_default()));
        }
    }
    let _ = writeln!(text, "{}", json!(w.cloudwatch.alarms()));
    for operation in ["DescribeDBInstances", "DescribeDBClusters"] {
        let answer = w.call("rds", operation, &json!({})).unwrap_or_default();
        let _ = writeln!(text, "{answer}");
    }
    let _ = writeln!(text, "{:?}", w.dynamodb);
    normal(&text, None)
}

/// `text` with ids and times made comparable: ages as of `now`, or no times at all.
fn normal(text: &str, now: Option<Timestamp>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut seen: Vec<&str> = Vec::new();
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let starts = at == 0 || !bytes[at - 1].is_ascii_alphanumeric();
        if starts && bytes[at].is_ascii_hexdigit() {
            if let Some((time, length)) = time_at(&text[at..]) {
                match now {
                    Some(now) => {
                        let age = (now.as_millisecond() - time) / 1000;
                        let _ = write!(out, "<{}>", age.clamp(-OLD, OLD) / AGE);
                    }
                    None => out.push_str("<t>"),
                }
                at += length;
                continue;
            }
            let length = bytes[at..]
                .iter()
                .take_while(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f' | b'-'))
                .count();
            if length >= 12 {
                let id = &text[at..at + length];
                let place = seen.iter().position(|other| *other == id);
                let place = place.unwrap_or_else(|| {
                    seen.push(id);
                    seen.len() - 1
                });
                let _ = write!(out, "#{place}");
                at += length;
                continue;
            }
        }
        let next = text[at..].chars().next().map_or(1, char::len_utf8);
        out.push_str(&text[at..at + next]);
        at += next;
    }
    out
}

/// A time at the start of `text`, in milliseconds, and its length: RFC 3339 or seconds since 1970.
fn time_at(text: &str) -> Option<(i64, usize)> {
    let bytes = text.as_bytes();
    let length = |from: usize, more: &[u8]| {
        from + bytes[from..]
            .iter()
            .take_while(|b| b.is_ascii_digit() || more.contains(b))
            .count()
    };
    if bytes.len() >= 20 && bytes[4] == b'-' && bytes[7] == b'-' && bytes[10] == b'T' {
        let end = length(11, b":.");
        let end = end + usize::from(bytes.get(end) == Some(&b'Z'));
        let time: Timestamp = text[..end].parse().ok()?;
        return Some((time.as_millisecond(), end));
    }
    let end = length(0, b".");
    let whole = bytes.iter().take_while(|b| b.is_ascii_digit()).count();
    if whole == 10 && bytes[0] == b'1' {
        let seconds: f64 = text[..end].trim_end_matches('.').parse().ok()?;
        return Some(((seconds * 1000.0) as i64, end));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_but_for_ids_and_a_moment_is_equal() {
        let now: Timestamp = "2026-03-02T12:00:20Z".parse().unwrap();
        let normal = |text| normal(text, Some(now));
        let one = normal("a 0123456789abcdef 2026-03-02T12:00:01Z b 0123456789abcdef");
        let other = normal("a fedcba9876543210 2026-03-02T12:00:02.5Z b fedcba9876543210");
        assert_eq!(one, "a #0 <1> b #0");
        assert_eq!(one, other);
        assert_eq!(
            normal("created 1772452810.5, port 8080"),
            "created <0>, port 8080"
        );
        assert_ne!(
            one,
            normal("a 0123456789abcdef 2026-03-02T12:00:01Z b 0123456789abcde0")
        );
    }
}
