//! The report as one HTML file with charts, which loads nothing and runs nothing.
//!
//! Pure: a report in, text out. The template escapes all text that it is given.

use askama::Template;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{fate, lasting, moved, period, who};
use crate::model::drift::Authorship;
use crate::model::over_time::Bucket;
use crate::model::report::{Held, Line, Report, State, Tally, moment};
use crate::model::survey::Coverage;
use crate::render::layout::clean;

/// The page, as the template draws it.
#[derive(Template)]
#[template(path = "report.html")]
struct Page {
    title: String,
    place: String,
    period: String,
    made_at: String,
    sentence: String,
    tone: &'static str,
    overrides: Vec<String>,
    cards: Vec<Card>,
    open: Vec<Row>,
    ended: Vec<Row>,
    held: Vec<HeldRow>,
    chart: Chart,
    by_app: Vec<BarRow>,
    by_principal: Vec<BarRow>,
    coverage: Option<CoverageView>,
    notes: Vec<String>,
}

/// Most bars that each have a label of their own.
const LABELS_ALL: usize = 8;

/// One figure.
struct Card {
    name: &'static str,
    figure: String,
    told: String,
    tone: &'static str,
}

/// One episode of drift.
struct Row {
    severity: String,
    key: String,
    /// In parts: a line may break after each.
    field: Vec<String>,
    kind: String,
    at_risk: String,
    /// In parts, as the field.
    moved: Vec<String>,
    found: String,
    lasted: String,
    fate: String,
    who: String,
    /// In parts, as the field.
    call: Vec<String>,
    how: String,
}

/// One object that is held back.
struct HeldRow {
    key: String,
    word: &'static str,
    since: String,
    reasons: Vec<String>,
}

/// Bars over time. Coordinates are those of a box of 1000 by 100.
struct Chart {
    bars: Vec<Bar>,
    lines: Vec<u32>,
    most: usize,
    labels: Vec<String>,
    /// Whether only the first, the middle and the last have a label.
    few: bool,
    told: String,
    unit: &'static str,
}

struct Bar {
    class: &'static str,
    x: u32,
    y: u32,
    width: u32,
    height: u32,
    told: String,
}

/// One name and its bar, in percent of the longest.
struct BarRow {
    name: String,
    full: String,
    drift: usize,
    severe: usize,
    calm_percent: usize,
    severe_percent: usize,
}

struct CoverageView {
    sorts: Vec<ShareRow>,
    unowned: Vec<UnownedRow>,
    unread: Vec<String>,
}

struct ShareRow {
    sort: String,
    owned: usize,
    live: usize,
    percent: usize,
}

struct UnownedRow {
    sort: String,
    name: String,
    beside: String,
}

/// The whole page.
///
/// # Errors
/// The template cannot be filled in: a bug of ours.
pub fn html(report: &Report) -> Result<String, askama::Error> {
    let of = report.app.as_deref();
    let of = of.map_or(String::new(), |app| format!(" of {}", clean(app)));
    Page {
        title: format!("Drift report{of}"),
        place: format!("account {}, {}", report.account, report.region),
        period: period(report),
        made_at: moment(report.made_at),
        sentence: report.sentence(),
        tone: if report.figures.severe > 0 {
            "high"
        } else if report.figures.open > 0
            || report.state.in_order < report.state.objects
            || report.state.objects == 0
            || !report.overrides.is_empty()
        {
            "medium"
        } else {
            "good"
        },
        overrides: report.overrides.iter().map(|text| clean(text)).collect(),
        cards: cards(report),
        open: report.open.iter().map(row).collect(),
        ended: report.ended.iter().map(row).collect(),
        held: report.held.iter().map(held).collect(),
        chart: chart(&report.over_time),
        by_app: bars(&report.by_app),
        by_principal: bars(&report.by_principal),
        coverage: report.coverage.as_ref().map(coverage),
        notes: report.notes.iter().map(|note| clean(note)).collect(),
    }
    .render()
}

fn cards(report: &Report) -> Vec<Card> {
    let (state, figures) = (&report.state, &report.figures);
    let mean = |seconds: Option<i64>| seconds.map_or("\u{2013}".to_owned(), lasting);
    vec![
        Card {
            name: "In order now",
            figure: format!("{} of {}", state.in_order, state.objects),
            told: waiting(state),
            // Red is for what is severe alone.
            tone: if state.in_order < state.objects {
                "medium"
            } else {
                "good"
            },
        },
        Card {
            name: "Standing open",
            figure: figures.open.to_string(),
            told: format!("{} severe, {} contested", figures.severe, figures.contested),
            tone: match (figures.severe, figures.open) {
                (0, 0) => "good",
                (0, _) => "medium",
                _ => "high",
            },
        },
        Card {
            name: "Drifted",
            figure: figures.began.to_string(),
            told: format!("{} corrected by Evenkeel", figures.corrected),
            tone: "plain",
        },
        Card {
            name: "Mean time to detect",
            figure: mean(figures.mean_seconds_to_detect),
            told: match figures.detected_of {
                0 => "no call is known".to_owned(),
                n => format!("from the call, where known ({n})"),
            },
            tone: "plain",
        },
        Card {
            name: "Mean time to correct",
            figure: mean(figures.mean_seconds_to_correct),
            told: match figures.corrected_of {
                0 => "nothing was corrected".to_owned(),
                n => format!("from the look that found it ({n})"),
            },
            tone: "plain",
        },
    ]
}

/// What is not in order, and how it stands.
fn waiting(state: &State) -> String {
    let counts = [
        (state.drifted, "to write"),
        (state.blocked, "blocked"),
        (state.deferred, "deferred"),
        (state.unreadable, "unreadable"),
    ];
    let told = counts.iter().filter(|(n, _)| *n > 0);
    let told: Vec<String> = told.map(|(n, word)| format!("{n} {word}")).collect();
    if told.is_empty() {
        "nothing waits".to_owned()
    } else {
        told.join(", ")
    }
}

fn row(line: &Line) -> Row {
    let (who, call, how) = match &line.record.author {
        Authorship::Named(author) => (
            who(&author.principal),
            match line.is_known_drift() {
                true => parts(&author.call),
                false => parts(&format!("the last to change it: {}", author.call)),
            },
            clean(&format!(" from {}, {}", author.address, moment(author.at))),
        ),
        Authorship::NotYet => ("not known yet".to_owned(), Vec::new(), String::new()),
        Authorship::NotFound => (
            "not known".to_owned(),
            Vec::new(),
            "CloudTrail has no such call".to_owned(),
        ),
    };
    Row {
        severity: line.severity.to_string(),
        key: line.record.key.to_string(),
        field: parts(&line.record.field()),
        kind: line.record.kind.to_string(),
        at_risk: line.record.at_risk.to_string(),
        moved: parts(&moved(line)),
        found: moment(line.record.first_seen),
        lasted: match line.record.end {
            Some(_) => format!("lasted {}", lasting(line.lasted_seconds)),
            None => format!("for {} so far", lasting(line.lasted_seconds)),
        },
        fate: fate(line),
        who,
        call,
        how,
    }
}

/// A text with long names in it, cut where a line may break within one: after a dot, and before a
/// capital that follows a small letter.
fn parts(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut before = ' ';
    for c in clean(text).chars() {
        if before == '.' || (before.is_lowercase() && c.is_uppercase()) {
            parts.push(String::new());
        }
        if let Some(part) = parts.last_mut() {
            part.push(c);
        }
        before = c;
    }
    parts
}

fn held(held: &Held) -> HeldRow {
    HeldRow {
        key: held.key.to_string(),
        word: if held.blocked { "blocked" } else { "deferred" },
        since: held.since.map_or("not recorded".to_owned(), moment),
        reasons: held.reasons.iter().map(|reason| clean(reason)).collect(),
    }
}

/// Hours or days side by side: what began, by severity, on top of each other; what was corrected
/// beside it.
fn chart(buckets: &[Bucket]) -> Chart {
    let began = |b: &Bucket| b.high + b.medium + b.low;
    let most = buckets
        .iter()
        .map(|b| began(b).max(b.corrected))
        .max()
        .unwrap_or(0);
    let by_hour = match buckets {
        [a, b, ..] => b.from.duration_since(a.from).as_hours() < 24,
        _ => false,
    };
    let scale = u32::try_from(most.max(1)).unwrap_or(u32::MAX);
    let slot = 1000
        / u32::try_from(buckets.len().max(1))
            .unwrap_or(1000)
            .min(1000);
    let mut bars = Vec::new();
    for (n, bucket) in (0..).zip(buckets) {
        let left = n * slot + slot / 8;
        let day = label(bucket.from, by_hour);
        let mut top = 100;
        let stack = [
            ("high", bucket.high),
            ("medium", bucket.medium),
            ("low", bucket.low),
        ];
        for (class, count) in stack {
            // The least is seen, however high the rest is.
            let height = (u32::try_from(count).unwrap_or(scale) * 100 / scale).max(1);
            if count == 0 {
                continue;
            }
            top -= height.min(top);
            bars.push(Bar {
                class,
                x: left,
                y: top,
                width: (slot / 2).max(1),
                height,
                told: format!("{day}: {count} {class}"),
            });
        }
        let height = (u32::try_from(bucket.corrected).unwrap_or(scale) * 100 / scale).max(1);
        if bucket.corrected > 0 {
            bars.push(Bar {
                class: "corrected",
                x: left + slot / 2 + slot / 20,
                y: 100 - height.min(100),
                width: (slot / 5).max(1),
                height,
                told: format!("{day}: {} corrected", bucket.corrected),
            });
        }
    }
    let total: usize = buckets.iter().map(began).sum();
    let corrected: usize = buckets.iter().map(|b| b.corrected).sum();
    let unit = if by_hour { "hour" } else { "day" };
    let peak = buckets.iter().max_by_key(|b| began(b));
    let peak = peak.filter(|b| began(b) > 0).map_or(String::new(), |b| {
        format!("; most on {}, with {}", label(b.from, by_hour), began(b))
    });
    Chart {
        bars,
        lines: vec![0, 50],
        most,
        labels: labels(buckets, by_hour),
        few: buckets.len() > LABELS_ALL,
        told: format!("{total} began and {corrected} were corrected{peak}."),
        unit,
    }
}

/// A label for each bar, or for three of many.
fn labels(buckets: &[Bucket], by_hour: bool) -> Vec<String> {
    if buckets.len() <= LABELS_ALL {
        return buckets.iter().map(|b| label(b.from, by_hour)).collect();
    }
    let last = buckets.len().saturating_sub(1);
    let mut at = vec![0, last / 2, last];
    at.dedup();
    at.into_iter()
        .filter_map(|n| buckets.get(n))
        .map(|bucket| label(bucket.from, by_hour))
        .collect()
}

fn label(at: Timestamp, by_hour: bool) -> String {
    let form = if by_hour { "%d %b %H:%M" } else { "%d %b" };
    at.to_zoned(TimeZone::UTC).strftime(form).to_string()
}

fn bars(tally: &[Tally]) -> Vec<BarRow> {
    let most = tally.iter().map(|t| t.drift).max().unwrap_or(1).max(1);
    tally
        .iter()
        .map(|one| BarRow {
            name: who(&one.name),
            full: clean(&one.name),
            drift: one.drift,
            severe: one.severe,
            severe_percent: one.severe * 100 / most,
            calm_percent: (one.drift - one.severe) * 100 / most,
        })
        .collect()
}

fn coverage(coverage: &Coverage) -> CoverageView {
    let sorts = coverage.sorts.iter().map(|share| ShareRow {
        sort: share.sort.to_string(),
        owned: share.owned,
        live: share.live,
        percent: share.owned * 100 / share.live.max(1),
    });
    let unowned = coverage.unowned.iter().map(|unowned| UnownedRow {
        sort: unowned.sort.to_string(),
        name: clean(&unowned.name),
        beside: unowned
            .beside
            .as_ref()
            .map_or(String::new(), ToString::to_string),
    });
    CoverageView {
        sorts: sorts.collect(),
        unowned: unowned.collect(),
        unread: coverage.unread.iter().map(|why| clean(why)).collect(),
    }
}
