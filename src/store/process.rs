//! Processes: how the death of a holder on this very machine is known at once.
//!
//! Silence for a lease duration is what a death looks like from afar. On the machine where it
//! happened the kernel knows better; but only its own word counts, so anything that it cannot tell
//! for certain (another machine, another boot, another container) leaves the judgement to silence.

use aws_sdk_dynamodb::types::AttributeValue;
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

use super::rows::{self, Item};

/// One process of one boot of one machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// The boot's id, `/proc/sys/kernel/random/boot_id`.
    boot: String,
    /// The namespace that the id is one of: containers of one machine have their own.
    namespace: String,
    /// Its id there.
    id: i32,
    /// When it started, in ticks since the boot: ids are given out again, with another start.
    started: u64,
}

/// What one process knows of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// It has ended.
    Ended,
    /// It runs, or nothing is known of it.
    Unknown,
}

impl Process {
    /// This one; `None` where the system does not tell (off Linux, or without `/proc`).
    pub fn this() -> Option<Self> {
        let id = i32::try_from(std::process::id()).ok()?;
        Some(Self {
            boot: std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
                .ok()?
                .trim()
                .to_owned(),
            namespace: std::fs::read_link("/proc/self/ns/pid")
                .ok()?
                .to_str()?
                .to_owned(),
            id,
            started: started(id)?,
        })
    }

    /// How `other` stands, seen from this process, now.
    pub fn sees(&self, other: &Self) -> Life {
        if (&self.boot, &self.namespace) != (&other.boot, &other.namespace) {
            return Life::Unknown;
        }
        let Some(pid) = Pid::from_raw(other.id) else {
            return Life::Unknown;
        };
        match test_kill_process(pid) {
            Err(Errno::SRCH) => Life::Ended,
            // What cannot be read is not known: `/proc` may hide the processes of others.
            _ => match started(other.id) {
                Some(started) if started != other.started => Life::Ended,
                _ => Life::Unknown,
            },
        }
    }

    pub(super) fn encode(&self, item: &mut Item) {
        item.extend([
            ("boot".to_owned(), rows::text(&self.boot)),
            ("namespace".to_owned(), rows::text(&self.namespace)),
            ("pid".to_owned(), AttributeValue::N(self.id.to_string())),
            ("started".to_owned(), rows::number(self.started)),
        ]);
    }

    /// `None` for a row that tells no process: that of another build, or on another system.
    pub(super) fn decode(item: &Item) -> Option<Self> {
        Some(Self {
            boot: rows::text_of(item, "boot").ok()?.to_owned(),
            namespace: rows::text_of(item, "namespace").ok()?.to_owned(),
            id: i32::try_from(rows::number_of(item, "pid").ok()?).ok()?,
            started: rows::number_of(item, "started").ok()?,
        })
    }
}

/// Field 22 of `/proc/PID/stat`. The second is the program's name in brackets and may hold
/// anything, brackets included.
fn started(id: i32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_unknown_while_it_runs_and_ended_once_it_has() {
        let this = Process::this().unwrap();
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let id = i32::try_from(child.id()).unwrap();
        let seen = Process {
            id,
            started: started(id).unwrap(),
            ..this.clone()
        };
        assert_eq!(this.sees(&seen), Life::Unknown);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(this.sees(&seen), Life::Ended);
    }

    #[test]
    fn an_id_that_was_given_out_again_is_another_process() {
        let this = Process::this().unwrap();
        let before = Process {
            started: this.started - 1,
            ..this.clone()
        };
        assert_eq!(this.sees(&before), Life::Ended);
        assert_eq!(this.sees(&this), Life::Unknown);
    }

    #[test]
    fn of_another_boot_or_container_nothing_is_known() {
        let this = Process::this().unwrap();
        let gone = Process {
            started: 0,
            ..this.clone()
        };
        for (boot, namespace) in [("other", gone.namespace.as_str()), (&gone.boot, "other")] {
            let other = Process {
                boot: boot.to_owned(),
                namespace: namespace.to_owned(),
                ..gone.clone()
            };
            assert_eq!(this.sees(&other), Life::Unknown);
        }
    }

    #[test]
    fn a_process_reads_back_from_its_row() {
        let this = Process::this().unwrap();
        let mut item = Item::new();
        this.encode(&mut item);
        assert_eq!(Process::decode(&item), Some(this));
        item.remove("boot");
        assert_eq!(Process::decode(&item), None);
    }
}
