"""House style as a test: what a reviewer would otherwise have to say again. There is no list of exemptions."""

import ast
import re
import subprocess
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

Function = ast.FunctionDef | ast.AsyncFunctionDef

ROOT = Path(__file__).resolve().parent.parent
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60

# The forbidden strings are put together here, so that this file does not contain them.
REGISTRIES = [
    "pypi" + ".org",
    "pythonhosted" + ".org",
    "npmjs" + ".org",
    "npmjs" + ".com",
    "anaconda" + ".org",
]
REGISTRIES += ["crates" + ".io", "proxy.golang" + ".org", "rubygems" + ".org", "ghcr" + ".io"]
REGISTRY = re.compile("|".join(map(re.escape, REGISTRIES)))
MACHINE_PATH = re.compile(r"(?<![\w.\-*}])/" + r"(?:work|root|tmp)" + r"/")
TEMPORARY = re.compile(r"(?<![\w.\-])/" + r"tmp\b")
UNFINISHED_WORDS = [r"\bTO" + r"DO\b", r"\bFIX" + r"ME\b", r"\bNotImplemented" + r"Error\b"]
# Outside of a comment, three X are the currency code of "no currency".
UNFINISHED = re.compile("|".join([*UNFINISHED_WORDS, r"(?:#|--|//).*\bXX" + r"X\b"]))
LOCK_OPTION = re.compile(r"^-.*|://|@ ", re.MULTILINE)
SELECT_STAR = re.compile(r"\bselect\s+(?:\w+\.)?\*", re.IGNORECASE)
SCHEMA = re.compile(r"^\s*(?:create|alter|drop|pragma)\b", re.IGNORECASE | re.MULTILINE)
QUERY_NAME = re.compile(r"^--\s*name:\s*(\S.*?)\s*$")


def test_python_files_fit_a_sitting():
    expect_none(
        f"{name(path)}:{len(lines)}: {len(lines)} lines; split it by what it is about (limit {FILE_LINES_MAX})"
        for path, lines in python_files()
        if len(lines) > FILE_LINES_MAX
    )


def test_functions_fit_a_screen():
    expect_none(
        f"{name(path)}:{node.lineno}: {node.name} has {length} lines without its docstring; "
        f"name the steps and take them out (limit {FUNCTION_LINES_MAX})"
        for path, lines in python_files()
        for node in functions(path, lines)
        if (length := function_lines(node)) > FUNCTION_LINES_MAX
    )


def test_no_tracked_file_names_a_path_of_one_machine():
    expect_none(found(MACHINE_PATH, tracked(), "a path of one machine; make it relative or a setting"))


def test_the_source_never_names_the_temporary_folder():
    expect_none(found(TEMPORARY, source(), "a fixed temporary path; take the folder from a setting"))


def test_no_tracked_file_names_a_registry():
    expect_none(found(REGISTRY, tracked(), "the address of a registry; that is the business of who installs"))


def test_lock_files_hold_versions_and_hashes_only():
    locks = [path for path in tracked() if under(path, "requirements")]
    assert locks, "no lock files; run `make lock`"
    expect_none(found(LOCK_OPTION, locks, "an option or an address; run `make lock`"))


def test_the_source_is_finished():
    expect_none(found(UNFINISHED, source(), "unfinished; finish it, or say what is missing in an issue"))


def test_queries_name_their_columns():
    expect_none(found(SELECT_STAR, sql_files(), "every column of a table; list the ones that are read"))


def test_every_query_has_a_name_of_its_own():
    expect_none(problem for path in sql_files() for problem in query_problems(path))


def expect_none(problems: Iterable[str]) -> None:
    listed = sorted(problems)
    if listed:
        pytest.fail("\n".join(listed), pytrace=False)


def found(pattern: re.Pattern[str], paths: Iterable[Path], remedy: str) -> Iterator[str]:
    for path in paths:
        text = read(path)
        for match in pattern.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            yield f"{name(path)}:{line}: {match.group().strip()[:60]!r} is {remedy}"


def functions(path: Path, lines: list[str]) -> Iterator[Function]:
    for node in ast.walk(ast.parse("\n".join(lines), str(path))):
        if isinstance(node, Function):
            yield node


def function_lines(node: Function) -> int:
    """Count from `def` to the end; decorators stand above it, the docstring is not code."""
    length = (node.end_lineno or node.lineno) - node.lineno + 1
    if ast.get_docstring(node, clean=False) is not None:
        docstring = node.body[0]
        length -= (docstring.end_lineno or docstring.lineno) - docstring.lineno + 1
    return length


def query_problems(path: Path) -> Iterator[str]:
    """A file of queries is `-- name:` and one sentence, again and again; a file with a schema in it is left alone."""
    text = read(path)
    if SCHEMA.search(text):
        return
    seen: dict[str, int] = {}
    sentences = 0
    current: str | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        if named := QUERY_NAME.match(line):
            current, sentences = named.group(1), 0
            if current in seen:
                yield f"{name(path)}:{number}: {current!r} is also at line {seen[current]}; give it another name"
            seen[current] = number
            continue
        code = line.split("--", 1)[0].strip()
        if code and current is None:
            yield f"{name(path)}:{number}: a query without a name; put `-- name: ...` above it"
            return
        if code and sentences:
            yield f"{name(path)}:{number}: a second sentence under {current!r}; put `-- name: ...` above it"
            sentences = 0
        sentences += code.endswith(";")


@cache
def tracked() -> tuple[Path, ...]:
    """Return the files that are, or are about to be, in the repository; outside of one, all that is not hidden."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    run = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=False)
    if run.returncode == 0:
        paths = [ROOT / entry for entry in run.stdout.split("\0") if entry]
    else:
        paths = [path for path in ROOT.rglob("*") if not hidden(path)]
    return tuple(sorted(path for path in paths if path.is_file()))


def hidden(path: Path) -> bool:
    return any(part.startswith(".") and part != ".ci" for part in path.relative_to(ROOT).parts)


@cache
def python_files() -> tuple[tuple[Path, list[str]], ...]:
    ours = (
        path
        for path in tracked()
        if path.suffix == ".py" and under(path, "src", "tests", "bench", "sim", "tools")
    )
    return tuple((path, read(path).splitlines()) for path in ours)


def source() -> list[Path]:
    """Return what we wrote below src; a minified file is someone else's."""
    return [path for path in tracked() if under(path, "src") and ".min." not in path.name]


def sql_files() -> list[Path]:
    return [path for path in source() if path.suffix == ".sql"]


def under(path: Path, *folders: str) -> bool:
    return path.relative_to(ROOT).parts[0] in folders


@cache
def read(path: Path) -> str:
    """Return a file's text; a picture or a font has none."""
    data = path.read_bytes()
    return "" if b"\0" in data[:4096] else data.decode("utf-8", errors="replace")


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()
