//! Git on the command line: the source's commands, rollback, plan against a revision, the webhook and
//! the commit status, by the real binary over a real repository.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use evenkeel::clock::Clock;
use evenkeel::model::source::CommitId;
use hmac::{Hmac, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::process::estate::{count, shop};
use crate::process::{Bench, Ended, LIMIT, Running, until};
use crate::repository::Repository;

/// What a report says, on one line.
fn out(ended: &Ended) -> String {
    ended.out.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn err(ended: &Ended) -> String {
    ended.err.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn json_of(ended: &Ended) -> Value {
    serde_json::from_str(&ended.out).unwrap_or_else(|e| panic!("{e}: {}", ended.all()))
}

/// A bench whose settings name a repository, with more lines below `git:`.
fn bench(repository: &Repository, more: &str) -> Bench {
    let bench = Bench::new(shop);
    let settings = format!(
        "source:\n  git:\n    url: {}\n    interval: 1s\n{more}",
        repository.url()
    );
    bench.save("evenkeel.yaml", &settings);
    bench
}

/// The words that set the shop back without a question.
fn rollback<'w>(to: &'w str, reason: &'w str) -> [&'w str; 8] {
    [
        "rollback",
        "shop",
        "--to",
        to,
        "--yes",
        "--no-wait",
        "--reason",
        reason,
    ]
}

/// A shop of three tasks by the first commit, which is given, and of five by the second.
fn from_three_to_five() -> (Repository, Bench, CommitId) {
    let repository = Repository::new();
    let first = repository.publish(&count(3));
    let bench = bench(&repository, "");
    bench.run(["apply", "--yes", "--no-wait"]).expect(0);
    repository.publish(&count(5));
    bench.run(["apply", "--yes", "--no-wait"]).expect(0);
    (repository, bench, first)
}

fn live(bench: &Bench) -> i64 {
    bench
        .twin
        .world(|w| w.service("main", "web").unwrap().desired)
}

#[test]
fn without_a_folder_the_commands_are_about_the_branch() {
    let repository = Repository::new();
    let first = repository.publish(&count(3));
    let bench = bench(&repository, "");
    bench.run(["apply", "--yes", "--no-wait"]).expect(0);
    assert_eq!(live(&bench), 3);
    let plan = json_of(&bench.run(["plan", "--format", "json"]));
    assert_eq!(plan["source"]["commit"], json!(first));
    let history = bench.run(["history"]).expect(0);
    assert!(
        out(&history).contains(&format!("commit {}", first.short())),
        "{}",
        history.all()
    );
    bench.run(["history", "--verify"]).expect(0);
    let status = bench.run(["status"]).expect(0);
    assert!(
        out(&status).contains(&format!("commit {} of main", first.short())),
        "{}",
        status.all()
    );
    // A folder that is typed is what is meant.
    bench.save("desired-state/shop.yaml", &count(3));
    let plan = json_of(&bench.run(["plan", "desired-state", "--format", "json"]));
    assert_eq!(plan.get("source"), None);
    let check = Running::start(bench.unpointed(["check"]))
        .wait(LIMIT)
        .expect(0);
    assert!(
        out(&check).contains("main:desired-state"),
        "{}",
        check.all()
    );
}

#[test]
fn a_held_commit_is_shown_and_taken_after_a_word_for_it_alone() {
    let repository = Repository::new();
    repository.publish(&count(4));
    let bench = bench(&repository, "");
    bench.run(["apply", "--yes", "--no-wait"]).expect(0);
    let nothing = bench
        .run(["source", "acknowledge", "0123456", "--reason", "x"])
        .expect(1);
    assert!(
        err(&nothing).contains("no commit is on hold"),
        "{}",
        nothing.all()
    );
    let bad = repository.publish(&count(1));
    let plan = bench.run(["plan"]).expect(3);
    assert!(out(&plan).contains("falls from 4 to 1"), "{}", plan.all());
    assert!(
        out(&plan).contains("evenkeel source acknowledge"),
        "{}",
        plan.all()
    );
    let applied = bench.run(["apply", "--yes"]);
    assert_eq!(live(&bench), 4, "{}", applied.all());
    let status = bench.run(["source", "status"]).expect(3);
    assert!(out(&status).contains("on hold"), "{}", status.all());
    assert!(
        status.out.lines().all(|l| l.chars().count() <= 80),
        "{}",
        status.out
    );
    let other = bench
        .run(["source", "acknowledge", "0123456", "--reason", "x"])
        .expect(1);
    assert!(err(&other).contains(bad.as_str()), "{}", other.all());
    let said = bench
        .run([
            "source",
            "acknowledge",
            bad.short(),
            "--reason",
            "a quiet season",
        ])
        .expect(0);
    assert!(out(&said).contains("acknowledged"), "{}", said.all());
    bench.run(["apply", "--yes", "--no-wait"]).expect(0);
    assert_eq!(live(&bench), 1);
    let status = json_of(
        &bench
            .run(["source", "status", "--format", "json"])
            .expect(0),
    );
    assert_eq!(status["record"]["good"], json!(bad));
    assert_eq!(
        status["record"]["used"][0]["reason"],
        json!("a quiet season")
    );
    assert!(
        status["record"]["used"][0]["by"]
            .as_str()
            .unwrap()
            .starts_with("arn:")
    );
}

#[test]
fn rollback_pins_an_app_to_a_commit_or_an_entry_until_it_is_let_go() {
    let (repository, bench, first) = from_three_to_five();
    assert_eq!(live(&bench), 5);
    let words = rollback("1", "too many");
    let back = bench.run(words).expect(0);
    assert_eq!(live(&bench), 3, "{}", back.all());
    let pinned = format!("shop is pinned to commit {} by", first.short());
    assert!(
        !out(&back).contains(&pinned),
        "its plan is from before: {}",
        back.all()
    );
    for command in ["plan", "status"] {
        let shown = bench.run([command]);
        assert!(out(&shown).contains(&pinned), "{command}: {}", shown.all());
    }
    // A newer commit does not move it, until it is let go.
    repository.publish(&count(4));
    bench.run(["apply", "--yes", "--no-wait"]).expect(0);
    assert_eq!(live(&bench), 3);
    bench.run(["unpin", "shop", "--reason", "mended"]).expect(0);
    let status = bench.run(["source", "status"]);
    assert!(
        out(&status).contains("shop was unpinned on") && out(&status).contains(": mended"),
        "{}",
        status.all()
    );
    bench.run(["apply", "--yes", "--no-wait"]).expect(0);
    assert_eq!(live(&bench), 4);
    let again = bench.run(["unpin", "shop"]).expect(1);
    assert!(err(&again).contains("not pinned"), "{}", again.all());
    let nowhere = [
        "rollback", "shop", "--to", "nowhere", "--yes", "--reason", "x",
    ];
    let nowhere = bench.run(nowhere).expect(1);
    assert!(err(&nowhere).contains("is no commit"), "{}", nowhere.all());
    bench.run(["history", "--verify"]).expect(0);
}

#[test]
fn rollback_works_from_the_clone_while_the_remote_is_away() {
    let (repository, bench, first) = from_three_to_five();
    let origin = repository.folder().join("origin.git");
    std::fs::rename(&origin, repository.folder().join("away.git")).unwrap();
    let back = bench.run(rollback(first.as_str(), "too many")).expect(0);
    assert_eq!(live(&bench), 3, "{}", back.all());
    assert!(
        err(&back).contains("what was fetched before is used"),
        "{}",
        back.all()
    );
}

#[test]
fn rollback_goes_back_to_what_was_in_force_and_to_nothing_else() {
    let repository = Repository::new();
    repository.publish(&count(3));
    let bench = bench(&repository, "");
    bench.run(["apply", "--yes", "--no-wait"]).expect(0);
    repository.publish(&count(5));
    bench.run(["apply", "--yes", "--no-wait"]).expect(0);
    let before = bench.writes();
    let unmerged = repository.publish_on("side", &count(99));
    let to = unmerged.as_str();
    let back = bench.run(rollback(to, "x")).expect(1);
    assert!(err(&back).contains("was never in force"), "{}", back.all());
    assert_eq!(bench.writes(), before);
    assert!(!out(&bench.run(["status"])).contains("pinned"));
}

#[test]
fn a_plan_against_a_revision_says_what_would_keep_the_change_back() {
    let repository = Repository::new();
    repository.publish(&count(4));
    let bench = bench(&repository, "");
    bench.run(["apply", "--yes", "--no-wait"]).expect(0);
    let folder = repository.work().join("desired-state");
    let folder = folder.to_str().unwrap();
    let against = || bench.run(["plan", folder, "--against", "HEAD"]);
    repository.save("desired-state/shop.yaml", &count(1));
    let drop = against().expect(3);
    assert!(
        out(&drop).contains("kept back once merged the commit is on hold"),
        "{}",
        drop.all()
    );
    let to = repository.head();
    let to = to.as_str();
    let pin = rollback(to, "too many");
    bench.run(pin).expect(0);
    repository.save("desired-state/shop.yaml", &count(5));
    let pinned = against().expect(3);
    assert!(
        out(&pinned).contains("kept back shop is pinned to commit"),
        "{}",
        pinned.all()
    );
    let markdown = ["plan", folder, "--against", "HEAD", "--format", "markdown"];
    assert!(
        bench
            .run(markdown)
            .out
            .contains("- **kept back**: shop is pinned")
    );
    // Who reads the report in the morning sees it, too, and of which commit it is.
    for format in ["text", "markdown", "json", "html"] {
        let report = bench.run(["report", "--format", format]).expect(0);
        let short = &to[..12];
        assert!(report.out.contains(short), "{format}: {}", report.all());
        assert!(
            report.out.contains("too many"),
            "{format}: {}",
            report.all()
        );
    }
}

#[test]
fn rollback_works_for_a_folder_in_a_work_tree_and_asks_before_it_writes() {
    let repository = Repository::new();
    let first = repository.publish(&count(3));
    repository.publish(&count(5));
    let bench = Bench::new(shop);
    let folder = repository.work().join("desired-state");
    let folder = folder.to_str().unwrap();
    bench.run(["apply", folder, "--yes", "--no-wait"]).expect(0);
    assert_eq!(live(&bench), 5);
    let to = first.short();
    // Nobody is there to be asked.
    bench
        .run(["rollback", "shop", folder, "--to", to, "--reason", "x"])
        .expect(1);
    assert_eq!(live(&bench), 5);
    bench
        .run([
            "rollback",
            "shop",
            folder,
            "--to",
            to,
            "--yes",
            "--no-wait",
            "--reason",
            "x",
        ])
        .expect(0);
    assert_eq!(live(&bench), 3);
    // The folder still says 5.
    bench.run(["apply", folder, "--yes", "--no-wait"]).expect(0);
    assert_eq!(live(&bench), 3);
    bench.run(["unpin", "shop"]).expect(0);
    bench.run(["apply", folder, "--yes", "--no-wait"]).expect(0);
    assert_eq!(live(&bench), 5);
}

#[test]
fn a_plan_by_the_last_commit_of_a_remote_that_is_gone_is_not_in_order() {
    let repository = Repository::new();
    repository.publish(&count(2));
    let bench = bench(&repository, "");
    bench.run(["apply", "--yes", "--no-wait"]).expect(0);
    bench.run(["plan"]).expect(0);
    let away = repository.folder().join("origin.git");
    std::fs::rename(&away, repository.folder().join("away")).unwrap();
    let plan = bench.run(["plan"]).expect(3);
    assert!(out(&plan).contains("what is newest:"), "{}", plan.all());
    let markdown = bench.run(["plan", "--format", "markdown"]).expect(3);
    assert!(
        markdown.out.contains("the newest commit is not known"),
        "{}",
        markdown.out
    );
}

#[test]
fn a_plan_against_a_revision_tells_the_change_from_the_drift_that_was_there() {
    let repository = Repository::new();
    repository.publish(&count(4));
    let bench = Bench::new(shop);
    let folder = repository.work().join("desired-state");
    let folder = folder.to_str().unwrap();
    // The live count is 2: drift, whatever becomes of a change.
    let same = bench.run(["plan", folder, "--against", "HEAD"]).expect(0);
    assert!(out(&same).contains("differs already"), "{}", same.all());
    repository.save(
        "desired-state/shop.yaml",
        &count(4).replace("desiredCount: 4", "desiredCount: 4, tags: {team: shop}"),
    );
    let change = bench
        .run(["plan", folder, "--against", "HEAD", "--format", "json"])
        .expect(2);
    let change = json_of(&change);
    assert_eq!(change["brings"][0]["drift"].as_array().unwrap().len(), 1);
    assert_eq!(change["existing"][0]["drift"].as_array().unwrap().len(), 1);
    repository.save(
        "desired-state/shop.yaml",
        &count(4).replace("desired", "desird"),
    );
    let wrong = ["plan", folder, "--against", "HEAD", "--format", "markdown"];
    let wrong = bench.run(wrong).expect(1);
    assert!(
        wrong
            .out
            .starts_with("<!-- evenkeel plan -->\n### Evenkeel: 1 error"),
        "{}",
        wrong.out
    );
    // What the change broke did not differ before, and the drift that did is not there to be read.
    let existing = ["plan", folder, "--against", "HEAD", "--format", "json"];
    let existing = json_of(&bench.run(existing).expect(1));
    assert_eq!(existing["existing"], json!([]), "{existing}");
    assert_eq!(existing["brings"], json!([]), "{existing}");
    let nothing = bench
        .run(["plan", folder, "--against", "no-such-branch"])
        .expect(1);
    assert!(
        err(&nothing).contains("is no commit of the repository"),
        "{}",
        nothing.all()
    );
    let option = bench.run(["plan", folder, "--against=--all"]).expect(1);
    assert!(err(&option).contains("is no revision"), "{}", option.all());
    assert_eq!(bench.writes(), 0);
}

/// A controller over a repository, with its pages.
struct Controller {
    process: Running,
    pages: SocketAddr,
}

impl Controller {
    fn start(bench: &Bench, secrets: &[(&str, &str)]) -> Self {
        // Let go at once: whoever takes it in between makes the controller end with an error.
        let pages = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .unwrap();
        let listen = pages.to_string();
        let mut command = bench.evenkeel(["run", "--interval", "60m", "--listen", &listen]);
        command.envs(secrets.iter().copied());
        let process = Running::start(command);
        Self { process, pages }
    }

    fn ask(&mut self, request: &str) -> String {
        let (pages, process) = (self.pages, &mut self.process);
        until("the pages are served", LIMIT, || {
            assert!(process.runs(), "{}", process.so_far());
            let mut socket = TcpStream::connect(pages).ok()?;
            socket.write_all(request.as_bytes()).ok()?;
            let mut answer = String::new();
            socket.read_to_string(&mut answer).ok()?;
            Some(answer)
        })
    }

    fn get(&mut self, path: &str) -> String {
        self.ask(&format!(
            "GET {path} HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n"
        ))
    }

    fn post(&mut self, head: &str, body: &str) -> String {
        self.ask(&format!(
            "POST /hook HTTP/1.1\r\nhost: here\r\nconnection: close\r\n{head}\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        ))
    }
}

/// Runs the real `gpg` over a keyring of its own; nothing where there is none.
fn gpg(keyring: &Path, words: &[&str]) -> Option<Vec<u8>> {
    let made = Command::new("gpg")
        .env("GNUPGHOME", keyring)
        .args(["--batch", "--quiet", "--no-tty"])
        .args(words)
        .output()
        .ok()?;
    let said = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success(), "gpg {words:?}: {said}");
    Some(made.stdout)
}

/// A folder for a keyring. Its path is short, for the socket of the agent, and it is its user's alone.
fn keyring() -> tempfile::TempDir {
    tempfile::Builder::new()
        .prefix("gpg")
        .permissions(std::fs::Permissions::from_mode(0o700))
        .tempdir_in("/tmp")
        .unwrap()
}

#[test]
fn an_openpgp_signature_counts_only_if_the_keyring_trusts_its_key() {
    let (anns, operators) = (keyring(), keyring());
    let made = [
        "--passphrase",
        "",
        "--quick-generate-key",
        "ann@example.com",
        "ed25519",
        "sign",
        "never",
    ];
    if gpg(anns.path(), &made).is_none() {
        println!("skipped: no gpg is installed here");
        return;
    }
    let key = gpg(anns.path(), &["--export"]).unwrap();
    let listed = gpg(anns.path(), &["--with-colons", "--list-keys"]).unwrap();
    let listed = String::from_utf8(listed).unwrap();
    let print = listed.lines().find_map(|line| line.strip_prefix("fpr:"));
    let print = print.unwrap().trim_matches(':').to_owned();
    let repository = Repository::new();
    repository.save("desired-state/shop.yaml", &count(3));
    let sign = anns.path().join("sign");
    let script = "#!/bin/sh\nGNUPGHOME=\"$(dirname \"$0\")\" exec gpg \"$@\"\n";
    std::fs::write(&sign, script).unwrap();
    std::fs::set_permissions(&sign, std::fs::Permissions::from_mode(0o700)).unwrap();
    repository.git(&["config", "gpg.program", sign.to_str().unwrap()]);
    repository.git(&["config", "user.signingkey", "ann@example.com"]);
    let commit = repository.commit_with(&["--gpg-sign"]);
    repository.push();
    let bench = bench(&repository, "    verify: {signatures: signers}\n");
    bench.save("signers", "");
    let plan = || {
        let mut command = bench.evenkeel(["plan"]);
        command.env("GNUPGHOME", operators.path());
        Running::start(command).wait(LIMIT)
    };
    let is_held = |why: &str| {
        let ended = plan();
        let said = format!("{} {}", out(&ended), err(&ended));
        assert!(said.contains("is on hold"), "{why}: {}", ended.all());
        assert!(!said.contains("desiredCount"), "{why}: {}", ended.all());
    };
    is_held("the keyring does not know the key");
    let file = operators.path().join("key");
    std::fs::write(&file, key).unwrap();
    gpg(operators.path(), &["--import", file.to_str().unwrap()]);
    is_held("nobody vouches for the key");
    std::fs::write(&file, format!("{print}:6:\n")).unwrap();
    gpg(
        operators.path(),
        &["--import-ownertrust", file.to_str().unwrap()],
    );
    let ended = plan().expect(2);
    assert!(out(&ended).contains(commit.short()), "{}", ended.all());
    for folder in [anns.path(), operators.path()] {
        let ended = Command::new("gpgconf")
            .env("GNUPGHOME", folder)
            .args(["--kill", "all"])
            .status();
        assert!(ended.unwrap().success());
    }
}

#[test]
fn a_webhook_makes_it_look_at_once_and_only_for_one_who_knows_the_secret() {
    let repository = Repository::new();
    repository.publish(&count(3));
    let bench = bench(
        &repository,
        "    webhook: {path: /hook, secretEnv: HOOK_SECRET}\n",
    );
    // Polling alone would find nothing within this test.
    let settings = std::fs::read_to_string(bench.folder().join("evenkeel.yaml")).unwrap();
    bench.save(
        "evenkeel.yaml",
        &settings.replace("interval: 1s", "interval: 24h"),
    );
    let mut controller = Controller::start(&bench, &[("HOOK_SECRET", "hush-hush-hush-hush")]);
    until("the first commit is written", LIMIT, || {
        (live(&bench) == 3).then_some(())
    });
    let newer = repository.publish(&count(4));
    let body = r#"{"ref":"refs/heads/main"}"#;
    let sign = |secret: &str| {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(body.as_bytes());
        format!(
            "x-hub-signature-256: sha256={}",
            hex::encode(mac.finalize().into_bytes())
        )
    };
    for head in [
        sign("wrong"),
        "x-gitlab-token: wrong".into(),
        "accept: */*".into(),
    ] {
        let answer = controller.post(&head, body);
        assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    }
    let large = "x".repeat(5 << 20);
    let answer = controller.post("accept: */*", &large);
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 413"),
        "{answer}"
    );
    assert_eq!(live(&bench), 3, "nothing was looked at");
    let answer = controller.post(&sign("hush-hush-hush-hush"), body);
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    until("the newer commit is written", LIMIT, || {
        (live(&bench) == 4).then_some(())
    });
    until("it is told in the figures", LIMIT, || {
        let metrics = controller.get("/metrics");
        let refused = "evenkeel_webhook_messages_total{outcome=\"refused\"} 3";
        assert!(metrics.contains(refused), "{metrics}");
        let info = format!("evenkeel_source_info{{commit=\"{newer}\"}} 1");
        metrics.contains(&info).then_some(())
    });
    assert!(controller.get("/hook").starts_with("HTTP/1.1 405"));
    let said = controller.process.so_far();
    assert!(!said.contains("hush-hush"), "{said}");
}

#[test]
fn a_held_source_is_told_in_the_figures_and_keeps_nobody_unready() {
    let repository = Repository::new();
    repository.publish(&count(4));
    let bench = bench(&repository, "");
    let mut controller = Controller::start(&bench, &[]);
    until("the first commit is written", LIMIT, || {
        (live(&bench) == 4).then_some(())
    });
    repository.publish(&count(1));
    until("it is held", LIMIT, || {
        let metrics = controller.get("/metrics");
        metrics.contains("evenkeel_source_held 1").then_some(())
    });
    assert!(controller.get("/readyz").starts_with("HTTP/1.1 200"));
    let told = |c: &Controller| c.process.so_far().matches("the source is on hold").count();
    until("it is told in the log", LIMIT, || {
        (told(&controller) > 0).then_some(())
    });
    // Polled every second: three fetches later it is not told again.
    let (clock, began) = (Clock::system(), Clock::system().boot());
    until("some fetches go by", LIMIT, || {
        (clock.boot() - began > Duration::from_secs(3)).then_some(())
    });
    assert_eq!(told(&controller), 1, "{}", controller.process.so_far());
    assert_eq!(live(&bench), 4);
}

/// What a forge was told: path, token and body.
type Heard = Arc<Mutex<Vec<(String, String, Value)>>>;

/// A forge that takes down what it is told.
fn forge(answers: Vec<u16>) -> (String, Heard) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let api = format!("http://{}", listener.local_addr().unwrap());
    let told = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&told);
    std::thread::spawn(move || {
        let mut answers = answers.into_iter();
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            let mut reader = BufReader::new(socket.try_clone().unwrap());
            let mut lines = Vec::new();
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).unwrap_or(0) == 0 || line.trim().is_empty() {
                    break;
                }
                lines.push(line.trim().to_lowercase());
            }
            let header = |name: &str| {
                let found = lines.iter().find_map(|l| l.strip_prefix(name));
                found.unwrap_or_default().trim().to_owned()
            };
            let mut body = vec![0; header("content-length:").parse().unwrap_or(0)];
            reader.read_exact(&mut body).unwrap();
            let code = answers.next().unwrap_or(201);
            let answer =
                format!("HTTP/1.1 {code} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            socket.write_all(answer.as_bytes()).unwrap();
            if code < 300 {
                let path = lines.first().cloned().unwrap_or_default();
                let body = serde_json::from_slice(&body).unwrap();
                let token = header("authorization:");
                into.lock().unwrap().push((path, token, body));
            }
        }
    });
    (api, told)
}

#[test]
fn a_commit_is_told_to_the_forge_as_it_goes_and_a_forge_that_is_down_holds_nobody_up() {
    let repository = Repository::new();
    let first = repository.publish(&count(3));
    // The first is refused once, and told again.
    let (api, told) = forge(vec![503]);
    let status =
        format!("    status: {{github: acme/estate, tokenEnv: FORGE_TOKEN, api: \"{api}\"}}\n");
    let with_status = bench(&repository, &status);
    let mut controller = Controller::start(&with_status, &[("FORGE_TOKEN", "hush-hush")]);
    let states = |commit: &str| -> Vec<String> {
        let told = told.lock().unwrap();
        let of = told.iter().filter(|(path, ..)| path.contains(commit));
        of.map(|(_, _, body)| body["state"].as_str().unwrap().to_owned())
            .collect()
    };
    until("the commit is told as converged", LIMIT, || {
        assert!(controller.process.runs(), "{}", controller.process.so_far());
        states(first.as_str())
            .contains(&"success".to_owned())
            .then_some(())
    });
    let (path, token, body) = told.lock().unwrap().last().cloned().unwrap();
    assert!(
        path.starts_with("post /repos/acme/estate/statuses/"),
        "{path}"
    );
    assert_eq!(
        (token.as_str(), &body["context"]),
        ("bearer hush-hush", &json!("evenkeel"))
    );
    // One that is held is told as failed.
    let held = repository.publish(&count(1));
    until("the held commit is told", LIMIT, || {
        states(held.as_str())
            .contains(&"error".to_owned())
            .then_some(())
    });
    let said = controller.process.so_far();
    assert!(!said.contains("hush-hush"), "{said}");
    drop(controller);
    // Nobody listens there.
    let status =
        "    status: {gitlab: \"7\", tokenEnv: FORGE_TOKEN, api: \"http://127.0.0.1:9\"}\n";
    let alone = bench(&repository, status);
    let mut controller = Controller::start(&alone, &[("FORGE_TOKEN", "hush-hush")]);
    until("it writes all the same", LIMIT, || {
        (live(&alone) == 1).then_some(())
    });
    assert!(controller.get("/readyz").starts_with("HTTP/1.1 200"));
}

/// The scripts of a workflow's or job's steps, by name, as the shell gets them.
fn scripts(file: &str) -> BTreeMap<String, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples/ci")
        .join(file);
    let text = std::fs::read_to_string(path).unwrap();
    let value: Value = serde_saphyr::from_str(&text).unwrap();
    let mut found = BTreeMap::new();
    if let Some(steps) = value.pointer("/jobs/plan/steps").and_then(Value::as_array) {
        for step in steps {
            if let (Some(name), Some(run)) = (step["name"].as_str(), step["run"].as_str()) {
                found.insert(name.to_owned(), run.to_owned());
            }
        }
    } else {
        let script = value["evenkeel-plan"]["script"].as_array().unwrap();
        for (name, run) in ["Plan", "Comment", "Verdict"].iter().zip(script) {
            found.insert((*name).to_owned(), run.as_str().unwrap().to_owned());
        }
    }
    found
}

/// A place where those scripts run: `evenkeel` over the bench, and a forge's client that keeps one
/// comment in a file.
struct Runner {
    bench: Bench,
    repository: Repository,
    path: String,
}

const FAKE_GH: &str = r#"#!/bin/sh
echo "$@" >> gh.calls
case "$*" in
  *PATCH*|*POST*) cp comment.md posted.md ;;
  *) [ -f posted.md ] && echo 17 || true ;;
esac
"#;

const FAKE_CURL: &str = r#"#!/bin/sh
echo "$@" >> curl.calls
grep -q 'PRIVATE-TOKEN: hush' curl.conf || exit 22
case "$*" in
  *PUT*|*POST*) cp plan.md posted.md; echo '{}' ;;
  *) if [ -f posted.md ]; then
       printf '%s' '[{"id": 3, "body": "looks good"}, {"id": 17, "body": "<!-- evenkeel plan -->\nold"}]'
     else echo '[]'; fi ;;
esac
"#;

impl Runner {
    fn new() -> Self {
        let bench = Bench::new(shop);
        let repository = Repository::new();
        repository.publish(&count(2));
        let bin = bench.folder().join("bin");
        std::fs::create_dir(&bin).unwrap();
        let real = assert_cmd::cargo::cargo_bin!("evenkeel")
            .display()
            .to_string();
        let wrapper = format!(
            "#!/bin/sh\nwords=\"$1\"\ncase \"$words\" in plan) exec '{real}' \"$@\" --endpoint-url {} ;; \
             *) exec '{real}' \"$@\" ;; esac\n",
            bench.endpoint()
        );
        for (name, text) in [
            ("evenkeel", wrapper.as_str()),
            ("gh", FAKE_GH),
            ("curl", FAKE_CURL),
        ] {
            let file = bin.join(name);
            std::fs::write(&file, text).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
        Self {
            bench,
            repository,
            path,
        }
    }

    fn work(&self) -> PathBuf {
        self.repository.work()
    }

    /// Runs a script as a step does, and gives its exit code.
    fn run(&self, script: &str, base: &str, code: &str) -> i32 {
        let ended = Command::new("bash")
            .args(["-e", "-o", "pipefail", "-c", script])
            .current_dir(self.work())
            .env("PATH", &self.path)
            .envs([
                ("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE"),
                ("AWS_SECRET_ACCESS_KEY", "example-only"),
                ("AWS_REGION", "us-east-1"),
                ("AWS_EC2_METADATA_DISABLED", "true"),
                ("BASE", base),
                ("CODE", code),
                ("GITHUB_OUTPUT", "outputs"),
                ("GITHUB_REPOSITORY", "acme/estate"),
                ("PULL", "5"),
                ("CI_MERGE_REQUEST_DIFF_BASE_SHA", base),
                ("CI_API_V4_URL", "https://gitlab.example.com/api/v4"),
                ("CI_PROJECT_ID", "7"),
                ("CI_MERGE_REQUEST_IID", "5"),
                ("EVENKEEL_GITLAB_TOKEN", "hush"),
            ])
            .output()
            .unwrap();
        ended.status.code().unwrap_or(-1)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.work().join(name)).unwrap_or_default()
    }
}

#[test]
fn the_github_workflow_comments_once_and_fails_by_its_exit_code() {
    let runner = Runner::new();
    let base = runner.repository.head();
    let scripts = scripts("github/evenkeel-plan.yml");
    let step = |name: &str, code: &str| runner.run(&scripts[name], base.as_str(), code);
    let code = || {
        let outputs = runner.read("outputs");
        outputs
            .lines()
            .last()
            .unwrap()
            .strip_prefix("code=")
            .unwrap()
            .to_owned()
    };
    runner.repository.save("desired-state/shop.yaml", &count(3));
    assert_eq!(step("Version", ""), 0);
    assert_eq!(step("Plan", ""), 0);
    assert_eq!(code(), "2");
    assert_eq!(step("Comment", ""), 0);
    assert!(
        runner
            .read("posted.md")
            .contains("this change writes 1 object")
    );
    assert!(
        runner
            .read("gh.calls")
            .contains("POST repos/acme/estate/issues/5/comments")
    );
    assert_eq!(step("Verdict", &code()), 0);
    // The next push finds the comment, and changes it.
    runner.repository.save(
        "desired-state/shop.yaml",
        &count(3).replace("desired", "desird"),
    );
    assert_eq!(step("Plan", ""), 0);
    assert_eq!(step("Comment", ""), 0);
    assert!(
        runner
            .read("gh.calls")
            .contains("PATCH repos/acme/estate/issues/comments/17")
    );
    assert!(runner.read("posted.md").contains("1 error in this change"));
    assert_eq!(step("Verdict", &code()), 1);
    // A base that is not there is told in the comment, too.
    let none = runner.run(&scripts["Plan"], &"0".repeat(40), "");
    assert_eq!(none, 0);
    assert!(runner.read("plan.md").contains("no plan could be made"));
    assert_eq!(runner.bench.writes(), 0);
}

#[test]
fn the_gitlab_job_notes_once_and_fails_by_its_exit_code() {
    let runner = Runner::new();
    let base = runner.repository.head();
    let scripts = scripts("gitlab-ci.yml");
    let step = |name: &str| runner.run(&scripts[name], base.as_str(), "");
    runner.repository.save("desired-state/shop.yaml", &count(3));
    for name in ["Plan", "Comment", "Verdict"] {
        assert_eq!(step(name), 0, "{name}");
    }
    assert!(runner.read("curl.calls").contains("--request POST"));
    runner.repository.save(
        "desired-state/shop.yaml",
        &count(3).replace("desired", "desird"),
    );
    assert_eq!((step("Plan"), step("Comment"), step("Verdict")), (0, 0, 1));
    let calls = runner.read("curl.calls");
    assert!(
        calls.contains("--request PUT --data-urlencode body@plan.md"),
        "{calls}"
    );
    assert!(calls.contains("notes/17"), "{calls}");
    assert!(!calls.contains("hush"), "{calls}");
}
