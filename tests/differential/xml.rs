//! XML: the answers of the query protocol as trees, for comparison.

use serde_json::{Map, Value};

/// What `<...Result>` holds, or the whole document where there is none.
pub fn result_of(text: &str) -> Value {
    let mut rest = text;
    let root = element(&mut rest).map_or(Value::Null, |(_, value)| value);
    let result = root.as_object().and_then(|members| {
        let found = members.iter().find(|(name, _)| name.ends_with("Result"));
        found.map(|(_, value)| value.clone())
    });
    result.unwrap_or(root)
}

/// One element and what follows it. Text is a scalar, elements are members, and elements that are
/// all called alike are the items of a list, as in `<DBInstances><DBInstance>...`.
fn element(rest: &mut &str) -> Option<(String, Value)> {
    loop {
        *rest = rest.get(rest.find('<')?..)?;
        let end = rest.find('>')?;
        let tag = &rest[1..end];
        *rest = &rest[end + 1..];
        if tag.starts_with('?') || tag.starts_with('!') {
            continue;
        }
        let name = tag.split([' ', '\n', '/']).next()?.to_owned();
        if tag.ends_with('/') {
            return Some((name, Value::String(String::new())));
        }
        let value = content(&name, rest)?;
        return Some((name, value));
    }
}

fn content(parent: &str, rest: &mut &str) -> Option<Value> {
    let mut members: Vec<(String, Value)> = Vec::new();
    loop {
        let open = rest.find('<')?;
        let text = &rest[..open];
        if rest[open..].starts_with("</") {
            let end = rest.find('>')?;
            let text = unescaped(text);
            *rest = &rest[end + 1..];
            return Some(if members.is_empty() {
                scalar(text)
            } else {
                gathered(parent, members)
            });
        }
        members.push(element(rest)?);
    }
}

fn gathered(parent: &str, members: Vec<(String, Value)>) -> Value {
    // The one member of these names is an item of a list, too.
    let (first, _) = &members[0];
    let alike = members.iter().all(|(name, _)| name == first);
    let listed = members.len() > 1 || is_item(first);
    if alike && listed && !parent.ends_with("Result") {
        return members.into_iter().map(|(_, value)| value).collect();
    }
    Value::Object(members.into_iter().collect::<Map<_, _>>())
}

fn is_item(name: &str) -> bool {
    const ITEMS: &[&str] = &[
        "member",
        "AvailabilityZone",
        "DBCluster",
        "DBClusterMember",
        "DBInstance",
        "DBParameterGroup",
        "OptionGroupMembership",
        "Subnet",
        "Tag",
        "VpcSecurityGroupMembership",
    ];
    ITEMS.contains(&name)
}

fn scalar(text: String) -> Value {
    match text.trim() {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        number if number.parse::<i64>().is_ok_and(|n| n.to_string() == number) => {
            number.parse::<i64>().map_or(Value::Null, Value::from)
        }
        text => Value::String(text.to_owned()),
    }
}

fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&amp;", "&")
}

#[test]
fn lists_and_structures_are_told_apart_by_their_elements() {
    let text = "<?xml version=\"1.0\"?>\n<R xmlns=\"x\"><DescribeResult><DBInstances><DBInstance><N>1</N>\
                <Name>a &lt;b</Name><TagList/></DBInstance></DBInstances></DescribeResult><M>2</M></R>";
    let tree = serde_json::json!({"DBInstances": [{"N": 1, "Name": "a <b", "TagList": ""}]});
    assert_eq!(result_of(text), tree);
}
