//! Settings: what `evenkeel.yaml` says, and where it is wrong.

mod ceilings;
pub mod notify;

use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use serde_saphyr::{Location, Spanned};

use self::source::GitSettings;
use super::store_spec::StoreSpec;
use crate::control::policy::ChangePolicy;
use crate::control::spec::PolicySpec;
use crate::notify::receiver::Receiver;

pub mod source;

/// The file that is read when `--settings` names no other.
pub const SETTINGS_FILE: &str = "evenkeel.yaml";
/// Largest settings file, in bytes.
const LARGEST: usize = 64 * 1024;

/// What `evenkeel.yaml` sets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The only account that may be read or written: twelve digits.
    pub account: Option<String>,
    /// The only region, and the one used when nothing else names one: `eu-central-1`.
    pub region: Option<String>,
    /// Where leases, ledger and memory are kept.
    pub store: Option<StoreSpec>,
    /// How often `run` looks again, at the longest.
    pub interval: Option<Duration>,
    /// Who is told of changes of state.
    pub notify: Vec<Receiver>,
    /// Who is told before and after each change.
    pub change_notices: Vec<Receiver>,
    /// The environment whose values documents have.
    pub environment: Option<String>,
    /// What no Policy document can pass.
    pub ceiling: Option<ChangePolicy>,
    /// The Git repository that the desired state is read from where no folder is typed.
    pub source: Option<GitSettings>,
}

/// A settings file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// It is there and cannot be read, or was named and is not there.
    #[error("reading the settings file {file}")]
    Read {
        /// Which.
        file: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is read and wrong.
    #[error("{file}:{line}:{column}: {what}")]
    Wrong {
        /// Which.
        file: String,
        /// From 1.
        line: u64,
        /// From 1.
        column: u64,
        /// What is wrong and what to write instead.
        what: String,
    },
}

/// Whether the file has to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// The user named it.
    Required,
    /// It is the default, and may be absent.
    Optional,
}

/// Reads `file`.
///
/// # Errors
/// A file that cannot be read, or says something that it must not.
pub fn read(file: &Path, presence: Presence) -> Result<Settings, SettingsError> {
    match std::fs::read_to_string(file) {
        Ok(text) => parse(&file.display().to_string(), &text),
        Err(e) if e.kind() == ErrorKind::NotFound && presence == Presence::Optional => {
            Ok(Settings::default())
        }
        Err(source) => Err(SettingsError::Read {
            file: file.display().to_string(),
            source,
        }),
    }
}

/// The settings in `text`, which `file` holds.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn parse(file: &str, text: &str) -> Result<Settings, SettingsError> {
    let wrong = |at: Option<Location>, what: String| SettingsError::Wrong {
        file: file.to_owned(),
        line: at.map_or(1, |l| l.line().max(1)),
        column: at.map_or(1, |l| l.column().max(1)),
        what,
    };
    if text.len() > LARGEST {
        return Err(wrong(None, "a settings file has at most 64 KiB".to_owned()));
    }
    // A file of comments only sets nothing.
    let empty = text
        .lines()
        .map(str::trim)
        .all(|line| line.is_empty() || line.starts_with('#') || line == "---");
    if empty {
        return Ok(Settings::default());
    }
    let written: Written =
        serde_saphyr::from_str(text).map_err(|e| wrong(e.location(), said(&e)))?;
    written.meant().map_err(|(at, what)| wrong(Some(at), what))
}

/// The file as it is written: every value with its place.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Written {
    account: Option<Spanned<String>>,
    region: Option<Spanned<String>>,
    store: Option<Spanned<String>>,
    interval: Option<Spanned<String>>,
    notify: Option<Vec<Spanned<notify::WrittenReceiver>>>,
    change_notices: Option<Vec<Spanned<notify::WrittenReceiver>>>,
    environment: Option<Spanned<String>>,
    ceilings: Option<Spanned<PolicySpec>>,
    source: Option<source::WrittenSource>,
}

/// What is wrong with a value, and where it stands.
pub(crate) type Bad = (Location, String);

impl Written {
    fn meant(self) -> Result<Settings, Bad> {
        Ok(Settings {
            account: understood(self.account, account)?,
            region: understood(self.region, region)?,
            store: understood(self.store, |text: &str| {
                text.parse().map_err(|e| format!("store: {e}"))
            })?,
            interval: understood(self.interval, |text: &str| {
                duration(text).map_err(|e| format!("interval: {e}"))
            })?,
            notify: notify::meant(self.notify, false)?,
            change_notices: notify::meant(self.change_notices, true)?,
            environment: understood(self.environment, |text: &str| Ok(text.to_owned()))?,
            ceiling: understood(self.ceilings, ceilings::ceiling)?,
            source: self.source.map(source::WrittenSource::meant).transpose()?,
        })
    }
}

/// A value that was written, as `read` understands it.
fn understood<W, V: ?Sized, T>(
    written: Option<Spanned<W>>,
    read: impl Fn(&V) -> Result<T, String>,
) -> Result<Option<T>, Bad>
where
    W: std::borrow::Borrow<V>,
{
    written
        .map(|text| read(text.value.borrow()).map_err(|what| (text.referenced, what)))
        .transpose()
}

fn account(text: &str) -> Result<String, String> {
    if text.len() != 12 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(format!(
            "account {text:?} is not twelve digits; quote it, as in \"012345678901\""
        ));
    }
    Ok(text.to_owned())
}

fn region(text: &str) -> Result<String, String> {
    let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if text.is_empty() || !text.bytes().all(legal) {
        return Err(format!(
            "region {text:?} is not a region; write one such as eu-central-1"
        ));
    }
    Ok(text.to_owned())
}

/// What the reader says, in our words where its own speak to programmers.
fn said(error: &serde_saphyr::Error) -> String {
    match error.without_snippet() {
        serde_saphyr::Error::DuplicateMappingKey { key: Some(key), .. } => {
            format!("`{key}` is set twice; keep one of the two")
        }
        serde_saphyr::Error::DuplicateMappingKey { key: None, .. } => {
            "a setting is set twice; keep one of the two".to_owned()
        }
        serde_saphyr::Error::SerdeUnknownField {
            field, expected, ..
        } => {
            let near = nearest(field, expected.iter().copied())
                .map_or_else(String::new, |n| format!("; did you mean `{n}`?"));
            let mut known = expected.clone();
            known.sort_unstable();
            format!(
                "`{field}` is not a setting{near} (there are {})",
                known.join(", ")
            )
        }
        other => other.to_string(),
    }
}

/// `30s`, `5m` or `1h`, of 1 second to 24 hours.
///
/// # Errors
/// What to write instead.
pub fn duration(text: &str) -> Result<Duration, String> {
    let bad = || format!("{text:?} is not a time between 1s and 24h; write 30s, 5m or 1h");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().map_err(|_| bad())?;
    let unit = match text.get(digits.len()..) {
        Some("s") => 1,
        Some("m") => 60,
        Some("h") => 3600,
        _ => return Err(bad()),
    };
    match number.checked_mul(unit) {
        Some(seconds @ 1..=86_400) => Ok(Duration::from_secs(seconds)),
        _ => Err(bad()),
    }
}

/// The word among `candidates` that `word` was probably meant to be.
pub fn nearest<'c>(word: &str, candidates: impl Iterator<Item = &'c str>) -> Option<&'c str> {
    let folded = word.to_lowercase();
    candidates
        .map(|c| (strsim::osa_distance(&folded, &c.to_lowercase()), c))
        .filter(|(far, c)| *far <= (c.len() / 3).max(1))
        .min()
        .map(|(_, c)| c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> String {
        parse("evenkeel.yaml", text).unwrap_err().to_string()
    }

    #[test]
    fn a_setting_that_stands_twice_is_told_with_its_place() {
        let fault = fault("region: eu-central-1\nregion: us-east-1\n");
        assert_eq!(
            fault,
            "evenkeel.yaml:2:1: `region` is set twice; keep one of the two"
        );
    }

    #[test]
    fn all_four_settings_are_read() {
        let text = "# ours\naccount: \"012345678901\"\nregion: eu-central-1\n\
                    store: dynamodb:evenkeel\ninterval: 5m\n";
        let settings = parse("evenkeel.yaml", text).unwrap();
        assert_eq!(settings.account.as_deref(), Some("012345678901"));
        assert_eq!(settings.region.as_deref(), Some("eu-central-1"));
        assert_eq!(settings.store, Some(StoreSpec::DynamoDb("evenkeel".into())));
        assert_eq!(settings.interval, Some(Duration::from_secs(300)));
    }

    #[test]
    fn an_account_without_quotes_is_read_digit_by_digit() {
        let settings = parse("e", "account: 012345678901\n").unwrap();
        assert_eq!(settings.account.as_deref(), Some("012345678901"));
    }

    #[test]
    fn an_unknown_setting_is_told_with_its_place_and_the_nearest_word() {
        assert_eq!(
            fault("region: eu-central-1\nacount: x\n"),
            "evenkeel.yaml:2:1: `acount` is not a setting; did you mean `account`? \
             (there are account, ceilings, changeNotices, environment, interval, notify, region, source, store)"
        );
    }

    #[test]
    fn a_bad_value_is_told_with_its_place() {
        assert!(fault("account: 42\n").starts_with("evenkeel.yaml:1:10: account \"42\""));
        assert!(fault("store: redis\n").contains("evenkeel.yaml:1:8: store: \"redis\" names"));
        assert!(fault("interval: 0s\n").contains("between 1s and 24h"));
        assert!(fault("region: [a]\n").starts_with("evenkeel.yaml:1:"));
    }

    #[test]
    fn a_setting_that_stands_twice_is_an_error() {
        assert!(fault("region: a\nregion: b\n").starts_with("evenkeel.yaml:2:"));
    }

    #[test]
    fn a_file_of_comments_sets_nothing() {
        assert_eq!(parse("e", "# nothing\n\n").unwrap(), Settings::default());
    }
}
