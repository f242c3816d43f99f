//! Answers: whether what came back with a 200 is an answer of AWS at all, and whole.
//!
//! An SDK takes an empty or foreign body for an answer without members wherever all members are
//! optional: a captive portal's page would be a yes, and a cut list a complete one.
//!
//! Pure: bytes in, a verdict out.

/// The protocol that a service's answers are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    /// awsJson: an object, `{}` at the least.
    Json,
    /// rpc-v2-cbor: a map, or nothing where the operation has no output; a header says that it is one.
    Cbor,
    /// awsQuery: one XML element named after the operation.
    Xml,
}

/// What is wrong with an answer that says 200. Whether a write behind it was applied is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Foreign {
    /// It is nothing that AWS sends.
    #[error(
        "the answer is not one of AWS's; is the endpoint an AWS API, or is there a proxy's page in the way?"
    )]
    NotAws,
    /// It stops before its end.
    #[error("the answer was cut off")]
    Cut,
}

/// Who sent an answer, by its headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// It carries a request id, as all of AWS's do.
    Aws,
    /// It does not say.
    Nobody,
}

/// The calls whose answer has no members, so that it may be empty.
const MEMBERLESS: &[&str] = &["cloudwatch.PutMetricAlarm"];

/// Whether `body` can be AWS's answer to the call `name` (`ecs.UpdateService`).
///
/// # Errors
/// Why it cannot.
pub fn check(name: &str, sender: Sender, body: &[u8]) -> Result<(), Foreign> {
    // An object or a map can be anybody's: a proxy's `{"status":"login required"}` would be an empty
    // list to the SDK.
    if sender == Sender::Nobody {
        return Err(Foreign::NotAws);
    }
    let operation = name.split_once('.').map_or("", |(_, operation)| operation);
    match protocol(name) {
        Protocol::Json => match body.trim_ascii().first() {
            Some(b'{') => Ok(()),
            _ => Err(Foreign::NotAws),
        },
        // Major type 5 is a map; 0xbf is one of unknown length.
        Protocol::Cbor => match body.first() {
            Some(byte) if byte >> 5 == 5 => Ok(()),
            Some(_) => Err(Foreign::NotAws),
            None if MEMBERLESS.contains(&name) => Ok(()),
            None => Err(Foreign::Cut),
        },
        Protocol::Xml => {
            let body = body.trim_ascii();
            let close = format!("</{operation}Response>");
            let open = format!("<{operation}Response");
            if !contains(body, open.as_bytes()) {
                Err(Foreign::NotAws)
            } else if body.ends_with(close.as_bytes()) {
                Ok(())
            } else {
                Err(Foreign::Cut)
            }
        }
    }
}

/// Whether an answer whose header `smithy-protocol` says `says` can be one to the call `name`. Where
/// an answer may be empty the header is all that tells it from a proxy's (Smithy RPC v2 CBOR,
/// "Responses": the header is required).
///
/// # Errors
/// Why it cannot.
pub fn check_protocol(name: &str, says: Option<&str>) -> Result<(), Foreign> {
    match protocol(name) {
        Protocol::Cbor if says != Some("rpc-v2-cbor") => Err(Foreign::NotAws),
        _ => Ok(()),
    }
}

fn protocol(name: &str) -> Protocol {
    match name.split_once('.').map_or(name, |(service, _)| service) {
        "cloudwatch" => Protocol::Cbor,
        "rds" | "sts" | "sns" => Protocol::Xml,
        _ => Protocol::Json,
    }
}

fn contains(body: &[u8], wanted: &[u8]) -> bool {
    body.windows(wanted.len()).any(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, body: &[u8]) -> Result<(), Foreign> {
        super::check(name, Sender::Aws, body)
    }

    #[test]
    fn a_page_is_no_answer_in_any_protocol() {
        let page = b"<!doctype html><html><body>Sign in</body></html>";
        for name in [
            "ecs.UpdateService",
            "cloudwatch.PutMetricAlarm",
            "rds.ModifyDBInstance",
            "sts.GetCallerIdentity",
        ] {
            assert_eq!(check(name, page), Err(Foreign::NotAws), "{name}");
        }
    }

    #[test]
    fn what_aws_sends_is_an_answer() {
        assert_eq!(check("ecs.UpdateService", b" {\"service\": {}}"), Ok(()));
        assert_eq!(check("ecs.TagResource", b"{}"), Ok(()));
        assert_eq!(check("cloudwatch.PutMetricAlarm", b""), Ok(()));
        assert_eq!(check("cloudwatch.DescribeAlarms", b"\xa0"), Ok(()));
        assert_eq!(check("cloudwatch.DescribeAlarms", b"\xbf\xff"), Ok(()));
        let whole = b"<?xml version=\"1.0\"?>\n<GetCallerIdentityResponse xmlns=\"x\"></GetCallerIdentityResponse>\n";
        assert_eq!(check("sts.GetCallerIdentity", whole), Ok(()));
    }

    #[test]
    fn nothing_at_all_is_an_answer_only_where_its_header_says_so() {
        assert_eq!(check("ecs.TagResource", b""), Err(Foreign::NotAws));
        let alarm = "cloudwatch.PutMetricAlarm";
        assert_eq!(check_protocol(alarm, None), Err(Foreign::NotAws));
        assert_eq!(check_protocol(alarm, Some("rpc-v2-cbor")), Ok(()));
        assert_eq!(check_protocol("ecs.TagResource", None), Ok(()));
    }

    #[test]
    fn an_object_that_nobody_signed_for_and_an_empty_body_are_no_answers() {
        let login = br#"{"status":"login required"}"#;
        let name = "application-autoscaling.DescribeScalableTargets";
        let signed_by = |sender| super::check(name, sender, login);
        assert_eq!(signed_by(Sender::Nobody), Err(Foreign::NotAws));
        assert_eq!(signed_by(Sender::Aws), Ok(()));
        for name in [
            name,
            "ecs.UpdateService",
            "cloudwatch.DescribeAlarms",
            "rds.ModifyDBInstance",
        ] {
            assert!(check(name, b"").is_err(), "{name}");
        }
    }

    #[test]
    fn a_list_that_was_cut_off_is_no_whole_list() {
        let whole = "<DescribeDBInstancesResponse><DBInstances></DBInstances></DescribeDBInstancesResponse>";
        for end in 1..whole.len() {
            let verdict = check("rds.DescribeDBInstances", &whole.as_bytes()[..end]);
            assert!(verdict.is_err(), "{end}");
        }
        assert_eq!(check("rds.DescribeDBInstances", whole.as_bytes()), Ok(()));
    }
}
