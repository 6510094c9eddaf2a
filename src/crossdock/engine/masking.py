"""What stays of the words of a case once its person is forgotten: what to do, and nothing that was quoted."""

from __future__ import annotations

import re

ERASED = "What it said is forgotten with its person."
_QUOTED = re.compile(r"“[^”]*”|\"[^\"]*\"|(?<!\w)'[^']*'(?!\w)")
_SENTENCE = re.compile(r"(?<=[.?!])\s+")


def masked(text: str) -> str:
    """The remedy of a case's text, which is its last sentence; of a single sentence nothing stays.

    Masking what is masked already changes nothing.
    """
    if not text:
        return ""
    *told, remedy = _SENTENCE.split(_QUOTED.sub("…", text.strip()))
    return f"{ERASED} {remedy}" if told else ERASED
