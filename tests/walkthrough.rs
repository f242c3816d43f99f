//! Walk-through: what `docs/walkthrough.md` tells one to type, typed, comes out as the page shows.
//!
//! Real processes in real time, the model of AWS included. The one command that is not Evenkeel's or
//! Git's, `aws`, is the real one where `EVENKEEL_AWS_COMMAND` names it; elsewhere the AWS SDK makes
//! the same call with the same key.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use regex_lite::{Captures, Regex};
use tempfile::TempDir;

use crate::process::{LIMIT, Running, until};

/// What one types, and the output that the page shows of it.
struct Step {
    typed: String,
    shown: Option<String>,
}

/// The page's steps, in order.
fn steps(page: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut parts = page.split("```");
    // Every second part is a block.
    while let (Some(_), Some(block)) = (parts.next(), parts.next()) {
        let (language, body) = block.split_once('\n').unwrap();
        match language {
            "sh" => steps.push(Step {
                typed: body.to_owned(),
                shown: None,
            }),
            "text" => {
                let before = steps.last_mut().unwrap().shown.replace(body.to_owned());
                assert_eq!(before, None, "two outputs of one step");
            }
            other => panic!("the page has a block of {other:?}, which nobody runs"),
        }
    }
    steps
}

/// The text without what differs from day to day: ids, times and how long something took.
fn masked(text: &str) -> String {
    let masks = [
        (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?", "TIME"),
        (r"\b[0-9a-f]{12}\b", "ID"),
        (r"\b\d+ s\b", "N s"),
        (r"\bby \S+@\S+/\d+, lease token \d+", "by HOLDER"),
    ];
    masks.iter().fold(text.to_owned(), |text, (what, name)| {
        let what = Regex::new(what).unwrap();
        what.replace_all(&text, |_: &Captures<'_>| *name)
            .into_owned()
    })
}

/// The first shown line that is not in what was said, in the order of the page.
fn missing(shown: &str, said: &str) -> Option<String> {
    let said = masked(said);
    let mut said = said.lines().map(str::trim);
    let shown = masked(shown);
    let lines = shown.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && *line != "…")
        .find(|line| !said.any(|other| other == *line))
        .map(str::to_owned)
}

/// The folder that the page begins in, as a checkout is, and commands of the names that it types.
struct Terminal {
    folder: TempDir,
    /// `127.0.0.1:41234`, where the page has the usual port.
    model: Option<String>,
}

const USUAL: &str = "127.0.0.1:4510";
const WALK: &str = "evenkeel-walk";

impl Terminal {
    fn open() -> Self {
        let folder = TempDir::new().unwrap();
        let (bin, wanted) = (
            folder.path().join("bin"),
            folder.path().join("desired-state"),
        );
        fs::create_dir(&bin).unwrap();
        fs::create_dir(&wanted).unwrap();
        symlink(
            assert_cmd::cargo::cargo_bin!("evenkeel"),
            bin.join("evenkeel"),
        )
        .unwrap();
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("desired-state");
        for entry in fs::read_dir(shipped).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), wanted.join(entry.file_name())).unwrap();
        }
        if let Some(aws) = std::env::var_os("EVENKEEL_AWS_COMMAND") {
            let wrapper = format!("#!/bin/sh\nexec '{}' \"$@\"\n", aws.to_str().unwrap());
            fs::write(bin.join("aws"), wrapper).unwrap();
            fs::set_permissions(bin.join("aws"), fs::Permissions::from_mode(0o755)).unwrap();
        }
        Self {
            folder,
            model: None,
        }
    }

    /// A shell that runs `script` where the page has come to.
    fn shell(&self, script: &str) -> Command {
        let mut path = self.folder.path().join("bin").into_os_string();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        let mut command = Command::new("bash");
        command
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.folder.path())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_PAGER", "")
            .current_dir(self.folder.path())
            .args(["-e", "-c", script])
            .stdin(Stdio::null());
        command
    }

    /// What the page types, on this test's port.
    fn here(&self, typed: &str) -> String {
        match &self.model {
            Some(model) => typed.replace(USUAL, model),
            None => typed.to_owned(),
        }
    }

    /// Starts what stays: its last line, which listens on any port that is free.
    fn stays(&self, typed: &str) -> Running {
        let typed = self.here(typed);
        let (before, last) = typed.trim_end().rsplit_once('\n').unwrap_or(("", &typed));
        let last = last.trim_end();
        Running::start(self.shell(&format!("{before}\nexec {last} --listen 127.0.0.1:0")))
    }

    /// Types one step and gives what it said.
    fn types(&self, typed: &str) -> String {
        let later = self.folder.path().join(WALK).is_dir();
        let before = if later {
            format!("cd {WALK} && . ./env\n")
        } else {
            String::new()
        };
        let ended = Running::start(self.shell(&(before + &self.here(typed)))).wait(LIMIT);
        // A plan that writes something says so by its code.
        let fine = ended.code == Some(0) || (ended.code == Some(2) && typed.contains("plan"));
        assert!(fine, "{typed}\n{:?} {}", ended.code, ended.all());
        ended.out
    }

    /// The step of the `aws` command by the SDK.
    fn asks_for_nine_tasks(&self, typed: &str) {
        use aws_sdk_ecs::config::{BehaviorVersion, Credentials, Region};
        let word = |after: &str| {
            let rest = typed.split_once(after).unwrap().1;
            rest.split_whitespace().next().unwrap().to_owned()
        };
        let key = word("AWS_ACCESS_KEY_ID=");
        let config = aws_sdk_ecs::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(format!("http://{}", self.model.as_ref().unwrap()))
            .credentials_provider(Credentials::new(key, "demo", None, None, "walk"))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build();
        let update = aws_sdk_ecs::Client::from_conf(config)
            .update_service()
            .cluster(word("--cluster "))
            .service(word("--service "))
            .desired_count(word("--desired-count ").parse().unwrap());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(update.send()).unwrap();
    }
}

/// The address that the model says it listens on.
fn address(model: &Running) -> String {
    until("the model listens", LIMIT, || {
        let said = model.so_far();
        let (_, rest) = said.split_once("listens on http://")?;
        let (address, _) = rest.split_once(",\n")?;
        Some(address.to_owned())
    })
}

/// Whether the controller says on its pages that it has looked at everything once. What is merged
/// before that could not be told from drift.
fn ready(controller: &Running) -> Option<()> {
    let said = anstream::adapter::strip_str(&controller.so_far()).to_string();
    let (_, rest) = said.split_once(" address=")?;
    let mut socket = TcpStream::connect(rest.split_whitespace().next()?).ok()?;
    let request = "GET /readyz HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n";
    socket.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).ok()?;
    answer.starts_with("HTTP/1.1 200").then_some(())
}

#[test]
fn the_walk_through_comes_out_as_its_page_shows() {
    let page = include_str!("../docs/walkthrough.md");
    let mut terminal = Terminal::open();
    let with_aws = std::env::var_os("EVENKEEL_AWS_COMMAND").is_some();
    let mut staying = Vec::new();
    let mut compared = 0;
    for step in steps(page) {
        let typed = &step.typed;
        if typed.contains("demo --serve") {
            let model = terminal.stays(typed);
            terminal.model = Some(address(&model));
            staying.push(model);
            continue;
        }
        if typed.trim_end().ends_with("evenkeel run") {
            let controller = terminal.stays(typed);
            until("its first look is over", LIMIT, || ready(&controller));
            staying.push(controller);
            continue;
        }
        if typed.contains(" aws ") && !with_aws {
            terminal.asks_for_nine_tasks(typed);
            continue;
        }
        let Some(shown) = step.shown else {
            terminal.types(typed);
            continue;
        };
        let mut said = terminal.types(typed);
        // What the controller does beside it takes it some seconds, and readers only look.
        let looks = typed.starts_with("evenkeel history") || typed.starts_with("evenkeel report");
        if looks {
            let mut lacked = None;
            until(&format!("the page's output of {typed}"), LIMIT, || {
                let lacks = missing(&shown, &said);
                if lacks.is_some() {
                    eprintln!("{typed} lacks {lacks:?} as yet:\n{said}");
                }
                if lacks.is_some() {
                    said = terminal.types(typed);
                }
                lacked.clone_from(&lacks);
                lacks.is_none().then_some(())
            });
        }
        if let Some(line) = missing(&shown, &said) {
            let beside: Vec<String> = staying.iter().map(Running::so_far).collect();
            panic!(
                "{typed}\nlacks: {line}\nsaid:\n{said}\n{}",
                beside.join("\n")
            );
        }
        compared += 1;
    }
    assert_eq!(staying.len(), 2);
    assert!(compared >= 4, "{compared}");
    let html = fs::read_to_string(terminal.folder.path().join(WALK).join("report.html")).unwrap();
    assert!(html.contains("user/dana"), "{html}");
}

#[test]
fn a_shown_line_that_was_not_said_or_in_another_order_is_missing() {
    let said = "a\nfound 2026-01-02 03:04 UTC, stood 3 s\nb 9\n";
    let shown = "…\nfound 2027-11-12 13:14 UTC, stood 12 s\n…\nb 9\n";
    assert_eq!(missing(shown, said), None);
    assert_eq!(missing("b 8\n", said).as_deref(), Some("b 8"));
    assert_eq!(missing("b 9\na\n", said).as_deref(), Some("a"));
}
