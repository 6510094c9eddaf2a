"""Whatever stands in crossdock.toml: it is read, or every mistake is told with its line. Never anything else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.config import load_config
from crossdock.errors import ConfigurationError
from tests.faults.retailer import CONFIG, LOCATION, SECRETS
from tests.fuzz.budget import examples, in_time
from tests.fuzz.mutate import TEXTS, bytes_of

TEXT = CONFIG.format(
    hub_more="", port=8080, partners="http://127.0.0.1:9", location=LOCATION, more="", policies="grace_s = 1"
)
LINES = TEXT.splitlines()
VALUES = st.sampled_from(
    (
        "",
        "nan",
        "inf",
        "-1",
        "1e400",
        "true",
        "[]",
        "{}",
        "9" * 400,
        "1979-05-27",
        "[[[[]]]]",
        '"""',
        "${",
        '"${NO}"',
    )
)
VALUES |= TEXTS.map(lambda text: f'"{text}"')


def read(path, body):
    """Read a file as `crossdock up` does; a mistake is told with words that can be printed."""
    path.write_bytes(body)
    with in_time(body):
        try:
            load_config(path, SECRETS)
        except ConfigurationError as error:
            require_words(str(error))


def require_words(text):
    if not text.encode("utf-8", "strict"):
        pytest.fail("an error that says nothing")


@pytest.mark.fault(47)
@given(body=bytes_of(TEXT.encode()))
@examples(200)
def test_no_bytes_make_the_reading_of_a_file_fail(tmp_path, body):
    read(tmp_path / "crossdock.toml", body)


@pytest.mark.fault(47)
@given(data=st.data())
@examples(200)
def test_no_lines_make_the_reading_of_a_file_fail(tmp_path, data):
    lines = list(LINES)
    for _ in range(data.draw(st.integers(1, 4))):
        n = data.draw(st.integers(0, len(lines) - 1))
        change = data.draw(st.sampled_from(("value", "value", "drop", "double", "move", "nest")))
        if change == "value" and "=" in lines[n]:
            lines[n] = f"{lines[n].split('=')[0]}= {data.draw(VALUES)}"
        elif change == "drop" and len(lines) > 1:
            del lines[n]
        elif change == "double":
            lines.insert(n, lines[n])
        elif change == "move":
            lines.insert(data.draw(st.integers(0, len(lines) - 1)), lines.pop(n))
        elif change == "nest":
            lines[n] = lines[n].replace("[", "[[" * data.draw(st.integers(1, 200)))
    read(tmp_path / "crossdock.toml", "\n".join(lines).encode("utf-8", "surrogatepass"))
