//! Answers: whether what came back with a 200 is an answer of AWS at all, and whole.
//!
//! An SDK takes an empty or foreign body for an answer without members wherever all members are
//! optional: a captive portal's page would be a yes, and a cut list a complete one.
//!
//! Pure: bytes in, a verdict out.

/// The protocol that a service's answers are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    /// awsJson: an object, or nothing.
    Json,
    /// rpc-v2-cbor: a map, or nothing.
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

/// Whether `body` can be AWS's answer to the call `name` (`ecs.UpdateService`).
///
/// # Errors
/// Why it cannot.
pub fn check(name: &str, body: &[u8]) -> Result<(), Foreign> {
    let (service, operation) = name.split_once('.').unwrap_or((name, ""));
    let protocol = match service {
        "cloudwatch" => Protocol::Cbor,
        "rds" | "sts" => Protocol::Xml,
        _ => Protocol::Json,
    };
    match protocol {
        Protocol::Json => match body.trim_ascii().first() {
            None | Some(b'{') => Ok(()),
            Some(_) => Err(Foreign::NotAws),
        },
        // Major type 5 is a map; 0xbf is one of unknown length.
        Protocol::Cbor => match body.first() {
            None => Ok(()),
            Some(byte) if byte >> 5 == 5 => Ok(()),
            Some(_) => Err(Foreign::NotAws),
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

fn contains(body: &[u8], wanted: &[u8]) -> bool {
    body.windows(wanted.len()).any(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(check("dynamodb.PutItem", b""), Ok(()));
        assert_eq!(check("cloudwatch.PutMetricAlarm", b""), Ok(()));
        assert_eq!(check("cloudwatch.DescribeAlarms", b"\xa0"), Ok(()));
        assert_eq!(check("cloudwatch.DescribeAlarms", b"\xbf\xff"), Ok(()));
        let whole = b"<?xml version=\"1.0\"?>\n<GetCallerIdentityResponse xmlns=\"x\"></GetCallerIdentityResponse>\n";
        assert_eq!(check("sts.GetCallerIdentity", whole), Ok(()));
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
