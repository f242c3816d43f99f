//! Inputs: the members of a call's input, as the setters of the SDK's builders take them.

use serde_json::Value;

pub fn text(input: &Value, member: &str) -> Option<String> {
    input[member].as_str().map(str::to_owned)
}

pub fn texts(input: &Value, member: &str) -> Option<Vec<String>> {
    list(input, member, |item| {
        item.as_str().unwrap_or_default().to_owned()
    })
}

pub fn int(input: &Value, member: &str) -> Option<i32> {
    input[member].as_i64().and_then(|n| i32::try_from(n).ok())
}

pub fn real(input: &Value, member: &str) -> Option<f64> {
    input[member].as_f64()
}

pub fn flag(input: &Value, member: &str) -> Option<bool> {
    input[member].as_bool()
}

/// A word of one of the SDK's enums.
pub fn word<T: for<'a> From<&'a str>>(input: &Value, member: &str) -> Option<T> {
    input[member].as_str().map(T::from)
}

pub fn words<T: for<'a> From<&'a str>>(input: &Value, member: &str) -> Option<Vec<T>> {
    list(input, member, |item| {
        T::from(item.as_str().unwrap_or_default())
    })
}

/// A structure.
pub fn one<T>(input: &Value, member: &str, build: impl FnOnce(&Value) -> T) -> Option<T> {
    input[member].is_object().then(|| build(&input[member]))
}

/// A list.
pub fn list<T>(input: &Value, member: &str, build: impl FnMut(&Value) -> T) -> Option<Vec<T>> {
    let items = input[member].as_array()?;
    Some(items.iter().map(build).collect())
}
