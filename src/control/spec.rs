//! The spec of a Policy document: which fields there are, and their bounds.
//!
//! Pure: types only.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// When and how an app may be written. A field that is left out restricts nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PolicySpec {
    /// `correct` writes what differs; `report` only tells of it, and writes what was approved.
    /// Default: `correct`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// Risks of changes that need no approval. Default: both. A destructive change always needs
    /// one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2), extend("uniqueItems" = true))]
    pub without_approval: Option<Vec<Unasked>>,
    /// How much may change in any hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<BudgetSpec>,
    /// When the app may be written: in any of these windows. Default: always.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 20))]
    pub windows: Option<Vec<WindowSpec>>,
    /// When the app may not be written, whatever the windows say.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50))]
    pub freezes: Option<Vec<FreezeSpec>>,
    /// The app that has to be in order for a while before this one is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canary: Option<CanarySpec>,
    /// How many people have to approve a destructive change, or a looser policy. Default: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 5))]
    pub destructive_approvers: Option<u32>,
}

/// Whether drift is corrected.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Drift is told.
    Report,
    /// Drift is told and corrected.
    Correct,
}

/// A risk that may be taken without an approval.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Unasked {
    /// Nobody notices.
    Routine,
    /// Running tasks are replaced or stopped.
    Disruptive,
}

/// How much may change in any 60 minutes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BudgetSpec {
    /// Objects that are written; one that is written twice counts twice.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub objects_per_hour: Option<u32>,
    /// Tasks that are replaced or started.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub tasks_per_hour: Option<u32>,
}

/// A time that comes again. It is open while a clock on the wall of its zone shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WindowSpec {
    /// The days on which it opens. Default: every day.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 7), extend("uniqueItems" = true))]
    pub days: Option<Vec<Day>>,
    /// Which of the month's such days: with `days: [Mon]`, `first` is the first Monday. Default:
    /// all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of_month: Option<OfMonth>,
    /// When it opens: `"02:00"`, in quotes.
    #[schemars(regex(pattern = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"))]
    pub from: String,
    /// When it closes: `"04:00"`, or `"24:00"`. Earlier than `from`, it is of the next day.
    #[schemars(regex(pattern = r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"))]
    pub to: String,
    /// IANA name of its time zone: `UTC`, `Europe/Berlin`.
    #[schemars(length(min = 1, max = 64))]
    pub time_zone: String,
}

/// A day of the week.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum Day {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

impl Day {
    /// All of them, from Monday.
    pub const ALL: [Day; 7] = [
        Day::Mon,
        Day::Tue,
        Day::Wed,
        Day::Thu,
        Day::Fri,
        Day::Sat,
        Day::Sun,
    ];
}

/// Which of a month's days of that name.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum OfMonth {
    /// The 1st to the 7th.
    First,
    /// The 8th to the 14th.
    Second,
    /// The 15th to the 21st.
    Third,
    /// The 22nd to the 28th.
    Fourth,
    /// The last seven days of the month.
    Last,
}

/// A time in which nothing is written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FreezeSpec {
    /// When it begins: `2026-12-18T00:00:00Z`, or with an offset.
    #[schemars(length(min = 1, max = 40))]
    pub from: String,
    /// When it ends; that second is no longer part of it.
    #[schemars(length(min = 1, max = 40))]
    pub until: String,
    /// Why, for those who wait.
    #[schemars(length(min = 1, max = 200))]
    pub reason: String,
}

/// The app that goes first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CanarySpec {
    /// Its name: an app of the same desired state.
    #[schemars(length(min = 1, max = 63))]
    pub app: String,
    /// How long all of its objects have to have been in order: `30m`, `2h`, at most `7d`.
    #[schemars(regex(pattern = r"^[1-9][0-9]{0,4}[smhd]$"))]
    pub bake: String,
}
