//! The query protocol of RDS and STS: form-encoded requests into JSON, JSON answers into XML.

use serde_json::{Map, Value};

use super::wire::TwinError;

/// The XML namespace of a service's answers, which holds its API version.
fn namespace(service: &str) -> &'static str {
    match service {
        "sts" => "https://sts.amazonaws.com/doc/2011-06-15/",
        "sns" => "http://sns.amazonaws.com/doc/2010-03-31/",
        _ => "http://rds.amazonaws.com/doc/2014-10-31/",
    }
}

/// A form says nothing of types: these members of the modelled requests are integers...
const INTEGERS: &[&str] = &[
    "AllocatedStorage",
    "BackupRetentionPeriod",
    "DBPortNumber",
    "DurationSeconds",
    "Iops",
    "MaxAllocatedStorage",
    "MaxRecords",
    "MonitoringInterval",
    "Port",
    "PromotionTier",
    "StorageThroughput",
];
/// ... these booleans ...
const BOOLEANS: &[&str] = &[
    "AllowMajorVersionUpgrade",
    "ApplyImmediately",
    "AutoMinorVersionUpgrade",
    "CopyTagsToSnapshot",
    "DeletionProtection",
    "EnableIAMDatabaseAuthentication",
    "IncludeShared",
    "MultiAZ",
    "PubliclyAccessible",
];

/// ... and answers name the elements of these lists so (RDS API model); others say `member`.
const ELEMENTS: &[(&str, &str)] = &[
    ("AssociatedRoles", "DBClusterRole"),
    ("AvailabilityZones", "AvailabilityZone"),
    ("DBClusterMembers", "DBClusterMember"),
    ("DBClusterOptionGroupMemberships", "DBClusterOptionGroup"),
    ("DBClusters", "DBCluster"),
    ("DBInstances", "DBInstance"),
    ("DBParameterGroups", "DBParameterGroup"),
    ("DBSecurityGroups", "DBSecurityGroup"),
    ("DomainMemberships", "DomainMembership"),
    ("OptionGroupMemberships", "OptionGroupMembership"),
    ("ProcessorFeatures", "ProcessorFeature"),
    (
        "ReadReplicaDBClusterIdentifiers",
        "ReadReplicaDBClusterIdentifier",
    ),
    (
        "ReadReplicaDBInstanceIdentifiers",
        "ReadReplicaDBInstanceIdentifier",
    ),
    ("ReadReplicaIdentifiers", "ReadReplicaIdentifier"),
    ("StatusInfos", "DBInstanceStatusInfo"),
    ("TagList", "Tag"),
    ("VpcSecurityGroups", "VpcSecurityGroupMembership"),
];

/// Reads a form-encoded body: the operation, and its input without `Action` and `Version`.
///
/// `List.Element.2=x` becomes the second item of `List`, whatever the element is called. Errors:
/// `MissingAction`, and `MalformedQueryString` for members that contradict one another or an
/// integer or boolean that is none.
pub fn decode(service: &str, body: &[u8]) -> Result<(String, Value), TwinError> {
    let mut root = Node::default();
    let mut action = None;
    for (name, value) in form_urlencoded::parse(body) {
        match &*name {
            "Action" => action = Some(value.into_owned()),
            "Version" => {}
            name => root.insert(&path(name), &value)?,
        }
    }
    let Some(action) = action else {
        return Err(refused(
            "MissingAction",
            &format!("the request to {service} has no Action"),
        ));
    };
    let input = match root.into_value("")? {
        Value::Null => Value::Object(Map::new()),
        value => value,
    };
    Ok((action, input))
}

/// The segments of a member's name without the element names that precede list indices.
fn path(name: &str) -> Vec<&str> {
    let all: Vec<&str> = name.split('.').collect();
    let element = |i: usize| i > 0 && all.get(i + 1).is_some_and(|next| is_index(next));
    (0..all.len())
        .filter(|i| !element(*i))
        .map(|i| all[i])
        .collect()
}

fn is_index(segment: &str) -> bool {
    !segment.is_empty() && segment.bytes().all(|b| b.is_ascii_digit())
}

/// Deeper than any modelled request by far.
const MAX_DEPTH: usize = 32;

#[derive(Debug, Default)]
struct Node {
    value: Option<String>,
    children: Vec<(String, Node)>,
}

impl Node {
    fn insert(&mut self, path: &[&str], value: &str) -> Result<(), TwinError> {
        if path.len() > MAX_DEPTH {
            return Err(refused(
                "MalformedQueryString",
                "a member is nested too deeply",
            ));
        }
        let Some((first, rest)) = path.split_first() else {
            self.value = Some(value.to_owned());
            return Ok(());
        };
        let at = match self.children.iter().position(|(name, _)| name == first) {
            Some(at) => at,
            None => {
                self.children.push(((*first).to_owned(), Self::default()));
                self.children.len() - 1
            }
        };
        self.children[at].1.insert(rest, value)
    }

    fn into_value(self, member: &str) -> Result<Value, TwinError> {
        match (self.value, self.children) {
            (None, children) if children.is_empty() => Ok(Value::Null),
            (Some(text), children) if children.is_empty() => scalar(member, text),
            (None, mut children) if children.iter().all(|(name, _)| is_index(name)) => {
                children.sort_by_key(|(name, _)| name.parse().unwrap_or(u64::MAX));
                let items = children
                    .into_iter()
                    .map(|(_, node)| node.into_value(member));
                Ok(Value::Array(items.collect::<Result<_, _>>()?))
            }
            (None, children) => {
                let members = children.into_iter().map(|(name, node)| {
                    let value = node.into_value(&name)?;
                    Ok((name, value))
                });
                Ok(Value::Object(members.collect::<Result<_, TwinError>>()?))
            }
            (Some(_), _) => Err(refused(
                "MalformedQueryString",
                &format!("{member} has both a value and members"),
            )),
        }
    }
}

fn scalar(member: &str, text: String) -> Result<Value, TwinError> {
    let malformed = || {
        refused(
            "MalformedInput",
            &format!("{member} cannot be {text:?}: it has another type"),
        )
    };
    if INTEGERS.contains(&member) {
        return text
            .parse::<i64>()
            .map(Value::from)
            .map_err(|_| malformed());
    }
    if BOOLEANS.contains(&member) {
        return text
            .parse::<bool>()
            .map(Value::from)
            .map_err(|_| malformed());
    }
    Ok(Value::String(text))
}

fn refused(code: &str, message: &str) -> TwinError {
    TwinError::client(code, message)
}

/// The XML of a successful answer.
pub fn encode(service: &str, action: &str, output: &Value, request_id: &str) -> Vec<u8> {
    let namespace = namespace(service);
    let mut xml = format!("<{action}Response xmlns=\"{namespace}\"><{action}Result>");
    write_members(&mut xml, output);
    xml.push_str(&format!("</{action}Result>"));
    xml.push_str("<ResponseMetadata>");
    element(&mut xml, "RequestId", request_id);
    xml.push_str(&format!("</ResponseMetadata></{action}Response>"));
    xml.into_bytes()
}

/// The XML of an error answer.
pub fn encode_error(service: &str, error: &TwinError, request_id: &str) -> Vec<u8> {
    let namespace = namespace(service);
    let fault = if error.status < 500 {
        "Sender"
    } else {
        "Receiver"
    };
    let mut xml = format!("<ErrorResponse xmlns=\"{namespace}\"><Error>");
    element(&mut xml, "Type", fault);
    element(&mut xml, "Code", &error.code);
    element(&mut xml, "Message", &error.message);
    xml.push_str("</Error>");
    element(&mut xml, "RequestId", request_id);
    xml.push_str("</ErrorResponse>");
    xml.into_bytes()
}

fn write_members(xml: &mut String, value: &Value) {
    if let Value::Object(members) = value {
        for (name, value) in members {
            write_member(xml, name, value);
        }
    }
}

fn write_member(xml: &mut String, name: &str, value: &Value) {
    match value {
        Value::Null => {}
        Value::Bool(b) => element(xml, name, if *b { "true" } else { "false" }),
        Value::Number(n) => element(xml, name, &n.to_string()),
        Value::String(s) => element(xml, name, s),
        Value::Array(items) => {
            let item_name = ELEMENTS
                .iter()
                .find(|(list, _)| *list == name)
                .map_or("member", |(_, element)| *element);
            xml.push_str(&format!("<{name}>"));
            for item in items {
                write_member(xml, item_name, item);
            }
            xml.push_str(&format!("</{name}>"));
        }
        Value::Object(_) => {
            xml.push_str(&format!("<{name}>"));
            write_members(xml, value);
            xml.push_str(&format!("</{name}>"));
        }
    }
}

fn element(xml: &mut String, name: &str, text: &str) {
    xml.push_str(&format!("<{name}>"));
    for c in text.chars() {
        match c {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            c => xml.push(c),
        }
    }
    xml.push_str(&format!("</{name}>"));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_lose_their_element_names_and_scalars_gain_their_types() {
        let body = b"Action=DescribeDBInstances&Version=2014-10-31&MaxRecords=20\
            &Filters.Filter.1.Name=engine&Filters.Filter.1.Values.Value.2=b&Filters.Filter.1.Values.Value.1=a%20c\
            &DBInstanceIdentifier=20&ApplyImmediately=true";
        let (action, input) = decode("rds", body).unwrap();
        assert_eq!(action, "DescribeDBInstances");
        assert_eq!(
            input,
            json!({
                "MaxRecords": 20,
                "Filters": [{"Name": "engine", "Values": ["a c", "b"]}],
                "DBInstanceIdentifier": "20",
                "ApplyImmediately": true,
            })
        );
    }

    #[test]
    fn a_request_without_action_or_with_the_wrong_type_is_refused() {
        assert_eq!(
            decode("rds", b"Version=1").unwrap_err().code,
            "MissingAction"
        );
        let wrong = decode("rds", b"Action=A&MaxRecords=many").unwrap_err();
        assert_eq!(wrong.code, "MalformedInput");
        let both = decode("rds", b"Action=A&X=1&X.Y=2").unwrap_err();
        assert_eq!(both.code, "MalformedQueryString");
    }

    #[test]
    fn answers_name_the_elements_of_lists_and_escape_text() {
        let xml = encode(
            "sts",
            "Op",
            &json!({"TagList": [{"Key": "a<b", "Value": "&"}], "Other": [1], "Gone": null}),
            "id",
        );
        assert_eq!(
            String::from_utf8(xml).unwrap(),
            "<OpResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><OpResult><Other><member>1</member></Other>\
             <TagList><Tag><Key>a&lt;b</Key><Value>&amp;</Value></Tag></TagList></OpResult>\
             <ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></OpResponse>"
        );
    }

    proptest! {
        #[test]
        fn no_body_makes_the_parser_panic(body in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode("rds", &body);
        }
    }
}
