"""Named queries: one sentence each, in `.sql` files beside the code that runs them."""

from __future__ import annotations

from importlib.resources import files


def named_queries(package: str, *names: str) -> dict[str, str]:
    """Read `-- name: x` sections of `.sql` files of a package; a name given twice is a defect."""
    queries: dict[str, str] = {}
    for file in names:
        text = files(package).joinpath(file).read_text("utf-8")
        for section in text.split("-- name: ")[1:]:
            name, _, body = section.partition("\n")
            if name.strip() in queries:
                raise ValueError(f"{file}: the query {name.strip()} is there twice")
            queries[name.strip()] = body.strip().rstrip(";")
    return queries
