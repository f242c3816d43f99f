//! Pages: drafts of documents as files, with a head that says what they are and where they are from.
//! Pure: drafts in, text out.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::yaml::{Page, scalar};
use crate::kinds::KINDS;
use crate::model::key::ResourceKey;
use crate::model::tree::Tree;
use crate::model::written::Written;
use crate::source::API_VERSION;

/// One document in the making.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// Whose.
    pub key: ResourceKey,
    /// The live object, for people.
    pub shown: String,
    /// Its spec.
    pub written: Written,
}

/// Where documents are from.
#[derive(Clone, Debug)]
pub struct Head {
    /// The app that they are of.
    pub app: String,
    /// Twelve digits.
    pub account: String,
    /// `us-east-1`.
    pub region: String,
    /// When the look began.
    pub at: Timestamp,
}

/// All documents in one text, and what each of its lines shows.
pub struct Whole {
    /// The text.
    pub text: String,
    lines: Vec<(ResourceKey, Vec<String>)>,
}

impl Whole {
    /// The document that line `line` (from 1) is of, and the path below `spec` that it shows.
    pub fn place(&self, line: u32) -> Option<(&ResourceKey, &[String])> {
        let at = usize::try_from(line).ok()?.checked_sub(1)?;
        let (key, path) = self.lines.get(at)?;
        Some((key, path))
    }
}

/// All drafts as one text without comments.
pub fn whole(drafts: &[Draft]) -> Whole {
    let mut whole = Whole {
        text: String::new(),
        lines: Vec::new(),
    };
    for draft in drafts {
        let mut page = Page::default();
        page.line(&[], "---");
        document(&mut page, draft);
        let (text, places) = page.done();
        whole.text.push_str(&text);
        let places = places.into_iter();
        whole
            .lines
            .extend(places.map(|path| (draft.key.clone(), path)));
    }
    whole
}

/// All of them in one text.
pub fn one(head: &Head, drafts: &[Draft], beyond: &[String]) -> String {
    text(head, &drafts.iter().collect::<Vec<_>>(), beyond)
}

/// One file a kind: `services.yaml` and so on. `beyond` stands at the head of the first.
pub fn files(head: &Head, drafts: &[Draft], beyond: &[String]) -> Vec<(String, String)> {
    let mut files = Vec::new();
    for kind in KINDS {
        let of_kind = drafts.iter().filter(|d| d.key.kind == kind.name());
        let of_kind: Vec<&Draft> = of_kind.collect();
        if of_kind.is_empty() {
            continue;
        }
        let beyond = if files.is_empty() { beyond } else { &[] };
        let name = format!("{}s.yaml", kind.name().to_ascii_lowercase());
        files.push((name, text(head, &of_kind, beyond)));
    }
    files
}

fn text(head: &Head, drafts: &[&Draft], beyond: &[String]) -> String {
    let mut page = Page::default();
    self::head(&mut page, head, beyond);
    for (at, draft) in drafts.iter().enumerate() {
        if at > 0 {
            page.line(&[], "---");
        }
        page.comment(&capital(&draft.shown));
        for what in &draft.written.beyond {
            page.comment(&format!("Not said here: {what}."));
        }
        document(&mut page, draft);
    }
    page.done().0
}

fn head(page: &mut Page, head: &Head, beyond: &[String]) {
    let at = head
        .at
        .to_zoned(TimeZone::UTC)
        .strftime("%Y-%m-%d %H:%M UTC");
    page.comment(&format!(
        "{}: written by `evenkeel import` from account {}, {}, as of {at}.",
        head.app, head.account, head.region
    ));
    page.comment(
        "It says what was there, so that a plan of it is empty. A field that is left out is never \
         touched; what stands here is kept as it says from the first `apply` or `run` on.",
    );
    if !beyond.is_empty() {
        page.comment("What no document says, and is left as it is:");
        beyond.iter().for_each(|what| page.point(what));
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}

fn document(page: &mut Page, draft: &Draft) {
    let word = |text: &str| scalar(&Tree::from(text));
    page.line(&[], &format!("apiVersion: {API_VERSION}"));
    page.line(&[], &format!("kind: {}", draft.key.kind));
    page.line(
        &[],
        &format!(
            "metadata: {{app: {}, name: {}}}",
            word(&draft.key.app),
            word(&draft.key.name)
        ),
    );
    page.line(&[], "spec:");
    page.fields(&[], 2, &draft.written.fields);
}
