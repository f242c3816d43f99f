//! The command line: one file per command; what was typed is in `args`, what it means in
//! `context`.

pub mod against;
pub mod apply;
pub mod approve;
pub mod args;
pub mod check;
pub mod context;
pub mod exit;
pub mod fmt;
pub mod git_args;
pub mod guard;
pub mod history;
pub mod iam_policy;
pub mod import;
pub mod lock;
pub mod log;
pub mod out;
pub mod pause;
pub mod plan;
pub mod progress;
pub mod render;
pub mod report;
pub mod rollback;
pub mod run;
pub mod saved;
pub mod schema;
pub mod scope;
pub mod settings;
pub mod source;
pub mod status;
pub mod store;
pub mod store_spec;
pub mod unpin;
pub mod wanted;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use clap::{CommandFactory as _, Parser as _};

use self::args::{Cli, ColorChoice, Command};
use self::exit::Exit;
use crate::render::layout::{WIDTH, flow};

/// How long what runs beside a command may go on after its end.
const LAST_WORDS: std::time::Duration = std::time::Duration::from_secs(1);

/// Parses, runs, and gives the exit code.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // clap would exit with 2, which `plan` uses for drift.
            let _ = error.print();
            return if error.use_stderr() {
                Exit::Failed.into()
            } else {
                Exit::Fine.into()
            };
        }
    };
    match cli.color {
        ColorChoice::Always => anstream::ColorChoice::Always.write_global(),
        ColorChoice::Never => anstream::ColorChoice::Never.write_global(),
        ColorChoice::Auto => {}
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            anstream::eprintln!("error: starting the runtime: {error}");
            return Exit::Failed.into();
        }
    };
    let ended = runtime.block_on(dispatch(cli));
    // A `git` that hangs is not waited for; it ends by its own limit.
    runtime.shutdown_timeout(LAST_WORDS);
    match ended {
        Ok(exit) => exit.into(),
        Err(error) => {
            let lines = if std::io::stderr().is_terminal() {
                Lines::Wrapped
            } else {
                Lines::Whole
            };
            anstream::eprint!("{}", told(&explain(&error), lines));
            Exit::Failed.into()
        }
    }
}

/// How an error is laid out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lines {
    /// Into the width of a terminal.
    Wrapped,
    /// As they are, for a log that is searched.
    Whole,
}

/// The line that an error is told in; on a terminal, where nobody searches for it, wrapped. Lines
/// of its own, such as those to be put into a file, stay.
fn told(error: &str, lines: Lines) -> String {
    let style = AnsiColor::Red.on_default().bold();
    let lead = format!("{style}error{style:#}: ");
    let mut out = String::new();
    for (i, line) in error.lines().enumerate() {
        let lead = if i == 0 { lead.as_str() } else { "" };
        if lines == Lines::Wrapped && (i == 0 || line.chars().count() > WIDTH) {
            flow(&mut out, lead, 2, Style::new(), line);
        } else {
            out.push_str(&format!("{lead}{line}\n"));
        }
    }
    out
}

/// The error and its causes, each once.
fn explain(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

async fn dispatch(cli: Cli) -> anyhow::Result<Exit> {
    let settings = cli.settings.as_deref();
    match cli.command {
        Command::Check(args) => check::run(settings, &args).await,
        Command::Plan(args) => plan::run(settings, &args).await,
        Command::Apply(args) => apply::run(settings, &args).await,
        Command::Run(args) => run::run(settings, &args).await,
        Command::Status(args) => status::run(settings, &args).await,
        Command::History(args) => history::run(settings, &args).await,
        Command::Report(args) => report::run(settings, &args).await,
        Command::Lock(args) => lock::run(settings, &args).await,
        Command::Store(args) => store::run(settings, &args).await,
        Command::Schema(args) => schema::run(&args),
        Command::IamPolicy(args) => iam_policy::run(settings, &args).await,
        Command::Demo(args) => {
            crate::demo::command::run(&args).await?;
            Ok(Exit::Fine)
        }
        Command::Approve(args) => approve::run(settings, &args).await,
        Command::Approvals(args) => approve::list(settings, &args).await,
        Command::Pause(args) => pause::run(settings, &args).await,
        Command::Resume(args) => pause::resume(settings, &args).await,
        Command::Pauses(args) => pause::list(settings, &args).await,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "evenkeel", &mut script);
            out::print(&String::from_utf8_lossy(&script))?;
            Ok(Exit::Fine)
        }
        Command::Import(args) => import::run(settings, &args).await,
        Command::Render(args) => render::run(settings, &args),
        Command::Fmt(args) => fmt::run(&args),
        Command::Source(args) => source::run(settings, &args).await,
        Command::Rollback(args) => rollback::run(settings, &args).await,
        Command::Unpin(args) => unpin::run(settings, &args).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(error: &str, lines: Lines) -> String {
        anstream::adapter::strip_str(&told(error, lines)).to_string()
    }

    #[test]
    fn an_error_is_wrapped_on_a_terminal_only() {
        let error = format!("{}\naccount: \"1\"", "word ".repeat(30).trim_end());
        let wrapped = plain(&error, Lines::Wrapped);
        assert!(
            wrapped.lines().all(|l| l.chars().count() <= WIDTH),
            "{wrapped}"
        );
        assert!(wrapped.ends_with("\naccount: \"1\"\n"), "{wrapped}");
        assert_eq!(plain(&error, Lines::Whole), format!("error: {error}\n"));
    }
}
