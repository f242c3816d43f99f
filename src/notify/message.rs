//! Messages: a notice in words, for people and for programs. Pure: values in, text out.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::model::notice::{About, Notice, Topic};
use crate::model::tree::{Tree, digest_of};
use crate::render::layout::{clean, value as shown};

/// Most objects that one message shows; how many more there are is said.
pub const OBJECTS: usize = 20;
/// Most fields that are shown of one object.
const FIELDS: usize = 10;
/// Most characters of one value or sentence.
const LONGEST: usize = 300;
/// Longest subject of an e-mail that SNS takes (API reference, Publish).
const SUBJECT: usize = 100;

/// Who sends, for people: where the estate is and which replica it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct From {
    /// Twelve digits.
    pub account: String,
    /// `us-east-1`.
    pub region: String,
    /// `user@host/pid`.
    pub replica: String,
}

/// A notice on its way to one receiver.
#[derive(Clone, Debug, PartialEq)]
pub struct Letter {
    /// What it tells.
    pub notice: Notice,
    /// How many others its receiver was not told of since the last one.
    pub left_out: u32,
}

/// The first line: `shop: drift found in 2 objects`.
pub fn title(notice: &Notice) -> String {
    let what = notice.topic.said();
    let whose = match notice.app.as_str() {
        "" => "Git source",
        app => app,
    };
    match notice.objects.len() {
        0 => format!("{whose}: {what}"),
        1 => format!("{whose}: {what} in 1 object"),
        n => format!("{whose}: {what} in {n} objects"),
    }
}

/// The title as the subject of an e-mail: one line of ASCII.
pub fn subject(notice: &Notice) -> String {
    let text = format!("[{}] {}", notice.severity.word(), title(notice));
    let ascii = text
        .chars()
        .map(|c| if (' '..='~').contains(&c) { c } else { '?' });
    ascii.take(SUBJECT).collect()
}

/// All of it, as plain text.
pub fn text(letter: &Letter, from: &From) -> String {
    let notice = &letter.notice;
    let mut lines = vec![format!("[{}] {}", notice.severity.word(), title(notice))];
    if let Some(why) = &notice.why {
        lines.push(short(why));
    }
    for about in notice.objects.iter().take(OBJECTS) {
        lines.push(String::new());
        lines.push(clean(&about.key));
        lines.extend(
            body(about, notice.topic)
                .into_iter()
                .map(|line| format!("  {line}")),
        );
    }
    let more = notice.objects.len().saturating_sub(OBJECTS);
    if more > 0 {
        lines.push(format!("\nand {more} more objects; see `evenkeel status`"));
    }
    if letter.left_out > 0 {
        lines.push(format!(
            "\n{} earlier notices were left out; see the log and `evenkeel status`",
            letter.left_out
        ));
    }
    lines.push(format!(
        "\n{} {}, at {}, from {}",
        from.account,
        from.region,
        second(notice.at),
        clean(&from.replica)
    ));
    lines.join("\n")
}

fn body(about: &About, topic: Topic) -> Vec<String> {
    let mut lines = Vec::new();
    if !about.says.is_empty() {
        lines.push(short(&about.says));
    }
    let (before, after) = match topic {
        Topic::Corrected => ("was", "is now"),
        _ => ("is", "should be"),
    };
    for drift in about.drift.iter().take(FIELDS) {
        lines.push(format!(
            "{} {before} {}, {after} {}",
            clean(&drift.path.to_string()),
            value(&drift.live),
            value(&drift.desired)
        ));
    }
    let more = about.drift.len().saturating_sub(FIELDS);
    if more > 0 {
        lines.push(format!("and {more} more fields"));
    }
    let verb = match topic {
        Topic::ChangeBegins => "will",
        _ => "did",
    };
    lines.extend(
        about
            .steps
            .iter()
            .map(|step| format!("{verb}: {}", short(step))),
    );
    lines
}

fn value(tree: &Tree) -> String {
    match tree {
        Tree::Null => "not set".to_owned(),
        // In quotes: a value may be the word `missing`.
        Tree::String(_) => short(&tree.to_string()),
        other => short(&shown(other)),
    }
}

fn short(text: &str) -> String {
    let text = clean(text);
    if text.chars().count() <= LONGEST {
        return text;
    }
    text.chars().take(LONGEST).chain("...".chars()).collect()
}

fn second(at: Timestamp) -> String {
    at.to_zoned(jiff::tz::TimeZone::UTC)
        .strftime("%Y-%m-%dT%H:%M:%SZ")
        .to_string()
}

/// The body that a Slack-compatible webhook takes.
pub fn slack(letter: &Letter, from: &From) -> Value {
    let text = text(letter, from);
    let (title, rest) = text.split_once('\n').unwrap_or((&text, ""));
    // The three characters that Slack's text gives a meaning, and the fence that we put around it.
    let escape = |text: &str| {
        text.replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace("```", "'''")
    };
    json!({"text": format!("*{}*\n```{}```", escape(title), escape(rest.trim_matches('\n')))})
}

/// The body that a webhook gets; its shape is documented and only ever grows.
pub fn json(letter: &Letter, from: &From) -> Value {
    let notice = &letter.notice;
    json!({
        "version": 1,
        "id": digest_of(&(notice, &from.account, &from.region)),
        "event": notice.topic.word(),
        "severity": notice.severity.word(),
        "app": notice.app,
        "account": from.account,
        "region": from.region,
        "replica": from.replica,
        "at": second(notice.at),
        "title": title(notice),
        "why": notice.why,
        "objects": notice.objects.iter().take(OBJECTS).collect::<Vec<_>>(),
        "moreObjects": notice.objects.len().saturating_sub(OBJECTS),
        "leftOut": letter.left_out,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::change::Drift;
    use crate::model::tree::FieldPath;

    pub fn from() -> From {
        From {
            account: "123456789012".into(),
            region: "us-east-1".into(),
            replica: "me@host/1".into(),
        }
    }

    fn letter(objects: usize) -> Letter {
        let about = |n: usize| About {
            key: format!("shop/Service/s{n}"),
            says: String::new(),
            drift: vec![Drift {
                path: FieldPath::dotted("spec.desiredCount"),
                desired: Tree::from(3),
                live: Tree::Null,
            }],
            steps: Vec::new(),
        };
        let at = "2026-03-02T12:00:00Z".parse().unwrap();
        let objects = (0..objects).map(about).collect();
        Letter {
            notice: Notice::new(Topic::DriftFound, "shop", at, objects),
            left_out: 2,
        }
    }

    #[test]
    fn a_notice_says_what_differs_where_and_what_was_not_told() {
        assert_eq!(
            text(&letter(1), &from()),
            "[warning] shop: drift found in 1 object\n\nshop/Service/s0\n  \
             spec.desiredCount is not set, should be 3\n\n2 earlier notices were left out; see \
             the log and `evenkeel status`\n\n123456789012 us-east-1, at 2026-03-02T12:00:00Z, \
             from me@host/1"
        );
        let many = text(&letter(25), &from());
        assert!(many.contains("and 5 more objects"), "{many}");
        assert_eq!(json(&letter(25), &from())["moreObjects"], 5);
    }

    #[test]
    fn nothing_in_a_notice_is_obeyed_by_slack_a_terminal_or_a_mail() {
        let mut letter = letter(1);
        letter.notice.objects[0].says = "<!channel> ``` \u{1b}[31m & ü".into();
        let slack = slack(&letter, &from())["text"].as_str().unwrap().to_owned();
        assert!(
            slack.contains("&lt;!channel&gt; ''' ?[31m &amp;"),
            "{slack}"
        );
        letter.notice.app = "é\n".into();
        assert_eq!(
            subject(&letter.notice),
            "[warning] ??: drift found in 1 object"
        );
    }

    #[test]
    fn the_shape_of_the_json_is_the_documented_one() {
        let shown = json(&letter(1), &from());
        let names: Vec<&String> = shown.as_object().unwrap().keys().collect();
        assert_eq!(
            names,
            [
                "account",
                "app",
                "at",
                "event",
                "id",
                "leftOut",
                "moreObjects",
                "objects",
                "region",
                "replica",
                "severity",
                "title",
                "version",
                "why",
            ]
        );
        assert_eq!(
            shown["objects"][0],
            json!({"key": "shop/Service/s0", "drift": [{"path": "spec.desiredCount", "desired": 3, "live": null}]})
        );
    }
}
