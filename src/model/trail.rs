//! Trails: what CloudTrail says was called, by whom, and which call is behind a drift.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::tree::Tree;

/// What Evenkeel's own requests carry in their user agent (the SDK's `app/` word), by which its
/// writes are told from a person's with the same credentials.
pub const AGENT: &str = "app/evenkeel";
/// How far two clocks may be apart: AWS stamps an event, this machine a look.
const SKEW: SignedDuration = SignedDuration::from_secs(60);
/// How long a look takes: what is changed after an object was read, and before the look is over, the next one finds.
/// Events are stamped in whole seconds, too.
const LOOKS_FOR: SignedDuration = SignedDuration::from_secs(10);
/// After which time an event that is not there is taken not to come (CloudTrail user guide, "How CloudTrail works").
const SETTLED_AFTER: SignedDuration = SignedDuration::from_mins(15);
/// How far before the first look that found a drift its cause is looked for, when it is not known
/// when the object was in order last.
pub const LOOK_BACK: SignedDuration = SignedDuration::from_hours(24);
/// When CloudTrail is asked, counted from the look that found the drift: events are there after
/// about five minutes, and after fifteen as a rule (CloudTrail user guide, "How CloudTrail works").
pub const ASKED_AFTER: [SignedDuration; 5] = [
    SignedDuration::from_mins(1),
    SignedDuration::from_mins(5),
    SignedDuration::from_mins(10),
    SignedDuration::from_mins(16),
    SignedDuration::from_mins(30),
];

/// Who did something, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Author {
    /// The caller's ARN; for an AWS service that acted by itself, its name.
    pub principal: String,
    /// When, by AWS's clock.
    pub at: Timestamp,
    /// The address that the call came from; for an AWS service, its name.
    pub address: String,
    /// `ecs.UpdateService`.
    pub call: String,
    /// What the caller called itself, shortened.
    pub agent: String,
    /// CloudTrail's id of the event.
    pub event: String,
}

/// One event of CloudTrail, as far as it is needed.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Who, when, whence and how.
    pub author: Author,
    /// What was asked for: only compared with names, never kept.
    pub parameters: Tree,
}

/// Most characters of a caller's own words that are kept.
const WORDS_MAX: usize = 200;

impl Event {
    /// The event that LookupEvents gives as JSON text; `None` for one that says too little, or that
    /// AWS refused.
    pub fn parse(text: &str) -> Option<Self> {
        let tree: Tree = serde_json::from_str(text).ok()?;
        let said = |name: &str| tree.get(name).and_then(Tree::as_str).map(shortened);
        if tree.get("errorCode").is_some_and(|code| !code.is_null()) {
            return None;
        }
        let service = said("eventSource")?;
        let service = service.strip_suffix(".amazonaws.com").unwrap_or(&service);
        let service = match service {
            "monitoring" => "cloudwatch",
            "application-autoscaling" | "autoscaling" => "application-autoscaling",
            other => other,
        };
        let identity = tree.get("userIdentity");
        let of = |name: &str| identity?.get(name)?.as_str().map(shortened);
        let principal = of("arn")
            .or_else(|| of("invokedBy"))
            .or_else(|| of("userName"))
            .or_else(|| of("principalId"))?;
        Some(Self {
            author: Author {
                principal,
                at: said("eventTime")?.parse().ok()?,
                address: said("sourceIPAddress").unwrap_or_default(),
                call: format!("{service}.{}", said("eventName")?),
                agent: said("userAgent").unwrap_or_default(),
                event: said("eventID").unwrap_or_default(),
            },
            parameters: tree.get("requestParameters").cloned().unwrap_or_default(),
        })
    }

    /// Whether all of `names` stand in what was asked for: whole, or as a part of an ARN or path.
    /// Upper and lower case are one, as RDS has it.
    pub fn speaks_of(&self, names: &[String]) -> bool {
        let mut said = Vec::new();
        strings(&self.parameters, &mut said);
        let is_said = |name: &String| {
            said.iter().any(|text| {
                text.eq_ignore_ascii_case(name)
                    || text
                        .split(['/', ':'])
                        .any(|part| part.eq_ignore_ascii_case(name))
            })
        };
        !names.is_empty() && names.iter().all(is_said)
    }

    /// Whether one of `members` was set by it: a call that may leave them all out did not touch them.
    pub fn sets(&self, members: &[&str]) -> bool {
        let set = |name: &&str| self.parameters.get(name).is_some_and(|v| !v.is_null());
        members.iter().any(set)
    }

    /// Whether it is a write of this Evenkeel: its user agent says so and the caller is us. The
    /// agent alone would hide a second Evenkeel that fights with this one, and the caller alone a
    /// person who uses the same role.
    pub fn is_ours(&self, caller: &str) -> bool {
        self.author.agent.contains(AGENT) && role(&self.author.principal) == role(caller)
    }
}

/// The caller without the name of its session, which every process has its own of.
pub fn role(arn: &str) -> &str {
    match arn.split_once(":assumed-role/") {
        Some((_, rest)) => {
            let cut = rest.find('/').map_or(0, |at| rest.len() - at);
            arn.get(..arn.len() - cut).unwrap_or(arn)
        }
        None => arn,
    }
}

fn shortened(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(WORDS_MAX)
        .collect()
}

fn strings<'t>(tree: &'t Tree, found: &mut Vec<&'t str>) {
    match tree {
        Tree::String(text) => found.push(text),
        Tree::Array(items) => items.iter().for_each(|item| strings(item, found)),
        Tree::Object(members) => members.values().for_each(|value| strings(value, found)),
        Tree::Null | Tree::Bool(_) | Tree::Number(_) => {}
    }
}

/// What is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Names of the live object, all of which the call has to speak of.
    pub names: Vec<String>,
    /// Calls that can have done it.
    pub calls: Vec<&'static str>,
    /// Members of the call's parameters, one of which it has to set; none where any call does it.
    pub members: &'static [&'static str],
    /// The look that found the object in order last, or the time from which on it is looked for.
    pub after: Timestamp,
    /// The look that found the drift.
    pub look: Timestamp,
}

impl Question {
    /// From when until when events are looked up.
    pub fn span(&self) -> (Timestamp, Timestamp) {
        (earlier(self.after, SKEW), later(self.look, SKEW))
    }

    /// Whether at `now` what is behind it would be among the events.
    pub fn is_settled(&self, now: Timestamp) -> bool {
        now.duration_since(self.look) >= SETTLED_AFTER
    }

    /// The one of `events` that is behind it, if one can be: the newest between the two looks. What lies beside
    /// them, by as much as two clocks may be apart, is taken only when `settled`: before, it is more likely that
    /// the right one did not come yet. `caller` is us: our own writes divide one change of a field from the next.
    pub fn answer<'e>(
        &self,
        events: impl IntoIterator<Item = &'e Event>,
        caller: &str,
        settled: bool,
    ) -> Option<&'e Author> {
        let (from, to) = self.span();
        let on_it = |e: &&Event| {
            (from..=to).contains(&e.author.at)
                && self.calls.contains(&e.author.call.as_str())
                && e.speaks_of(&self.names)
        };
        let (ours, others): (Vec<&Event>, Vec<&Event>) = events
            .into_iter()
            .filter(on_it)
            .partition(|e| e.is_ours(caller));
        let ours = || ours.iter().map(|e| e.author.at);
        let surely_before = earlier(self.look, SKEW);
        let mended_before = ours()
            .filter(|at| *at <= self.after || *at < surely_before)
            .max();
        let mended_it = ours().filter(|at| *at > self.look).min();
        let mut can_be: Vec<&Author> = others
            .into_iter()
            .filter(|e| self.members.is_empty() || e.sets(self.members))
            .map(|e| &e.author)
            .filter(|author| mended_before.is_none_or(|ours| author.at > ours))
            .filter(|author| mended_it.is_none_or(|ours| author.at <= ours))
            .collect();
        can_be.sort_by_key(|author| author.at);
        let began = earlier(self.after, LOOKS_FOR);
        let newest = |can: &dyn Fn(Timestamp) -> bool| can_be.iter().rfind(|a| can(a.at)).copied();
        newest(&|at| began <= at && at <= self.look).or_else(|| {
            let oldest_later = can_be.iter().find(|a| a.at > self.look).copied();
            oldest_later
                .or_else(|| newest(&|at| at < began))
                .filter(|_| settled)
        })
    }
}

fn earlier(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_sub(by).unwrap_or(Timestamp::MIN)
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const US: &str = "arn:aws:sts::123456789012:assumed-role/evenkeel/i-0abc";

    fn event(name: &str, second: i64, arn: &str, agent: &str, parameters: &Tree) -> Event {
        let text = json!({
            "eventSource": "ecs.amazonaws.com", "eventName": name, "eventID": "e-1",
            "eventTime": Timestamp::from_second(second).unwrap().to_string(),
            "sourceIPAddress": "192.0.2.7", "userAgent": agent,
            "userIdentity": {"type": "IAMUser", "arn": arn}, "requestParameters": parameters,
        });
        Event::parse(&text.to_string()).unwrap()
    }

    fn question() -> Question {
        Question {
            names: vec!["main".into(), "web".into()],
            calls: vec!["ecs.UpdateService"],
            members: &["desiredCount"],
            after: Timestamp::from_second(0).unwrap(),
            look: Timestamp::from_second(100).unwrap(),
        }
    }

    #[test]
    fn the_newest_call_on_the_object_within_the_time_is_behind_it() {
        let web = json!({"cluster": "main", "service": "web", "desiredCount": 9});
        let dana = "arn:aws:iam::123456789012:user/dana";
        let events = [
            event("UpdateService", 10, "arn:old", "console", &web),
            event("UpdateService", 50, dana, "console", &web),
            event(
                "UpdateService",
                60,
                "x",
                "c",
                &json!({"cluster": "main", "service": "api"}),
            ),
            event("TagResource", 70, "x", "c", &web),
            event("UpdateService", 101, "x", "late", &web),
        ];
        let author = question().answer(&events, US, false).unwrap();
        assert_eq!(author.principal, dana);
        assert_eq!(author.call, "ecs.UpdateService");
    }

    #[test]
    fn a_call_that_set_nothing_of_the_field_is_not_behind_it() {
        let count = json!({"cluster": "main", "service": "web", "desiredCount": 9});
        let again = json!({"cluster": "main", "service": "web", "forceNewDeployment": true});
        let dana = "arn:aws:iam::123456789012:user/dana";
        let events = [
            event("UpdateService", 10, dana, "console", &count),
            event("UpdateService", 50, "arn:ci", "ci", &again),
        ];
        assert_eq!(
            question().answer(&events, US, false).unwrap().principal,
            dana
        );
    }

    #[test]
    fn a_name_is_found_in_an_arn_and_in_a_resource_id() {
        for parameters in [
            json!({"service": "arn:aws:ecs:us-east-1:1:service/main/web"}),
            json!({"resourceId": "service/main/web"}),
            json!({"cluster": "MAIN", "service": "web"}),
        ] {
            assert!(event("e", 1, "x", "c", &parameters).speaks_of(&question().names));
        }
        let other = json!({"resourceId": "service/main/web-2"});
        assert!(!event("e", 1, "x", "c", &other).speaks_of(&question().names));
        assert!(!event("e", 1, "x", "c", &other).speaks_of(&[]));
    }

    #[test]
    fn our_own_write_is_behind_no_drift_and_another_evenkeels_is() {
        let web = json!({"cluster": "main", "service": "web", "desiredCount": 1});
        let agent = "aws-sdk-rust/1.3 os/linux lang/rust app/evenkeel";
        let of = |arn: &str, agent: &str| {
            let events = [event("UpdateService", 50, arn, agent, &web)];
            question().answer(&events, US, false).is_some()
        };
        let other_session = "arn:aws:sts::123456789012:assumed-role/evenkeel/i-0def";
        assert!(!of(US, agent) && !of(other_session, agent));
        assert!(of(
            "arn:aws:sts::123456789012:assumed-role/other/i-0def",
            agent
        ));
        assert!(of(US, "aws-cli/2.1"), "a person with the same role");
    }

    #[test]
    fn whoever_came_before_a_write_of_ours_did_not_do_it() {
        let web = json!({"cluster": "main", "service": "web", "desiredCount": 9});
        let agent = "aws-sdk-rust/1.3 os/linux lang/rust app/evenkeel";
        let dana = "arn:aws:iam::123456789012:user/dana";
        let question = Question {
            look: Timestamp::from_second(940).unwrap(),
            ..question()
        };
        let named = |danas: i64, ours: i64| {
            let events = [
                event("UpdateService", danas, dana, "console", &web),
                event("UpdateService", ours, US, agent, &web),
            ];
            question.answer(&events, US, false).is_some()
        };
        assert!(!named(100, 500));
        assert!(named(600, 500));
        // The look was at 940: this is perhaps what corrected it.
        assert!(named(100, 941));
    }

    #[test]
    fn of_two_who_changed_one_field_in_turn_each_is_behind_their_own() {
        let web = json!({"cluster": "main", "service": "web", "desiredCount": 9});
        let agent = "aws-sdk-rust/1.3 os/linux lang/rust app/evenkeel";
        let at = |second| Timestamp::from_second(second).unwrap();
        let events = [
            event("UpdateService", 1000, "arn:dana", "console", &web),
            event("UpdateService", 1006, US, agent, &web),
            event("UpdateService", 1016, "arn:erin", "console", &web),
            event("UpdateService", 1021, US, agent, &web),
        ];
        let named = |after, look, events: &[Event], settled| {
            let question = Question {
                after: at(after),
                look: at(look),
                ..question()
            };
            let author = question.answer(events, US, settled);
            author.map(|author| author.principal.clone())
        };
        for settled in [false, true] {
            assert_eq!(named(998, 1005, &events, settled).unwrap(), "arn:dana");
            assert_eq!(named(1010, 1020, &events, settled).unwrap(), "arn:erin");
        }
        // Dana's call is not there yet, or never will be: Erin, who came after our write, did not do it.
        for settled in [false, true] {
            assert_eq!(named(998, 1005, &events[1..], settled), None);
        }
        assert_eq!(named(998, 1005, &events[2..], false), None);
    }

    #[test]
    fn clocks_that_are_apart_are_reckoned_with_once_no_other_event_can_come() {
        let web = json!({"cluster": "main", "service": "web", "desiredCount": 9});
        let question = Question {
            after: Timestamp::from_second(500).unwrap(),
            look: Timestamp::from_second(560).unwrap(),
            ..question()
        };
        for (second, found) in [(439, false), (441, true), (619, true), (621, false)] {
            let events = [event("UpdateService", second, "arn:dana", "console", &web)];
            assert!(question.answer(&events, US, false).is_none(), "{second}");
            assert_eq!(
                question.answer(&events, US, true).is_some(),
                found,
                "{second}"
            );
        }
        let settles = Timestamp::from_second(560 + 900).unwrap();
        assert!(question.is_settled(settles));
        assert!(!question.is_settled(earlier(settles, SignedDuration::from_secs(1))));
    }

    #[test]
    fn a_refused_call_changed_nothing() {
        let text = json!({
            "eventSource": "ecs.amazonaws.com", "eventName": "UpdateService",
            "eventTime": "2026-03-02T03:00:00Z", "errorCode": "AccessDenied",
            "userIdentity": {"arn": "x"},
        });
        assert_eq!(Event::parse(&text.to_string()), None);
        assert_eq!(Event::parse("{"), None);
    }

    #[test]
    fn an_aws_service_that_acts_by_itself_is_named() {
        let text = json!({
            "eventSource": "monitoring.amazonaws.com", "eventName": "PutMetricAlarm",
            "eventTime": "2026-03-02T03:00:00Z",
            "userIdentity": {"type": "AWSService", "invokedBy": "autoscaling.amazonaws.com"},
        });
        let event = Event::parse(&text.to_string()).unwrap();
        assert_eq!(event.author.principal, "autoscaling.amazonaws.com");
        assert_eq!(event.author.call, "cloudwatch.PutMetricAlarm");
    }
}
