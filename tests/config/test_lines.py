import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.config.lines import lines_of

TEXT = '''# a comment with [brackets] and key = "value"
top = 1

[hub]  # said here
name = "a # b"
"quoted key" = 'x'
list = [
  "one",  # of them
  [2, 3],

  { a = 1, b.c = 2 },
]
text = """
[not.a.table]
key = \\"""no\\"""
end"""
raw = \'\'\'
key = 5
\'\'\'
after = 2026-01-01 06:00:00
[routes . shop.'x.y']
deep.er = true
[[many]]
a = 1
[[many]]
a = 2
[many.child]
b = 3
'''

PLACES = [
    (("top",), 2),
    (("hub",), 4),
    (("hub", "name"), 5),
    (("hub", "quoted key"), 6),
    (("hub", "list"), 7),
    (("hub", "list", 0), 8),
    (("hub", "list", 1), 9),
    (("hub", "list", 1, 1), 9),
    (("hub", "list", 2), 11),
    (("hub", "list", 2, "b", "c"), 11),
    (("hub", "text"), 13),
    (("hub", "raw"), 17),
    (("hub", "after"), 20),
    (("routes", "shop"), 21),
    (("routes", "shop", "x.y", "deep", "er"), 22),
    (("many", 0, "a"), 24),
    (("many", 1, "a"), 26),
    (("many", 1, "child", "b"), 28),
    (("hub", "list", 7), 7),
    (("hub", "absent"), 4),
    (("nowhere",), 0),
]


@pytest.mark.parametrize(("path", "line"), PLACES)
def test_a_key_is_found_on_its_line_or_that_of_its_table(path, line):
    assert tomllib.loads(TEXT)
    assert lines_of(TEXT).of(path) == line


def test_lines_are_counted_the_same_with_windows_line_ends():
    crlf = lines_of(TEXT.replace("\n", "\r\n"))
    assert [crlf.of(path) for path, _ in PLACES] == [line for _, line in PLACES]


KEYS = st.text(
    st.characters(codec="utf-8", exclude_characters="\r\n", exclude_categories=("Cs", "Cc")), max_size=8
)
SCALARS = st.one_of(
    st.integers(),
    st.booleans(),
    st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=12),
    st.text("\"'\\\n ", max_size=6),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3)
)


@given(st.dictionaries(KEYS, st.dictionaries(KEYS, VALUES, max_size=4), max_size=4), st.booleans())
def test_every_key_of_any_file_is_found(tables, blank_lines):
    lines, places = [], {}
    for name, table in tables.items():
        lines += ["", "# [x]", f"[{quoted(name)}]"]
        places[name,] = len(lines)
        for key, value in table.items():
            lines += ["# y = 1"] if blank_lines else []
            lines.append(f"{quoted(key)} = {written(value)} # z")
            places[name, key] = len(lines)
    text = "\n".join(lines)
    assert tomllib.loads(text) == tables
    found = lines_of(text)
    assert {path: found.of(path) for path in places} == places


def written(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list):
        return "[" + ", ".join(map(written, value)) + "]"
    return "{" + ", ".join(f"{quoted(key)} = {written(item)}" for key, item in value.items()) + "}"


def quoted(text):
    return '"' + "".join(c if c.isalnum() or c in " '#[]=.{}," else f"\\U{ord(c):08x}" for c in text) + '"'
