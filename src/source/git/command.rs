//! Commands: how the installed `git` is run: with no terminal, no hooks, no helper programs, within
//! limits of time and size, and with its words told without secrets.

use std::ffi::{OsStr, OsString};
use std::io::{Read, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use super::url::mask;

/// Longest run of a command that stays on this machine.
pub const LOCAL_LIMIT: Duration = Duration::from_secs(60);
/// Longest run of a command that talks to the remote: a first fetch of a long history takes minutes.
pub const REMOTE_LIMIT: Duration = Duration::from_secs(300);
/// Most bytes of standard output that are read.
pub const OUTPUT_MAX: u64 = 96 << 20;
/// Most bytes of standard error that are kept.
const WORDS_MAX: u64 = 16 << 10;
/// Longest that Git's own words may be in an error.
const TOLD: usize = 300;

/// Variables that would lead Git to another repository, or make it say more than it should.
const STRANGE: [&str; 14] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
    "GIT_TRACE",
    "GIT_TRACE_CURL",
    "GIT_TRACE_PACKET",
    "GIT_TRACE_SETUP",
    "GIT_CURL_VERBOSE",
    "GIT_EXTERNAL_DIFF",
];

/// Settings that hold for every run, whatever the user's configuration says.
const ALWAYS: [(&str, &str); 6] = [
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("protocol.ext.allow", "never"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("fetch.recurseSubmodules", "false"),
];

/// Why a run of Git has no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GitError {
    /// There is no such program.
    #[error("`git` is not installed, or not in PATH; install it (2.31 or later)")]
    NotInstalled,
    /// It could not be started or talked to.
    #[error("git {act}: {why}")]
    Run {
        /// What was to be done.
        act: String,
        /// Why it was not.
        why: String,
    },
    /// It said no.
    #[error("git {act}: {said}")]
    Refused {
        /// What was to be done.
        act: String,
        /// Git's words, without secrets.
        said: String,
    },
    /// It took too long, and was ended.
    #[error(
        "git {act}: no end after {seconds} s, so it was ended; check the network, and whether it \
         waits for a password that nobody can type"
    )]
    TooLong {
        /// What was to be done.
        act: String,
        /// The limit.
        seconds: u64,
    },
    /// It said more than is read.
    #[error("git {act}: more than {} MiB came back", OUTPUT_MAX >> 20)]
    TooMuch {
        /// What was to be done.
        act: String,
    },
}

/// One repository, as far as commands go.
#[derive(Clone, Debug)]
pub struct Git {
    dir: PathBuf,
    config: Vec<(String, String)>,
    env: Vec<(&'static str, OsString)>,
}

/// What a run said, and how it ended.
#[derive(Clone, Debug)]
pub struct Said {
    /// Standard output.
    pub out: Vec<u8>,
    /// Standard error, without secrets, on one line.
    pub words: String,
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
}

impl Git {
    /// Commands in the repository or folder `dir`, with these settings beside those that always
    /// hold. They go through the environment: nothing of them can be taken for an option, and no
    /// other user of the machine sees them.
    pub fn at(dir: impl Into<PathBuf>, config: Vec<(String, String)>) -> Self {
        Self {
            dir: dir.into(),
            config,
            env: Vec::new(),
        }
    }

    /// The same, whose folder is the repository itself and nothing else is looked for.
    #[must_use]
    pub fn bare(mut self) -> Self {
        self.env.push(("GIT_DIR", self.dir.clone().into()));
        self
    }

    /// The same, which asks no remote for what is missing here (Git 2.45 or later; an older one asks
    /// for it piece by piece).
    #[must_use]
    pub fn alone(&self) -> Self {
        let mut alone = self.clone();
        alone.env.push(("GIT_NO_LAZY_FETCH", "1".into()));
        alone
    }

    /// The same with one more setting.
    #[must_use]
    pub fn with(&self, key: &str, value: String) -> Self {
        let mut more = self.clone();
        more.config.push((key.to_owned(), value));
        more
    }

    /// Runs `git` with `words`, which have to be our own or behind `--end-of-options`, and gives its
    /// standard output. Blocks.
    ///
    /// # Errors
    /// Any end but 0.
    pub fn ask(&self, words: &[&str], limit: Duration) -> Result<Vec<u8>, GitError> {
        let said = self.run(words, &[], limit)?;
        match said.code {
            Some(0) => Ok(said.out),
            _ => Err(refused(words, &said)),
        }
    }

    /// The same with `input` on standard input, whatever its end.
    ///
    /// # Errors
    /// No end of its own.
    pub fn run(&self, words: &[&str], input: &[u8], limit: Duration) -> Result<Said, GitError> {
        let act = act(words);
        let failed = |error: std::io::Error| GitError::Run {
            act: act.clone(),
            why: error.to_string(),
        };
        let mut child = match self.command(words).spawn() {
            Ok(child) => child,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(match self.dir.is_dir() {
                    true => GitError::NotInstalled,
                    false => GitError::Run {
                        act,
                        why: format!("{} is not there", self.dir.display()),
                    },
                });
            }
            Err(error) => return Err(failed(error)),
        };
        let ended = converse(&mut child, input, limit);
        // Also its children, such as ssh: they stay in its group. Of one that ended nobody is left.
        if !matches!(ended, Ok(Ended::ByItself { .. }))
            && let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw)
        {
            let _gone = kill_process_group(pid, Signal::KILL);
        }
        let status = child.wait().map_err(failed)?;
        match ended.map_err(failed)? {
            Ended::ByItself { out, err } => Ok(Said {
                out,
                words: words_of(&err),
                code: status.code(),
            }),
            Ended::TooLate => Err(GitError::TooLong {
                act,
                seconds: limit.as_secs(),
            }),
            Ended::TooMuch => Err(GitError::TooMuch { act }),
        }
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("git");
        command
            .current_dir(&self.dir)
            .args(["--no-pager", "--no-optional-locks"])
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        for name in STRANGE {
            command.env_remove(name);
        }
        command
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_NO_REPLACE_OBJECTS", "1")
            .env("GIT_LITERAL_PATHSPECS", "1")
            .env("LC_ALL", "C")
            .envs(self.env.iter().map(|(name, value)| (name, value)));
        let own = ALWAYS.iter().map(|(key, value)| (*key, *value));
        let more = self.config.iter().map(|(k, v)| (k.as_str(), v.as_str()));
        // After those that the user has set in the same way.
        let first: usize = std::env::var("GIT_CONFIG_COUNT")
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or(0);
        let mut count = first;
        for (key, value) in own.chain(more) {
            command
                .env(format!("GIT_CONFIG_KEY_{count}"), key)
                .env(format!("GIT_CONFIG_VALUE_{count}"), value);
            count += 1;
        }
        command.env("GIT_CONFIG_COUNT", count.to_string());
        command
    }
}

/// What Git is asked for, for errors: its own word and no more.
fn act(words: &[&str]) -> String {
    (*words.first().unwrap_or(&"")).to_owned()
}

/// The error of a run that ended otherwise than with 0.
pub fn refused(words: &[&str], said: &Said) -> GitError {
    let end = match said.code {
        Some(code) => format!("ended with {code}"),
        None => "was ended by a signal".to_owned(),
    };
    GitError::Refused {
        act: act(words),
        said: match said.words.as_str() {
            "" => end,
            words => words.to_owned(),
        },
    }
}

/// How a run ended.
enum Ended {
    ByItself { out: Vec<u8>, err: Vec<u8> },
    TooLate,
    TooMuch,
}

/// Gives `input` and takes what is said, each on a thread of its own, so that no full pipe stops
/// another.
fn converse(child: &mut Child, input: &[u8], limit: Duration) -> std::io::Result<Ended> {
    let missing = || std::io::Error::other("a pipe is missing");
    let mut stdin = child.stdin.take().ok_or_else(missing)?;
    let stdout = child.stdout.take().ok_or_else(missing)?;
    let stderr = child.stderr.take().ok_or_else(missing)?;
    let input = input.to_owned();
    // One that ends early does not read all of it; what it says tells why.
    std::thread::spawn(move || stdin.write_all(&input));
    let (told, heard) = mpsc::channel();
    let sender = told.clone();
    std::thread::spawn(move || sender.send((Pipe::Err, take(stderr, WORDS_MAX, Rest::Dropped))));
    std::thread::spawn(move || told.send((Pipe::Out, take(stdout, OUTPUT_MAX, Rest::Refused))));
    let (mut out, mut err) = (None, None);
    let mut left = limit;
    let clock = crate::clock::Clock::system();
    while out.is_none() || err.is_none() {
        let began = clock.boot();
        match heard.recv_timeout(left) {
            Ok((Pipe::Out, taken)) => match taken? {
                Some(bytes) => out = Some(bytes),
                None => return Ok(Ended::TooMuch),
            },
            Ok((Pipe::Err, taken)) => err = taken?,
            Err(_) => return Ok(Ended::TooLate),
        }
        left = left.saturating_sub(clock.boot().saturating_sub(began));
    }
    Ok(Ended::ByItself {
        out: out.unwrap_or_default(),
        err: err.unwrap_or_default(),
    })
}

enum Pipe {
    Out,
    Err,
}

/// What becomes of more than is taken.
#[derive(PartialEq)]
enum Rest {
    Dropped,
    Refused,
}

/// All that a pipe gives, up to `most` bytes; `None` when it gives more and that is refused.
fn take(mut pipe: impl Read, most: u64, rest: Rest) -> std::io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    (&mut pipe).take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        if rest == Rest::Refused {
            return Ok(None);
        }
        std::io::copy(&mut pipe, &mut std::io::sink())?;
    }
    Ok(Some(bytes))
}

/// Git's words, on one line, without secrets and control characters; the last ones, which say why.
fn words_of(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<String> = text
        .lines()
        .map(|line| line.chars().filter(|c| !c.is_control()).collect::<String>())
        .filter(|line| !line.trim().is_empty())
        .collect();
    let joined = mask(&lines.join("; "));
    let over = joined.chars().count().saturating_sub(TOLD);
    match over {
        0 => joined,
        over => format!("...{}", joined.chars().skip(over).collect::<String>()),
    }
}

/// A path as one of Git's settings.
pub fn setting(path: &OsStr) -> Result<String, String> {
    OsString::from(path)
        .into_string()
        .map_err(|path| format!("{} is not UTF-8; rename it", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_does_not_end_is_ended() {
        let dir = tempfile::tempdir().unwrap();
        // An alias runs a shell, which starts a child of its own.
        let alias = ("alias.wait".to_owned(), "!sleep 60 & sleep 60".to_owned());
        let git = Git::at(dir.path(), vec![alias]);
        let error = git.run(&["wait"], &[], Duration::from_millis(200));
        assert!(matches!(error, Err(GitError::TooLong { .. })), "{error:?}");
    }

    #[test]
    fn what_git_says_is_told_without_secrets() {
        let dir = tempfile::tempdir().unwrap();
        let alias = (
            "alias.say".to_owned(),
            "!echo 'fatal: https://u:hush@host/x' >&2; exit 3".to_owned(),
        );
        let git = Git::at(dir.path(), vec![alias]);
        let error = git.ask(&["say"], LOCAL_LIMIT).unwrap_err().to_string();
        assert_eq!(error, "git say: fatal: https://***@host/x");
    }

    #[test]
    fn a_folder_that_is_gone_is_not_called_a_missing_git() {
        let git = Git::at("/nonexistent/folder", Vec::new());
        let error = git.ask(&["version"], LOCAL_LIMIT).unwrap_err();
        assert!(error.to_string().contains("is not there"), "{error}");
    }
}
