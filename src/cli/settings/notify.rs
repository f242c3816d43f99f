//! `notify` and `changeNotices` in the settings: who is told what, and where their URLs are kept.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde_saphyr::Spanned;

use super::{Bad, nearest};
use crate::model::key::is_label;
use crate::model::notice::{Severity, Topic};
use crate::notify::receiver::{Kept, PER_HOUR, Receiver, Way, region_of};

/// Most notices an hour that can be asked for.
const MOST_PER_HOUR: u32 = 3600;

/// One receiver as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct WrittenReceiver {
    name: Option<Spanned<String>>,
    sns: Option<Spanned<String>>,
    slack: Option<Spanned<WrittenKept>>,
    webhook: Option<Spanned<WrittenKept>>,
    apps: Option<Vec<Spanned<String>>>,
    severity: Option<Spanned<String>>,
    events: Option<Vec<Spanned<String>>>,
    per_hour: Option<Spanned<u32>>,
}

/// Where a URL is kept, as it is written: `{env: NAME}` or `{file: PATH}`.
pub struct WrittenKept(Kept);

impl<'de> Deserialize<'de> for WrittenKept {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KeptVisitor).map(Self)
    }
}

struct KeptVisitor;

impl<'de> Visitor<'de> for KeptVisitor {
    type Value = Kept;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{env: NAME} or {file: PATH}")
    }

    // Whoever writes the URL itself is told so without seeing it again in a log.
    fn visit_str<E: de::Error>(self, _: &str) -> Result<Kept, E> {
        Err(E::custom(
            "a webhook's URL is a secret and must not stand here; write {env: NAME} or {file: \
             PATH} of where it is kept",
        ))
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Kept, M::Error> {
        let mut kept = None;
        while let Some(key) = map.next_key::<String>()? {
            let value: String = map.next_value()?;
            let this = match key.as_str() {
                "env" => Kept::Env(value),
                "file" => Kept::File(value),
                _ => return Err(de::Error::custom("only `env` or `file` can stand here")),
            };
            if kept.replace(this).is_some() {
                return Err(de::Error::custom("name one of `env` and `file`, not both"));
            }
        }
        kept.ok_or_else(|| de::Error::custom("name `env` or `file`"))
    }
}

/// The receivers that `written` means; `of_changes` where they are those of change notices.
///
/// # Errors
/// The first thing that is wrong, with its place.
pub fn meant(
    written: Option<Vec<Spanned<WrittenReceiver>>>,
    of_changes: bool,
) -> Result<Vec<Receiver>, Bad> {
    let mut receivers: Vec<Receiver> = Vec::new();
    for (at, one) in written.into_iter().flatten().enumerate() {
        let place = one.referenced;
        let named = one.value.name.as_ref().map(|name| name.referenced);
        let receiver = receiver(one, at, of_changes)?;
        if receivers.iter().any(|other| other.name == receiver.name) {
            return Err((
                named.unwrap_or(place),
                format!(
                    "two receivers are named {:?}; rename one of them",
                    receiver.name
                ),
            ));
        }
        receivers.push(receiver);
    }
    Ok(receivers)
}

fn receiver(
    written: Spanned<WrittenReceiver>,
    at: usize,
    of_changes: bool,
) -> Result<Receiver, Bad> {
    let place = written.referenced;
    let WrittenReceiver {
        name,
        sns,
        slack,
        webhook,
        apps,
        severity,
        events,
        per_hour,
    } = written.value;
    let (way, sort) = match (sns, slack, webhook) {
        (Some(topic), None, None) => {
            if region_of(&topic.value).is_none() {
                return Err((
                    topic.referenced,
                    format!(
                        "{:?} is not the ARN of a topic; write one such as \
                         arn:aws:sns:us-east-1:123456789012:alerts",
                        topic.value
                    ),
                ));
            }
            (Way::Sns(topic.value), "sns")
        }
        (None, Some(kept), None) => (Way::Slack(kept.value.0), "slack"),
        (None, None, Some(kept)) => (Way::Webhook(kept.value.0), "webhook"),
        _ => {
            return Err((
                place,
                "a receiver has one of `sns`, `slack` and `webhook`".to_owned(),
            ));
        }
    };
    if of_changes && let Some(event) = events.as_ref().and_then(|e| e.first()) {
        return Err((
            event.referenced,
            "a receiver of change notices gets both of them; take `events` out".to_owned(),
        ));
    }
    if of_changes && let Some(severity) = &severity {
        return Err((
            severity.referenced,
            "a receiver of change notices gets all of them; take `severity` out".to_owned(),
        ));
    }
    let apps = apps.unwrap_or_default().into_iter().map(app);
    let events = events.unwrap_or_default().into_iter().map(topic);
    Ok(Receiver {
        name: match name {
            Some(name) => name.value,
            // Its place in its list tells it apart from others of its sort.
            None if of_changes => format!("changes-{sort}-{}", at + 1),
            None => format!("{sort}-{}", at + 1),
        },
        way,
        apps: apps.collect::<Result<_, _>>()?,
        severity: severity.map_or(Ok(Severity::Info), self::severity)?,
        events: events.collect::<Result<_, _>>()?,
        per_hour: per_hour.map_or(Ok(PER_HOUR), self::per_hour)?,
        of_changes,
    })
}

fn app(app: Spanned<String>) -> Result<String, Bad> {
    match is_label(&app.value) {
        true => Ok(app.value),
        false => Err((
            app.referenced,
            format!("{:?} is not the name of an app: a-z, 0-9 and -", app.value),
        )),
    }
}

fn word<T: Copy>(
    written: Spanned<String>,
    what: &str,
    all: &[(&'static str, T)],
) -> Result<T, Bad> {
    if let Some((_, found)) = all.iter().find(|(word, _)| *word == written.value) {
        return Ok(*found);
    }
    let words = all.iter().map(|(word, _)| *word);
    let near = nearest(&written.value, words.clone())
        .map_or_else(String::new, |near| format!("; did you mean {near}?"));
    let there: Vec<&str> = words.collect();
    Err((
        written.referenced,
        format!(
            "{:?} is no {what}{near} (there are {})",
            written.value,
            there.join(", ")
        ),
    ))
}

fn topic(written: Spanned<String>) -> Result<Topic, Bad> {
    let told = |topic: &Topic| !topic.is_of_a_change() && *topic != Topic::LeftOut;
    let all: Vec<(&'static str, Topic)> = Topic::ALL
        .into_iter()
        .filter(told)
        .map(|topic| (topic.word(), topic))
        .collect();
    word(written, "event", &all)
}

fn severity(written: Spanned<String>) -> Result<Severity, Bad> {
    let all = Severity::ALL.map(|severity| (severity.word(), severity));
    word(written, "severity", &all)
}

fn per_hour(written: Spanned<u32>) -> Result<u32, Bad> {
    match written.value {
        n @ 1..=MOST_PER_HOUR => Ok(n),
        n => Err((
            written.referenced,
            format!("perHour is {n}; write 1 to {MOST_PER_HOUR} notices an hour"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::settings::parse;

    fn fault(text: &str) -> String {
        parse("evenkeel.yaml", text).unwrap_err().to_string()
    }

    #[test]
    fn receivers_are_read_with_what_they_want() {
        let text = "notify:\n  - name: ops\n    sns: arn:aws:sns:us-east-1:123456789012:alerts\n    \
                    severity: warning\n    events: [contested, failed]\n    apps: [shop]\n    perHour: 12\n  \
                    - slack: {env: SLACK_URL}\n  - webhook: {file: /run/secrets/hook}\n\
                    changeNotices:\n  - sns: arn:aws:sns:us-east-1:123456789012:changes\n";
        let settings = parse("evenkeel.yaml", text).unwrap();
        let [ops, slack, webhook] = settings.notify.as_slice() else {
            panic!("{settings:?}");
        };
        assert_eq!((ops.severity, ops.per_hour), (Severity::Warning, 12));
        assert_eq!(ops.events, [Topic::Contested, Topic::Failed]);
        assert_eq!((slack.name.as_str(), slack.per_hour), ("slack-2", PER_HOUR));
        assert_eq!(
            webhook.way,
            Way::Webhook(Kept::File("/run/secrets/hook".into()))
        );
        assert!(settings.change_notices[0].of_changes);
    }

    #[test]
    fn a_url_in_the_settings_is_refused_and_not_repeated() {
        for text in [
            "notify:\n  - slack: https://hooks.slack.com/services/hunter2\n",
            "notify:\n  - webhook: \"https://example.com/hunter2\"\n",
        ] {
            let fault = fault(text);
            assert!(
                fault.contains("is a secret and must not stand here"),
                "{fault}"
            );
            assert!(!fault.contains("hunter2"), "{fault}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_receiver_is_told_with_its_place() {
        for (text, told) in [
            ("notify:\n  - name: a\n", "2:5: a receiver has one of"),
            (
                "notify:\n  - sns: alerts\n",
                "2:10: \"alerts\" is not the ARN of a topic",
            ),
            (
                "notify:\n  - sns: arn:aws:sns:us-east-1:123456789012:a\n    events: [contestd]\n",
                "3:14: \"contestd\" is no event; did you mean contested?",
            ),
            (
                "notify:\n  - slack: {env: A}\n    severity: bad\n",
                "3:15: \"bad\" is no severity",
            ),
            (
                "notify:\n  - slack: {env: A}\n    perHour: 0\n",
                "3:14: perHour is 0",
            ),
            (
                "notify:\n  - slack: {env: A}\n    apps: [Shop]\n",
                "3:12: \"Shop\" is not the name",
            ),
            (
                "changeNotices:\n  - slack: {env: A}\n    events: [failed]\n",
                "3:14: a receiver of change notices gets both",
            ),
            (
                "notify:\n  - {name: a, slack: {env: A}}\n  - {name: a, slack: {env: B}}\n",
                "two receivers are named \"a\"",
            ),
        ] {
            let fault = fault(text);
            assert!(fault.contains(told), "{fault}\n{told}");
        }
    }
}
