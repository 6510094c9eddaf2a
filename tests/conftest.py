"""What every test may count on: where the vendors' samples are, how Hypothesis searches, what CI forbids."""

import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

REPOSITORY = Path(__file__).resolve().parent.parent
IN_CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}

SLOW = (
    "fuzz/",
    "sim/",
    "stores/test_postgres",
    "flows/test_any_order.py",
    "flows/test_stock_counted_machine.py",
    "flows/test_stock_masters_machine.py",
    "tills/test_through_the_store.py",
    "transport/test_brokers.py",
    "config/test_lines.py",
    "gateway/test_hostile.py",
    "engine/test_once.py",
)
"""Whole files that take seconds: they are searches, or start servers. Single tests carry the mark themselves."""

settings.register_profile("default", deadline=None)
settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.load_profile("ci" if IN_CI else "default")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is slow by the file that it stands in."""
    for item in items:
        if item.path.relative_to(REPOSITORY / "tests").as_posix().startswith(SLOW):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def repository() -> Path:
    """Return the folder that holds pyproject.toml."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of the vendors' contracts and samples, or skip with what to do."""
    folder = Path(os.environ.get("CROSSDOCK_SHARED") or REPOSITORY.parent / "shared")
    if not folder.is_dir():
        pytest.skip(f"no vendors' samples at {folder}; set CROSSDOCK_SHARED to the folder that holds them")
    return folder


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, Any, Any]:
    report = yield
    _forbid_skip_in_ci(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, Any, Any]:
    report = yield
    _forbid_skip_in_ci(report)
    return report


def _forbid_skip_in_ci(report: Any) -> None:
    """In CI nothing is skipped: a test that cannot run proves nothing. An expected failure is not a skip."""
    if IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        where, line, reason = report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{where}:{line}: skipped, which CI counts as a failure. {reason}"
