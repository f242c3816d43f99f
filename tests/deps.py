#!/usr/bin/env python3
"""Holds Cargo.lock to deny.toml: banned crates, licences, sources. Standard library only.

The same tables that cargo-deny reads, for machines where it is not installed. Advisories are not checked here.
A package counts when `cargo metadata --locked` resolves it for any platform, which is at least what cargo-deny counts.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def read_deny(text):
    """deny.toml as a dict; without tomllib (Python before 3.11) pip's own copy of the reader is used."""
    try:
        import tomllib
    except ModuleNotFoundError:
        from pip._vendor import tomli as tomllib
    return tomllib.loads(text)


def banned(rule, name, version):
    """Whether a ban such as `hyper:<1` or `openssl-sys` covers this package.

    >>> banned("hyper:<1", "hyper", "0.14.32"), banned("hyper:<1", "hyper", "1.0.0")
    (True, False)
    >>> banned("h2:<0.4", "h2", "0.3.27"), banned("h2:<0.4", "h2", "0.4.0-rc.1"), banned("h2:<0.4", "hyper", "0.3.0")
    (True, False, False)
    >>> banned("openssl-sys", "openssl-sys", "0.9.1")
    True
    """
    crate, _, bound = rule.partition(":")
    if crate != name:
        return False
    if not bound:
        return True
    match = re.fullmatch(r"<(\d+(?:\.\d+)*)", bound)
    if match is None:
        raise SystemExit(f"deny.toml: tests/deps.py reads only `crate` and `crate:<version`, not {rule!r}")
    limit = [int(part) for part in match[1].split(".")]
    return [int(part) for part in re.split(r"[-+]", version)[0].split(".")][: len(limit)] < limit


def allowed(expression, allow):
    """Whether an SPDX expression can be met from the allow-list (`/` is the old spelling of OR).

    >>> allow = {"MIT", "ISC", "Apache-2.0"}
    >>> allowed("GPL-3.0/MIT", allow), allowed("(GPL-3.0 OR MIT) AND ISC", allow), allowed("MIT OR GPL-3.0 AND GPL-2.0", allow)
    (True, True, True)
    >>> allowed("GPL-3.0", allow), allowed("MIT AND GPL-3.0", allow), allowed("Apache-2.0 WITH LLVM-exception", allow)
    (False, False, False)
    """
    tokens = re.findall(r"[()]|[^\s()]+", expression.replace("/", " OR "))

    def either():
        met = both()
        while tokens and tokens[0] == "OR":
            tokens.pop(0)
            met = both() or met
        return met

    def both():
        met = one()
        while tokens and tokens[0] == "AND":
            tokens.pop(0)
            met = one() and met
        return met

    def one():
        token = tokens.pop(0)
        if token == "(":
            met = either()
            tokens.pop(0)
            return met
        if tokens and tokens[0] == "WITH":
            tokens.pop(0)
            token = f"{token} WITH {tokens.pop(0)}"
        return token in allow

    return either()


def faults(packages, deny):
    """Every breach of the rules, as one sentence each.

    >>> deny = {"bans": {"deny": [{"crate": "x", "reason": "why"}]}}
    >>> deny |= {"licenses": {"allow": ["MIT"]}, "sources": {"allow-registry": ["r"]}}
    >>> sound = {"name": "y", "version": "1.0.0", "source": "registry+r", "license": "MIT"}
    >>> list(faults([sound], deny))
    []
    >>> [len(list(faults([sound | broken], deny))) for broken in ({"name": "x"}, {"license": None}, {"source": "git+r"})]
    [1, 1, 1]
    """
    allow = set(deny["licenses"]["allow"])
    registries = {f"registry+{url}" for url in deny["sources"]["allow-registry"]}
    for package in packages:
        name, version, source = package["name"], package["version"], package["source"]
        who = f"{name} {version}"
        for rule in deny["bans"]["deny"]:
            if banned(rule["crate"], name, version):
                yield f"{who} is banned ({rule['crate']}): {rule['reason']}. `cargo tree -i {name}@{version}` says who brings it"
        licence = package["license"]
        if not licence:
            yield f"{who} names no licence"
        elif not allowed(licence, allow):
            yield f"{who}: licence {licence!r} is not met by the allow-list of deny.toml"
        if source is not None and source not in registries:
            yield f"{who} comes from {source}, not from crates.io"


def main():
    deny = read_deny((ROOT / "deny.toml").read_text(encoding="utf-8"))
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--all-features"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=False)
    if done.returncode != 0:
        return f"`{' '.join(command)}` failed: Cargo.lock may be out of date; run `cargo check` and commit the lockfile"
    packages = json.loads(done.stdout)["packages"]
    found = sorted(faults(packages, deny))
    for fault in found:
        print(f"deps: {fault}", file=sys.stderr)
    if found:
        return f"deps: {len(found)} breach(es) of deny.toml"
    print(f"deps: {len(packages)} packages hold to deny.toml (bans, licences, sources)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
