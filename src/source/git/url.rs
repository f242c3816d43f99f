//! Remotes: which URLs and names may be handed to Git, and how they are told without secrets.
//!
//! Pure: text in, text out.

/// Longest URL or name.
const LONGEST: usize = 2048;

/// `text` as a URL that Git may be given: one of a network protocol or of a folder. Never one that
/// Git could take for an option, or that names a program to run (`ext::`, or any other helper).
///
/// # Errors
/// What to write instead.
pub fn url(text: &str) -> Result<String, String> {
    let shown = mask(text);
    if text.is_empty() || text.len() > LONGEST || !is_plain(text) || text.starts_with('-') {
        return Err(format!(
            "{shown:?} is no URL of a repository; write one such as \
             https://github.com/acme/estate.git or git@github.com:acme/estate.git"
        ));
    }
    let helper = text
        .split_once("::")
        .is_some_and(|(name, _)| !name.contains(['/', '@', '[']));
    if helper {
        return Err(format!(
            "{shown:?} asks Git to run a helper program, which is never done; write an https://, \
             ssh:// or file:// URL"
        ));
    }
    Ok(text.to_owned())
}

/// `text` as a branch's name, after git-check-ref-format(1).
///
/// # Errors
/// What to write instead.
pub fn branch(text: &str) -> Result<String, String> {
    let part = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && !part.ends_with('.')
            && !part.ends_with(".lock")
    };
    let sound = text.len() <= LONGEST
        && is_plain(text)
        && !text.starts_with('-')
        && !text.contains("..")
        && !text.contains("@{")
        && text != "@"
        && !text.contains([' ', '~', '^', ':', '?', '*', '[', '\\'])
        && text.split('/').all(part);
    sound.then(|| text.to_owned()).ok_or_else(|| {
        format!("{text:?} is no name of a branch; write one such as main or release/2026")
    })
}

/// `text` as a revision that a person names: a commit, a branch, a tag, `HEAD~2`.
///
/// # Errors
/// What to write instead.
pub fn revision(text: &str) -> Result<String, String> {
    let sound = !text.is_empty()
        && text.len() <= LONGEST
        && is_plain(text)
        && !text.starts_with('-')
        && !text.contains([' ', ':']);
    sound.then(|| text.to_owned()).ok_or_else(|| {
        format!("{text:?} is no revision; write a commit, a branch or a tag, such as origin/main")
    })
}

/// `text` as a folder below the root of a repository; empty for the root itself.
///
/// # Errors
/// What to write instead.
pub fn folder(text: &str) -> Result<String, String> {
    let trimmed = text.trim_end_matches('/');
    let trimmed = trimmed.strip_prefix("./").unwrap_or(trimmed);
    if trimmed.is_empty() && text.starts_with('/') {
        return Err(no_folder(text));
    }
    if trimmed.is_empty() || trimmed == "." {
        return Ok(String::new());
    }
    let part = |part: &str| !matches!(part, "" | "." | "..");
    let sound = trimmed.len() <= LONGEST && is_plain(trimmed) && trimmed.split('/').all(part);
    sound
        .then(|| trimmed.to_owned())
        .ok_or_else(|| no_folder(text))
}

fn no_folder(text: &str) -> String {
    format!("{text:?} is no folder below the root of a repository; write one such as desired-state")
}

fn is_plain(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

/// `text` in which no URL shows who signs in, or with what: `https://***@host/path?***`.
pub fn mask(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let end = after
            .find(|c: char| c.is_whitespace() || matches!(c, '\'' | '"' | '<' | '>'))
            .unwrap_or(after.len());
        let (url, left) = after.split_at(end);
        let authority = url.find(['/', '?', '#']).unwrap_or(url.len());
        let (host, path) = url.split_at(authority);
        match host.rsplit_once('@') {
            Some((_, host)) => out.push_str(&format!("***@{host}")),
            None => out.push_str(host),
        }
        match path.split_once('?') {
            Some((path, _)) => out.push_str(&format!("{path}?***")),
            None => out.push_str(path),
        }
        rest = left;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_could_take_for_an_option_or_a_program_is_refused() {
        for bad in [
            "",
            "--upload-pack=touch /tmp/x",
            "-oProxyCommand=x",
            "ext::sh -c touch% /tmp/x",
            "fd::17",
            "https://host/a\nb",
        ] {
            assert!(url(bad).is_err(), "{bad}");
        }
        for good in [
            "https://github.com/acme/estate.git",
            "ssh://git@host:22/estate",
            "git@host:acme/estate.git",
            "file:///srv/estate.git",
            "/srv/estate.git",
            "ssh://git@[::1]/estate",
        ] {
            assert_eq!(url(good).as_deref(), Ok(good));
        }
    }

    #[test]
    fn a_branch_is_one_that_git_would_have() {
        for good in ["main", "release/2026", "user.name/topic-1"] {
            assert_eq!(branch(good).as_deref(), Ok(good));
        }
        for bad in [
            "", "-x", "a..b", "a b", "a:b", "a^", "/a", "a/", "a.lock", "@", "x@{1}", ".a",
        ] {
            assert!(branch(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_folder_never_leads_out_of_its_repository() {
        assert_eq!(folder("./apps/").as_deref(), Ok("apps"));
        assert_eq!(folder(".").as_deref(), Ok(""));
        for bad in ["..", "a/../b", "/etc", "/", "a//b", "a/./b"] {
            assert!(folder(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_revision_is_no_option_and_names_no_file() {
        assert_eq!(revision("origin/main~2").as_deref(), Ok("origin/main~2"));
        for bad in ["", "--all", "HEAD:secret", "a b", "a\0"] {
            assert!(revision(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn no_url_shows_who_signs_in() {
        assert_eq!(
            mask("fatal: unable to access 'https://bot:s3cret@host/e.git/': refused"),
            "fatal: unable to access 'https://***@host/e.git/': refused"
        );
        assert_eq!(
            mask("https://a:b@c@host/x?token=t and ssh://git@h/y"),
            "https://***@host/x?*** and ssh://***@h/y"
        );
        assert_eq!(mask("git@host:a/b"), "git@host:a/b");
    }
}
