//! Docs: the reference pages, written from the kinds, so that no page can lag behind the code.
//!
//! Pure: values in, Markdown out. A test keeps the pages that are checked in equal to these.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clap::CommandFactory as _;
use serde_json::Value;

use crate::cli::args::Cli;
use crate::control::document;
use crate::kinds::{KINDS, Kind};
use crate::model::operation::{Effect, OPERATIONS, Operation, operation};
use crate::schema;

const GENERATED: &str = "<!-- Written from the code; `UPDATE_DOCS=1 cargo test --test main docs` writes it again. -->\n";

/// Every generated page, by its path below the package.
pub fn pages() -> BTreeMap<String, String> {
    let mut pages = BTreeMap::new();
    for kind in KINDS {
        pages.insert(
            format!("docs/reference/{}.md", kind.name().to_lowercase()),
            kind_page(*kind),
        );
    }
    pages.insert("docs/reference/policy.md".to_owned(), policy_page());
    pages.insert("docs/reference/README.md".to_owned(), index_page());
    pages.insert("docs/reference/cli.md".to_owned(), cli_page());
    pages.insert("docs/reference/calls.md".to_owned(), calls_page());
    pages.insert(
        "docs/schema.json".to_owned(),
        format!("{:#}\n", schema::editors(KINDS)),
    );
    pages
}

fn index_page() -> String {
    let mut page = format!("{GENERATED}# Reference\n\n| kind | what it is |\n|---|---|\n");
    for kind in KINDS {
        let name = kind.name();
        let _ = writeln!(
            page,
            "| [{name}]({}.md) | {} |",
            name.to_lowercase(),
            cell(kind.about())
        );
    }
    let _ = writeln!(page, "| [Policy](policy.md) | {} |", cell(document::ABOUT));
    page.push_str(
        "\nEvery document has the same head: `apiVersion: evenkeel/v1alpha1`, `kind`, and `metadata` with `app` (what is\n\
         locked, written and frozen together) and `name` (unique for its app and kind), both DNS labels. A field of `spec`\n\
         that a document leaves out is never compared, cleared or defaulted.\n\n\
         - [cli.md](cli.md): every command and option.\n\
         - [calls.md](calls.md): every AWS call that Evenkeel can make, with its IAM action and rate.\n\
         - [../schema.json](../schema.json): the JSON Schema for editors, also printed by `evenkeel schema`.\n",
    );
    page
}

fn kind_page(kind: &dyn Kind) -> String {
    let name = kind.name();
    let mut page = fields_page(
        name,
        kind.about(),
        kind.example(),
        &kind.schema().to_value(),
    );
    let _ = write!(
        page,
        "\n## Calls and rights\n\nLooking takes {}. Converging takes {}.\n\n{CALLS_HEAD}",
        names(kind.reads()),
        names(kind.writes())
    );
    for call in kind.reads().iter().chain(kind.writes()) {
        if let Some(row) = operation(call) {
            page.push_str(&call_row(row));
        }
    }
    for extra in kind.extra_iam() {
        let _ = write!(
            page,
            "\nAlso `{}` on `{}`: {}",
            extra.action,
            extra.resources.join("`, `"),
            extra.why
        );
        if let Some(condition) = extra.condition {
            let _ = write!(page, " Condition: `{condition}`.");
        }
        page.push('\n');
    }
    page.push_str("\n`evenkeel iam-policy` prints the policy for the kinds in use.\n");
    page
}

/// The page of the Policy document, which is no object of AWS.
fn policy_page() -> String {
    let schema = document::schema().to_value();
    let mut page = fields_page(
        document::POLICY,
        document::ABOUT,
        document::EXAMPLE,
        &schema,
    );
    page.push_str(
        "\nAn app has at most one Policy. It makes no call and needs no right. \
         [Change control](../change-control.md) says what each field does.\n",
    );
    page
}

/// The head of a kind's page: what it is, an example, and its fields.
fn fields_page(name: &str, about: &str, example: &str, schema: &Value) -> String {
    let mut page = format!(
        "{GENERATED}# {name}\n\n{about}\n\n```yaml\n{}\n```\n\n## Fields of `spec`\n\n\
         | field | value | what it says |\n|---|---|---|\n",
        example.trim_end()
    );
    let mut rows = Vec::new();
    Walk { root: schema }.fields(schema, "", 0, &mut rows);
    for row in &rows {
        let _ = writeln!(
            page,
            "| `{}`{} | {} | {} |",
            row.path,
            if row.required { " (required)" } else { "" },
            cell(&row.value),
            cell(&row.told)
        );
    }
    page.push_str(
        "\n`[]` stands for each entry of a list, `<key>` for each key of a mapping. (Required) means: where the mapping \
         around it is there.\n",
    );
    page
}

fn calls_page() -> String {
    let mut page = format!(
        "{GENERATED}# AWS calls\n\nEvenkeel makes these calls and no others; none of them deletes anything. Every write passes one door, which\n\
         refuses it without a ledger entry. Evenkeel keeps 10 % of each rate free for other callers.\n\n{CALLS_HEAD}"
    );
    for row in OPERATIONS {
        page.push_str(&call_row(row));
    }
    page.push_str("\nRates are AWS's published ones (calls at once, then calls a second) for an account and region; a rate marked \"guess\" is not published.\n");
    page
}

/// Columns of the help texts, whatever terminal they are written from.
const HELP_WIDTH: usize = 80;

fn cli_page() -> String {
    let mut page = format!("{GENERATED}# Command line\n");
    let mut root = Cli::command().term_width(HELP_WIDTH);
    root.build();
    help(&mut page, &mut root, "evenkeel", 2);
    page
}

/// The help of `command` and of all that are below it.
fn help(page: &mut String, command: &mut clap::Command, name: &str, level: usize) {
    let text = command.clone().render_long_help().to_string();
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let _ = write!(
        page,
        "\n{} `{name}`\n\n```text\n{}\n```\n",
        "#".repeat(level),
        lines.join("\n")
    );
    for below in command.get_subcommands_mut() {
        if below.get_name() != "help" {
            let name = format!("{name} {}", below.get_name());
            help(page, below, &name, 3);
        }
    }
}

const CALLS_HEAD: &str =
    "| call | effect | IAM action | at once | a second |\n|---|---|---|---|---|\n";

fn call_row(row: &Operation) -> String {
    format!(
        "| `{}` | {} | `{}` | {} | {}{} |\n",
        row.name,
        match row.effect {
            Effect::Read => "read",
            Effect::Write => "write",
        },
        row.iam,
        row.class.burst,
        row.class.per_second,
        if row.class.published { "" } else { " (guess)" }
    )
}

fn names(calls: &[&str]) -> String {
    match calls {
        [] => "no call".to_owned(),
        calls => format!("`{}`", calls.join("`, `")),
    }
}

/// Text as a cell of a Markdown table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// One field, as its row says it.
struct Row {
    path: String,
    required: bool,
    value: String,
    told: String,
}

/// Deeper than any spec: a schema that refers to itself ends here.
const DEEPEST: usize = 8;

struct Walk<'s> {
    root: &'s Value,
}

impl<'s> Walk<'s> {
    /// A row for each field of the mapping `schema`, and below each for its own.
    fn fields(&self, schema: &'s Value, above: &str, depth: usize, rows: &mut Vec<Row>) {
        let schema = self.followed(schema);
        let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
            return;
        };
        let required = |name: &str| {
            schema["required"]
                .as_array()
                .is_some_and(|all| all.iter().any(|one| one == name))
        };
        // Needed ones first: they say what the object is.
        let mut names: Vec<_> = properties.iter().collect();
        names.sort_by_key(|(name, _)| (!required(name), name.as_str()));
        for (name, field) in names {
            let path = if above.is_empty() {
                name.clone()
            } else {
                format!("{above}.{name}")
            };
            let (value, inner) = self.value(field);
            rows.push(Row {
                path: path.clone(),
                required: required(name),
                value,
                told: self.told(field),
            });
            if let (Some((suffix, inner)), true) = (inner, depth < DEEPEST) {
                self.fields(inner, &format!("{path}{suffix}"), depth + 1, rows);
            }
        }
    }

    /// What values a field takes, in words; and the mapping inside it, if there is one, with
    /// what leads there.
    fn value(&self, field: &'s Value) -> (String, Option<(&'static str, &'s Value)>) {
        let schema = self.followed(field);
        if let Some(words) = words(schema) {
            return (format!("`{}`", words.join("` or `")), None);
        }
        let bounds = bounds(field).or_else(|| bounds(schema)).unwrap_or_default();
        let (noun, inner) = match kind_of(schema) {
            "integer" => ("whole number".to_owned(), None),
            "number" => ("number".to_owned(), None),
            "boolean" => ("true or false".to_owned(), None),
            "string" => ("text".to_owned(), None),
            "array" => match schema.get("items") {
                Some(items) => {
                    let (value, _) = self.value(items);
                    (format!("list of {value}"), Some(("[]", items)))
                }
                None => ("list".to_owned(), None),
            },
            "object" => match schema.get("additionalProperties") {
                Some(values) if values.is_object() => {
                    let (value, _) = self.value(values);
                    (format!("mapping to {value}"), Some((".<key>", values)))
                }
                _ => ("mapping".to_owned(), Some(("", schema))),
            },
            _ => ("any value".to_owned(), None),
        };
        (format!("{noun}{bounds}"), inner)
    }

    /// A field's description, before that of its type; with an example.
    fn told(&self, field: &'s Value) -> String {
        let text = |schema: &Value| schema.get("description")?.as_str().map(str::to_owned);
        let inner = self.followed(field);
        let mut told = text(field).or_else(|| text(inner)).unwrap_or_default();
        if let Some(example) = field.get("examples").and_then(|all| all.get(0)) {
            let _ = write!(told, " Such as `{}`.", example.to_string().replace('"', ""));
        }
        told.trim().to_owned()
    }

    /// Through references, and to the one alternative that is not null.
    fn followed(&self, mut schema: &'s Value) -> &'s Value {
        for _ in 0..DEEPEST {
            let next = match (schema.get("$ref"), &schema["anyOf"], &schema["allOf"]) {
                (Some(Value::String(target)), _, _) => {
                    target.strip_prefix('#').and_then(|p| self.root.pointer(p))
                }
                (_, Value::Array(choices), _) | (_, _, Value::Array(choices)) => {
                    let mut real = choices.iter().filter(|c| c["type"] != "null");
                    match (real.next(), real.next()) {
                        (Some(only), None) => Some(only),
                        _ => None,
                    }
                }
                _ => None,
            };
            match next {
                Some(next) => schema = next,
                None => break,
            }
        }
        schema
    }
}

/// The texts it takes, if it takes only certain texts.
fn words(schema: &Value) -> Option<Vec<String>> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    if let Some(Value::Array(values)) = schema.get("enum") {
        return values.iter().filter(|v| !v.is_null()).map(text).collect();
    }
    if let Some(Value::Array(choices)) = schema.get("oneOf") {
        let choices = choices.iter().map(|choice| match choice.get("enum") {
            Some(Value::Array(values)) => values.iter().map(text).collect(),
            _ => choice.get("const").and_then(text).map(|one| vec![one]),
        });
        return choices
            .collect::<Option<Vec<Vec<String>>>>()
            .map(|all| all.concat());
    }
    None
}

fn kind_of(schema: &Value) -> &str {
    match schema.get("type") {
        Some(Value::String(one)) => one,
        Some(Value::Array(many)) => many
            .iter()
            .filter_map(Value::as_str)
            .find(|name| *name != "null")
            .unwrap_or_default(),
        _ if schema.get("properties").is_some() => "object",
        _ => "",
    }
}

/// `, 1 to 35`. Patterns are left to the schema: the descriptions say them in words.
fn bounds(schema: &Value) -> Option<String> {
    let number = |word: &str| schema.get(word).filter(|v| v.is_number());
    let of = |low: Option<&Value>, high: Option<&Value>, unit: &str| match (low, high) {
        (Some(low), Some(high)) => Some(format!(", {low} to {high}{unit}")),
        (Some(low), None) => Some(format!(", at least {low}{unit}")),
        (None, Some(high)) => Some(format!(", at most {high}{unit}")),
        (None, None) => None,
    };
    of(number("minimum"), number("maximum"), "")
        .or_else(|| of(number("exclusiveMinimum"), None, " (exclusive)"))
        .or_else(|| of(number("minItems"), number("maxItems"), " entries"))
        .or_else(|| of(number("minLength"), number("maxLength"), " characters"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_of_every_kind_is_described() {
        for kind in KINDS {
            let root = kind.schema().to_value();
            let mut rows = Vec::new();
            Walk { root: &root }.fields(&root, "", 0, &mut rows);
            assert!(!rows.is_empty(), "{}", kind.name());
            for row in rows {
                assert!(!row.told.is_empty(), "{}: {}", kind.name(), row.path);
                assert_ne!(row.value, "any value", "{}: {}", kind.name(), row.path);
            }
        }
    }

    #[test]
    fn every_call_of_every_kind_is_in_the_table_of_operations() {
        for kind in KINDS {
            for (calls, effect) in [(kind.reads(), Effect::Read), (kind.writes(), Effect::Write)] {
                for call in calls {
                    assert_eq!(operation(call).unwrap().effect, effect, "{call}");
                }
            }
        }
    }
}
