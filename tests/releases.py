"""Earlier releases of ours, out of the repository's history, to run beside this one."""

import subprocess

import pytest

from tests.faults.retailer import ROOT

MIGRATIONS = "src/crossdock/stores/postgres/migrations"


def newest_migration():
    """The file of the newest migration of PostgreSQL."""
    return sorted((ROOT / MIGRATIONS).glob("*.sql"))[-1]


def release_before(migration, folder):
    """Lay out the source as it was before a migration came; returns the folder to import from.

    Where there is no history to take it from (a shallow clone, an archive) the test is skipped, and says so.
    """
    if _git("rev-parse", "--is-shallow-repository") != b"false":
        pytest.skip(
            "no history here to take the last release from: clone without --depth, or `git fetch --unshallow`"
        )
    path = migration.relative_to(ROOT)
    came = _git("log", "--format=%H", "--diff-filter=A", "--", str(path)).split()
    if not came:
        pytest.skip(f"{path} is in no commit yet; commit it, and the release before it can be run")
    packed = _git("archive", f"{came[-1].decode()}^", "src")
    assert packed, f"the commit before {path} cannot be read"
    subprocess.run(["tar", "-x", "-C", str(folder)], input=packed, check=True)
    source = folder / "src"
    assert not (folder / path).exists()
    return source


def _git(*words):
    """What git says; b"" where there is no git, no repository, or nothing to say."""
    try:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, check=True).stdout.strip(b"\n")
    except (OSError, subprocess.CalledProcessError):
        return b""
