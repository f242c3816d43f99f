//! Scheduled actions: bounds that change at set times.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::AutoScaling;
use super::input::{DIMENSION, capacity, invalid, list, names, passes, resource, sent, text};
use super::schedule::Schedule;
use super::targets::{no_target, service_key};
use crate::twin::ecs::{Ecs, epoch};
use crate::twin::wire::{CallContext, TwinError};

/// The most scheduled actions of one target (Application Auto Scaling quotas).
const MOST_ACTIONS: usize = 200;

/// A scheduled action.
#[derive(Clone, Debug)]
pub(super) struct ScheduledAction {
    text: String,
    schedule: Schedule,
    timezone: Option<String>,
    zone: TimeZone,
    start: Option<Timestamp>,
    end: Option<Timestamp>,
    min: Option<i64>,
    max: Option<i64>,
    arn: String,
    created: Timestamp,
    next: Option<Timestamp>,
}

impl ScheduledAction {
    /// The first firing after `now`, inside its start and end.
    fn next_after(&self, now: Timestamp) -> Option<Timestamp> {
        let base = self.start.unwrap_or(self.created);
        // A recurring action is performed at its start time, and from then on as it recurs.
        let due = match (self.start.filter(|start| *start > now), &self.schedule) {
            (Some(start), Schedule::Cron(_) | Schedule::Rate(_)) => Some(start),
            (start, schedule) => {
                let after = start.map_or(now, |start| start - SignedDuration::from_millis(1));
                schedule.next_after(after, base, &self.zone)
            }
        };
        due.filter(|next| self.end.is_none_or(|end| *next <= end))
    }
}

fn time(input: &Value, member: &str) -> Result<Option<Timestamp>, TwinError> {
    let Some(seconds) = sent(input, member).map(Value::as_f64) else {
        return Ok(None);
    };
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds since 1970")]
    seconds
        .and_then(|s| Timestamp::from_millisecond((s * 1000.0) as i64).ok())
        .map(Some)
        .ok_or_else(|| invalid(format!("{member} is not a time.")))
}

impl AutoScaling {
    pub(super) fn put_action(
        &mut self,
        input: &Value,
        cx: &CallContext,
    ) -> Result<Value, TwinError> {
        let id = resource(input)?;
        let name = text(input, "ScheduledActionName").unwrap_or_default();
        if name.is_empty() || name.chars().count() > 256 {
            return Err(invalid(
                "ScheduledActionName must have 1 to 256 characters.",
            ));
        }
        // The pattern of ScheduledActionName (API model).
        let odd = |c: char| matches!(c, ':' | '/' | '|') || c.is_control();
        if name.contains(odd) || name.starts_with(' ') || name.ends_with(' ') {
            return Err(invalid(format!(
                "Value '{name}' at 'scheduledActionName' failed to satisfy constraint: Member must satisfy regular expression pattern"
            )));
        }
        if self.targets.get(&id).is_none() {
            return Err(no_target(&id));
        }
        let key = (id.clone(), name.to_owned());
        let old = self.actions.get(&key).cloned();
        let schedule_text = text(input, "Schedule")
            .or(old.as_ref().map(|old| old.text.as_str()))
            .ok_or_else(|| invalid("Schedule is required."))?
            .to_owned();
        let schedule = Schedule::parse(&schedule_text)
            .ok_or_else(|| invalid(format!("Invalid schedule expression: {schedule_text}")))?;
        let timezone = text(input, "Timezone")
            .or(old.as_ref().and_then(|old| old.timezone.as_deref()))
            .map(str::to_owned);
        let zone = TimeZone::get(timezone.as_deref().unwrap_or("UTC"))
            .map_err(|_| invalid("Invalid timezone."))?;
        let (min, max) = match sent(input, "ScalableTargetAction") {
            Some(action) => (
                capacity(action, "MinCapacity")?,
                capacity(action, "MaxCapacity")?,
            ),
            None => old.as_ref().map_or((None, None), |old| (old.min, old.max)),
        };
        match (min, max) {
            (None, None) => {
                return Err(invalid(
                    "ScalableTargetAction must have MinCapacity or MaxCapacity.",
                ));
            }
            (Some(min), Some(max)) if min > max => {
                return Err(invalid(
                    "Maximum capacity cannot be less than minimum capacity",
                ));
            }
            _ => {}
        }
        let (start, end) = (time(input, "StartTime")?, time(input, "EndTime")?);
        if start.zip(end).is_some_and(|(start, end)| start >= end) {
            return Err(invalid("StartTime must be before EndTime."));
        }
        let of_it = self.actions.iter().filter(|((of, _), _)| *of == id);
        let siblings = of_it.count();
        if old.is_none() && siblings >= MOST_ACTIONS {
            return Err(TwinError::client(
                "LimitExceededException",
                "The number of scheduled actions exceeds the limit.",
            ));
        }
        let (arn, created) = match old {
            Some(old) => (old.arn, old.created),
            None => {
                let uuid = self.ids.uuid();
                let arn = format!(
                    "arn:aws:autoscaling:{}:{}:scheduledAction:{uuid}:resource/ecs/{id}:scheduledActionName/{name}",
                    cx.region, cx.account
                );
                (arn, cx.now)
            }
        };
        let mut action = ScheduledAction {
            text: schedule_text,
            schedule,
            timezone,
            zone,
            start,
            end,
            min,
            max,
            arn,
            created,
            next: None,
        };
        action.next = action.next_after(cx.now);
        self.actions.insert(cx.now, key, action);
        self.find_next_firing();
        Ok(json!({}))
    }

    pub(super) fn delete_action(
        &mut self,
        input: &Value,
        cx: &CallContext,
    ) -> Result<Value, TwinError> {
        let id = resource(input)?;
        let name = text(input, "ScheduledActionName").unwrap_or_default();
        let removed = self.actions.remove(cx.now, &(id, name.to_owned()));
        self.find_next_firing();
        removed.map(|_| json!({})).ok_or_else(|| {
            TwinError::client(
                "ObjectNotFoundException",
                format!("No scheduled action found: {name}"),
            )
        })
    }

    pub(super) fn describe_actions(
        &self,
        input: &Value,
        cx: &CallContext,
    ) -> Result<Value, TwinError> {
        let wanted = names(input, "ScheduledActionNames")?;
        let actions = self
            .actions
            .all_seen(cx.now)
            .into_iter()
            .filter(|((id, _), _)| passes(input, id))
            .filter(|((_, name), _)| wanted.as_ref().is_none_or(|w| w.contains(&name.as_str())))
            .map(|((id, name), action)| action_view(id, name, action))
            .collect();
        list(actions, "ScheduledActions", 50, input)
    }

    pub(super) fn find_next_firing(&mut self) {
        self.next_firing = self.actions.iter().filter_map(|(_, a)| a.next).min();
    }

    /// When the next scheduled action fires.
    pub fn next_firing(&self) -> Option<Timestamp> {
        self.next_firing
    }

    /// Fires what is due at `now`, in order of resource and name.
    pub fn fire(&mut self, now: Timestamp, ecs: &mut Ecs) {
        let due: Vec<(String, String)> = self
            .actions
            .iter()
            .filter(|(_, action)| action.next.is_some_and(|next| next <= now))
            .map(|(key, _)| key.clone())
            .collect();
        for key in due {
            let Some(action) = self.actions.get_mut(&key) else {
                continue;
            };
            action.next = action.next_after(now);
            let (min, max) = (action.min, action.max);
            let suspended = self
                .targets
                .get(&key.0)
                .is_none_or(|target| target.is_schedule_suspended());
            if suspended {
                continue;
            }
            if let Some(target) = self.targets.write(now, &key.0) {
                let (min, max) = (min.unwrap_or(target.min), max.unwrap_or(target.max));
                // One bound alone can leave the other behind it; AWS then refuses the action.
                if min <= max {
                    (target.min, target.max) = (min, max);
                    ecs.clamp(&service_key(&key.0), min, max, now);
                }
            }
        }
        self.find_next_firing();
    }
}

fn action_view(id: &str, name: &str, action: &ScheduledAction) -> Value {
    let mut bounds = json!({});
    for (member, bound) in [("MinCapacity", action.min), ("MaxCapacity", action.max)] {
        if let Some(bound) = bound {
            bounds[member] = json!(bound);
        }
    }
    let mut view = json!({
        "ScheduledActionName": name,
        "ScheduledActionARN": action.arn,
        "ServiceNamespace": "ecs",
        "ResourceId": id,
        "ScalableDimension": DIMENSION,
        "Schedule": action.text,
        "ScalableTargetAction": bounds,
        "CreationTime": epoch(action.created),
    });
    if let Some(timezone) = &action.timezone {
        view["Timezone"] = json!(timezone);
    }
    for (member, at) in [("StartTime", action.start), ("EndTime", action.end)] {
        if let Some(at) = at {
            view[member] = epoch(at);
        }
    }
    view
}
