//! Reports as text, Markdown and HTML, all of one value.
//!
//! Pure: a report in, text out.

pub mod html;
pub mod markdown;
pub mod text;

use crate::model::drift::{Authorship, DriftKind, How};
use crate::model::report::{Line, Report, moment};
use crate::model::source::SourceState;
use crate::model::tree::Tree;
use crate::render::layout::{clean, seconds, value};

/// What a report is of: the period, and the commit.
fn period(report: &Report) -> String {
    let source = report.source.as_ref().and_then(SourceState::named);
    let named = source.map_or_else(String::new, |named| format!(", {named}"));
    format!(
        "{} to {}{named}",
        moment(report.since),
        moment(report.made_at)
    )
}

/// What moved: `2 -> 9`, `(not set) -> by hand`.
fn moved(line: &Line) -> String {
    let (desired, live) = (&line.record.desired, &line.record.live);
    match line.record.kind {
        _ if line.record.path.segments().is_empty() => "it was not there".to_owned(),
        DriftKind::Unmanaged => format!("no document names it: {}", said(live)),
        DriftKind::Suspended => said(live),
        DriftKind::Missing => format!("{} was not there", said(desired)),
        DriftKind::Pending => format!("{} until it is {}", said(live), said(desired)),
        DriftKind::Changed | DriftKind::Contested if !line.is_known_drift() => {
            format!("it was {}, and {} is wanted", said(live), said(desired))
        }
        DriftKind::Changed | DriftKind::Contested => {
            format!("{} became {}", said(desired), said(live))
        }
    }
}

/// A value as people write it; lists and mappings without their brackets.
fn said(tree: &Tree) -> String {
    match tree {
        Tree::Array(items) if !items.is_empty() => {
            let items: Vec<String> = items.iter().map(said).collect();
            items.join(", ")
        }
        Tree::Object(members) if !members.is_empty() && !members.contains_key("min") => {
            let members = members.iter();
            let members = members.map(|(name, inner)| format!("{} {}", clean(name), said(inner)));
            members.collect::<Vec<_>>().join(", ")
        }
        other => value(other),
    }
}

/// How it ended, or how it stands.
fn fate(line: &Line) -> String {
    match &line.record.end {
        Some(end) => {
            let at = moment(end.at);
            match &end.how {
                How::Corrected { intent } => format!("corrected {at} (intent {intent:.12})"),
                How::SetRight => format!("set right by somebody else {at}"),
                How::Withdrawn => format!("withdrawn {at}: its document asks for it no more"),
            }
        }
        None if line.standing => match line.record.kind {
            DriftKind::Contested => "open; correcting it has stopped".to_owned(),
            DriftKind::Pending => "open; AWS makes it so in its own window".to_owned(),
            DriftKind::Suspended | DriftKind::Unmanaged => "open; left as it is".to_owned(),
            DriftKind::Changed | DriftKind::Missing => "open".to_owned(),
        },
        None => "recorded as open; the look of just now did not show it".to_owned(),
    }
}

/// What stands before who it was.
fn by(line: &Line) -> &'static str {
    match line.is_known_drift() {
        true => "by ",
        false => "last changed by ",
    }
}

/// Who did it, in full.
fn author(line: &Line) -> String {
    match &line.record.author {
        Authorship::Named(author) => clean(&format!(
            "{}, {} from {}, {}",
            author.principal,
            author.call,
            author.address,
            moment(author.at)
        )),
        Authorship::NotYet => "not known yet".to_owned(),
        Authorship::NotFound => "not known: CloudTrail has no such call".to_owned(),
    }
}

/// What people know each other by: the name of a user or of a role, and of its session.
fn who(principal: &str) -> String {
    let short = principal.splitn(6, ':').nth(5).unwrap_or(principal);
    let mut parts = short.split('/');
    clean(&match (parts.next(), parts.next(), parts.next()) {
        (Some("assumed-role"), Some(role), Some(session)) => format!("{role} ({session})"),
        (Some("user" | "assumed-role"), Some(_), _) => {
            short.rsplit('/').next().unwrap_or(short).to_owned()
        }
        _ => short.to_owned(),
    })
}

/// A time in seconds, for people.
fn lasting(total: i64) -> String {
    match u64::try_from(total).unwrap_or(0) {
        days @ 172_800.. => format!("{} days", days / 86_400),
        hours @ 7200.. if hours % 3600 < 60 => format!("{} h", hours / 3600),
        less => seconds(less),
    }
}

/// A mean and what it is the mean of.
fn mean(seconds: Option<i64>, of: usize, what: &str) -> String {
    match seconds {
        None => format!("not known (of none {what})"),
        Some(mean) => format!("{} on average (of {of} {what})", lasting(mean)),
    }
}
