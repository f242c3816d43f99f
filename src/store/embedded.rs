//! The embedded engine: a DynamoDB in this process, in a file or in memory, behind the SDK's own HTTP interface.
//!
//! Callers go on speaking `aws-sdk-dynamodb`; [`http_client`] answers its requests in process, on
//! the calling thread and without a socket. Several processes may share one file: SQLite
//! serialises their writes.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use dynoxide::{Database, DynoxideError};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What precedes the operation's name in the `X-Amz-Target` header of every DynamoDB request.
pub const TARGET_PREFIX: &str = "DynamoDB_20120810.";

/// The code of answers that tell of trouble with the file itself.
pub const FILE_TROUBLE: &str = "StoreFileTrouble";

/// The place of what is kept in no file.
const MEMORY: &str = ":memory:";

/// What to do about what SQLite says of a file; `None` where it may pass by itself.
fn cure(said: &str) -> Option<&'static str> {
    let says = |words: &[&str]| words.iter().any(|w| said.contains(w));
    if says(&["is locked"]) {
        Some(
            "another process holds it; if that one was stopped (state T in `ps`), let it go on or \
             end it, and run again",
        )
    } else if says(&["malformed", "not a database"]) {
        Some(
            "restore it from a backup, or move it away: what it knew of leases and writes is then \
             lost",
        )
    } else if says(&["is full"]) {
        Some("free some space, and run again")
    } else if says(&["disk I/O error"]) {
        Some(
            "check that its disk is well and has space, and that the file and its folder can be \
             written by you, and run again",
        )
    } else if says(&["readonly", "read-only", "unable to open"]) {
        Some("check that the file and its folder can be written by you, and run again")
    } else {
        None
    }
}

/// Why a store file could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder of the file cannot be made.
    #[error("{}: creating the folder of the store; check its permissions, or name another file with --store embedded:FILE", path.display())]
    Folder {
        /// The store's file.
        path: PathBuf,
        /// What the file system said.
        #[source]
        source: io::Error,
    },
    /// The lock file beside it cannot be taken.
    #[error("{}: locking the store while it is opened; check that its folder can be written and its file system knows flock", path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// What the file system said.
        #[source]
        source: io::Error,
    },
    /// The path is not UTF-8, which SQLite needs.
    #[error("{}: the path of the store is not UTF-8; name another with --store embedded:FILE", path.display())]
    NotUtf8 {
        /// The store's file.
        path: PathBuf,
    },
    /// The engine refuses the file.
    #[error("{}: opening the store; {}if the file is not one of Evenkeel's, name another with --store embedded:FILE", path.display(), cure(&source.to_string()).map_or_else(String::new, |cure| format!("{cure}; ")))]
    Engine {
        /// The store's file, or `:memory:`.
        path: PathBuf,
        /// What the engine said.
        #[source]
        source: DynoxideError,
    },
}

/// A DynamoDB in this process. Clones share it.
#[derive(Clone)]
pub struct Engine {
    database: Database,
    place: PathBuf,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// Opens the file, making it and its folder when they are absent.
    ///
    /// Two processes that make one fresh file at once would meet in SQLite's switch to WAL and one
    /// would fail with "database is locked"; so the opening is serialised by a lock file beside
    /// it, `FILE.opening`, which stays there.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|source| OpenError::Folder {
                path: path.to_owned(),
                source,
            })?;
        }
        let text = path.to_str().ok_or_else(|| OpenError::NotUtf8 {
            path: path.to_owned(),
        })?;
        let _opening = lock_beside(path)?;
        let failed = |source| OpenError::Engine {
            path: path.to_owned(),
            source,
        };
        let engine = Self {
            database: Database::new(text).map_err(failed)?,
            place: path.to_owned(),
        };
        engine.clear_half_made().map_err(failed)?;
        Ok(engine)
    }

    /// The engine makes a table in two transactions: what it is like, then the place for its items.
    /// Whoever ended between the two (a full disk, a kill) left a table that nothing can be put in,
    /// so nothing is lost with it. Tables are made under the same lock as this.
    fn clear_half_made(&self) -> Result<(), DynoxideError> {
        let listed: serde_json::Value =
            serde_json::from_slice(&self.dispatch("ListTables", b"{}")?)
                .map_err(|e| DynoxideError::InternalServerError(e.to_string()))?;
        for name in listed["TableNames"].as_array().into_iter().flatten() {
            let body = |value: serde_json::Value| value.to_string().into_bytes();
            let look = body(serde_json::json!({"TableName": name, "Limit": 1}));
            match self.dispatch("Scan", &look) {
                Err(error) if error.to_string().contains("no such table") => {
                    let delete = body(serde_json::json!({"TableName": name}));
                    self.dispatch("DeleteTable", &delete)?;
                }
                // Other trouble shows where the table is used.
                _ => {}
            }
        }
        Ok(())
    }

    /// An engine that forgets everything when its last clone goes.
    pub fn memory() -> Result<Self, OpenError> {
        let place = PathBuf::from(MEMORY);
        match Database::memory() {
            Ok(database) => Ok(Self { database, place }),
            Err(source) => Err(OpenError::Engine {
                path: place,
                source,
            }),
        }
    }

    /// The file it keeps, or `:memory:`.
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// Answers one request of the DynamoDB API: the HTTP status, and the JSON body of the answer or error.
    pub fn call(&self, operation: &str, body: &[u8]) -> (u16, Vec<u8>) {
        let _making = match operation {
            "CreateTable" if self.place != Path::new(MEMORY) => match lock_beside(&self.place) {
                Ok(lock) => Some(lock),
                Err(error) => return self.broken(&error.to_string()),
            },
            _ => None,
        };
        match self.dispatch(operation, body) {
            Ok(body) => (200, body),
            Err(error) if error.status_code() == 500 => self.broken(&error.to_string()),
            Err(error) => (error.status_code(), error.to_json().into_bytes()),
        }
    }

    /// What the file's own trouble looks like. A file that is only locked may be asked again; for the
    /// rest, asking again does not help, so that it is no error of the server's.
    fn broken(&self, said: &str) -> (u16, Vec<u8>) {
        let Some(cure) = cure(said) else {
            let error = DynoxideError::InternalServerError(said.to_owned());
            return (500, error.to_json().into_bytes());
        };
        let answer = serde_json::json!({
            "__type": FILE_TROUBLE,
            "message": format!("{}: {said}; {cure}", self.place.display()),
        });
        let status = if said.contains("is locked") { 500 } else { 400 };
        (status, answer.to_string().into_bytes())
    }

    fn dispatch(&self, operation: &str, body: &[u8]) -> Result<Vec<u8>, DynoxideError> {
        let db = &self.database;
        match operation {
            "BatchGetItem" => run(body, |r| db.batch_get_item(r)),
            "BatchWriteItem" => run(body, |r| db.batch_write_item(r)),
            "CreateTable" => run(body, |r| db.create_table(r)),
            "DeleteItem" => run(body, |r| db.delete_item(r)),
            "DeleteTable" => run(body, |r| db.delete_table(r)),
            "DescribeTable" => run(body, |r| db.describe_table(r)),
            "DescribeTimeToLive" => run(body, |r| db.describe_time_to_live(r)),
            "GetItem" => run(body, |r| db.get_item(r)),
            "ListTables" => run(body, |r| db.list_tables(r)),
            "ListTagsOfResource" => run(body, |r| db.list_tags_of_resource(r)),
            "PutItem" => run(body, |r| db.put_item(r)),
            "Query" => run(body, |r| db.query(r)),
            "Scan" => run(body, |r| db.scan(r)),
            "TagResource" => run(body, |r| db.tag_resource(r)),
            "TransactGetItems" => run(body, |r| db.transact_get_items(r)),
            "TransactWriteItems" => run(body, |r| db.transact_write_items(r)),
            "UntagResource" => run(body, |r| db.untag_resource(r)),
            "UpdateItem" => run(body, |r| db.update_item(r)),
            "UpdateTable" => run(body, |r| db.update_table(r)),
            "UpdateTimeToLive" => run(body, |r| db.update_time_to_live(r)),
            other => Err(DynoxideError::ValidationException(format!(
                "{other} is not an operation of the embedded store; use --store dynamodb:TABLE for it"
            ))),
        }
    }
}

fn run<Request, Response>(
    body: &[u8],
    act: impl FnOnce(Request) -> Result<Response, DynoxideError>,
) -> Result<Vec<u8>, DynoxideError>
where
    Request: DeserializeOwned,
    Response: Serialize,
{
    let request = serde_json::from_slice(body).map_err(|e| unreadable(&e.to_string()))?;
    let response = act(request)?;
    serde_json::to_vec(&response).map_err(|e| DynoxideError::InternalServerError(e.to_string()))
}

/// The engine checks a part of its rules while it reads a request, and marks what they say; the
/// rest is JSON that does not fit the operation.
fn unreadable(said: &str) -> DynoxideError {
    match said.strip_prefix("VALIDATION:") {
        Some(rule) => DynoxideError::ValidationException(rule.to_owned()),
        None => DynoxideError::SerializationException(said.to_owned()),
    }
}

/// Takes the lock file beside `path`, waiting for whoever holds it; dropping it lets go.
fn lock_beside(path: &Path) -> Result<File, OpenError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".opening");
    let lock_path = PathBuf::from(name);
    let failed = |source: io::Error| OpenError::Lock {
        path: lock_path.clone(),
        source,
    };
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&lock_path)
        .map_err(failed)?;
    loop {
        match rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive) {
            Ok(()) => return Ok(file),
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(failed(errno.into())),
        }
    }
}

/// An HTTP client for `aws-sdk-dynamodb` whose every request `engine` answers in process.
pub fn http_client(engine: Engine) -> SharedHttpClient {
    SharedHttpClient::new(InProcess { engine })
}

#[derive(Clone, Debug)]
struct InProcess {
    engine: Engine,
}

impl HttpClient for InProcess {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for InProcess {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::ready(answer(&self.engine, &request))
    }
}

fn answer(engine: &Engine, request: &HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let refused = |why: &str| ConnectorError::user(why.to_owned().into());
    let operation = request
        .headers()
        .get("x-amz-target")
        .and_then(|target| target.strip_prefix(TARGET_PREFIX))
        .ok_or_else(|| refused("the embedded store answers DynamoDB requests only"))?;
    let body = request
        .body()
        .bytes()
        .ok_or_else(|| refused("the embedded store answers requests with a body in memory only"))?;
    let (status, body) = engine.call(operation, body);
    let status = StatusCode::try_from(status).map_err(|e| ConnectorError::other(e.into(), None))?;
    let mut response = HttpResponse::new(status, SdkBody::from(body));
    response
        .headers_mut()
        .insert("content-type", "application/x-amz-json-1.0");
    // The door lets nothing in that does not say it is an answer of AWS's.
    response
        .headers_mut()
        .insert("x-amzn-requestid", "embedded");
    Ok(response)
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
    use aws_sdk_dynamodb::types::{
        AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, Put,
        ReturnValuesOnConditionCheckFailure, ScalarAttributeType, TransactWriteItem,
    };

    use super::*;

    fn client(engine: Engine) -> aws_sdk_dynamodb::Client {
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-2"))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .http_client(http_client(engine))
            .build();
        aws_sdk_dynamodb::Client::from_conf(config)
    }

    async fn with_table(engine: Engine) -> aws_sdk_dynamodb::Client {
        let client = client(engine);
        client
            .create_table()
            .table_name("store")
            .billing_mode(BillingMode::PayPerRequest)
            .attribute_definitions(
                AttributeDefinition::builder()
                    .attribute_name("pk")
                    .attribute_type(ScalarAttributeType::S)
                    .build()
                    .unwrap(),
            )
            .key_schema(
                KeySchemaElement::builder()
                    .attribute_name("pk")
                    .key_type(KeyType::Hash)
                    .build()
                    .unwrap(),
            )
            .send()
            .await
            .unwrap();
        client
    }

    fn put_once(owner: &str) -> Put {
        Put::builder()
            .table_name("store")
            .item("pk", AttributeValue::S("lease".into()))
            .item("owner", AttributeValue::S(owner.into()))
            .condition_expression("attribute_not_exists(pk)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_condition_that_fails_shows_the_item_that_is_there() {
        let client = with_table(Engine::memory().unwrap()).await;
        for (owner, wins) in [("first", true), ("second", false)] {
            let put = put_once(owner);
            let sent = client
                .put_item()
                .table_name("store")
                .set_item(Some(put.item))
                .set_condition_expression(put.condition_expression)
                .set_return_values_on_condition_check_failure(
                    put.return_values_on_condition_check_failure,
                )
                .send()
                .await;
            assert_eq!(sent.is_ok(), wins);
            if let Err(error) = sent {
                let error = error.into_service_error();
                let aws_sdk_dynamodb::operation::put_item::PutItemError::ConditionalCheckFailedException(
                    failed,
                ) = error
                else {
                    panic!("{error:?}")
                };
                let item = failed.item.unwrap();
                assert_eq!(item["owner"], AttributeValue::S("first".into()));
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_cancelled_transaction_says_which_condition_failed() {
        let client = with_table(Engine::memory().unwrap()).await;
        let transact = |owner: &'static str| {
            client
                .transact_write_items()
                .transact_items(TransactWriteItem::builder().put(put_once(owner)).build())
                .send()
        };
        transact("first").await.unwrap();
        let error = transact("second").await.unwrap_err().into_service_error();
        let aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError::TransactionCanceledException(cancelled) = error else {
            panic!("{error:?}")
        };
        let reason = &cancelled.cancellation_reasons()[0];
        assert_eq!(reason.code(), Some("ConditionalCheckFailed"));
        let item = reason.item().unwrap();
        assert_eq!(item["owner"], AttributeValue::S("first".into()));
    }

    #[tokio::test(start_paused = true)]
    async fn an_operation_it_does_not_know_is_a_definite_error() {
        let client = client(Engine::memory().unwrap());
        let error = client.describe_endpoints().send().await.unwrap_err();
        assert!(format!("{error:?}").contains("not an operation of the embedded store"));
    }

    #[test]
    fn a_rule_that_the_engine_checks_while_reading_is_a_validation_error() {
        let engine = Engine::memory().unwrap();
        let (status, body) = engine.call("DeleteTable", br#"{"TableName":"t"}"#);
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(status, 400);
        assert!(
            body["__type"]
                .as_str()
                .unwrap()
                .ends_with("#ValidationException")
        );
        assert!(
            body["message"]
                .as_str()
                .unwrap()
                .starts_with("TableName must be")
        );
    }

    #[test]
    fn many_that_open_one_fresh_file_at_once_all_succeed() {
        for _ in 0..5 {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("new/folder/store.db");
            std::thread::scope(|scope| {
                let opening: Vec<_> = (0..8)
                    .map(|_| scope.spawn(|| Engine::open(&file).map(drop)))
                    .collect();
                for one in opening {
                    one.join().unwrap().unwrap();
                }
            });
        }
    }

    #[test]
    fn what_one_engine_writes_another_on_the_same_file_reads() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("store.db");
        let one = Engine::open(&file).unwrap();
        let other = Engine::open(&file).unwrap();
        let create = br#"{"TableName":"store","BillingMode":"PAY_PER_REQUEST","AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"}],"KeySchema":[{"AttributeName":"pk","KeyType":"HASH"}]}"#;
        assert_eq!(one.call("CreateTable", create).0, 200);
        let (status, _) = other.call(
            "PutItem",
            br#"{"TableName":"store","Item":{"pk":{"S":"a"},"n":{"N":"1"}}}"#,
        );
        assert_eq!(status, 200);
        let (_, body) = one.call(
            "GetItem",
            br#"{"TableName":"store","Key":{"pk":{"S":"a"}}}"#,
        );
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["Item"]["n"]["N"], "1");
    }

    #[test]
    fn a_file_that_is_no_store_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("notes.txt");
        std::fs::write(
            &file,
            "not a database, by a good margin of many bytes".repeat(100),
        )
        .unwrap();
        let error = Engine::open(&file).unwrap_err();
        assert!(error.to_string().contains("notes.txt"), "{error}");
    }

    #[test]
    fn trouble_with_the_file_names_it_and_the_cure_and_what_passes_may_be_asked_again() {
        let engine = Engine::memory().unwrap();
        for (said, cure) in [
            ("database or disk is full", "free some space"),
            (
                "attempt to write a readonly database",
                "can be written by you",
            ),
            (
                "database disk image is malformed",
                "restore it from a backup",
            ),
        ] {
            let (status, body) = engine.broken(said);
            let body = String::from_utf8(body).unwrap();
            assert_eq!(status, 400, "{body}");
            for words in [FILE_TROUBLE, ":memory:", said, cure] {
                assert!(body.contains(words), "{words}: {body}");
            }
        }
        assert_eq!(engine.broken("database is locked").0, 500);
    }
}
