"""W3C Trace Context: what is taken of a sender's trace, kept with a subject in one text, and told to partners.

The text begins with the trace id, and is nothing more where the trace is sampled and has no state. Else the flags follow,
and behind a space the sender's `tracestate`: `4bf92f3577b34da6a3ce929d0e0e4736-00 vendor=1`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

ID_CHARS = 32
STATE_CHARS_MAX = 512
"""As many as whoever passes a state on must bear (W3C Trace Context, 3.3.1.5); a longer one is left out whole."""
_FLAGS = slice(ID_CHARS + 1, ID_CHARS + 3)
_STATE = slice(ID_CHARS + 4, None)
_SAMPLED, _NOT_SAMPLED = "01", "00"
_PRINTABLE = re.compile(rf"[\x20-\x7e]{{1,{STATE_CHARS_MAX}}}")


def trace_of(traceparent: str) -> str:
    """The trace id of a W3C traceparent, or "" where it is none."""
    parts = traceparent.split("-")
    if (
        len(parts) < 4
        or len(parts[1]) != ID_CHARS
        or parts[1] == "0" * ID_CHARS
        or not set(parts[1]) <= set("0123456789abcdef")
    ):
        return ""
    return parts[1]


def sent_trace(headers: Mapping[str, str]) -> str:
    """The trace of a sender as it is kept with a subject, or "" where there is none."""
    parent = headers.get("traceparent", "")
    trace = trace_of(parent)
    if not trace:
        return ""
    flags = _NOT_SAMPLED if _says_not_sampled(parent) else _SAMPLED
    state = headers.get("tracestate", "").strip()
    if state and _PRINTABLE.fullmatch(state):
        return f"{trace}-{flags} {state}"
    return trace if flags == _SAMPLED else f"{trace}-{flags}"


def id_of(trace: str) -> str:
    """The trace id of a kept trace: the correlation id."""
    return trace[:ID_CHARS]


def parent_of(trace: str, span: int) -> str:
    """The traceparent of a span of ours in a kept trace, sampled or not as its sender said."""
    return f"00-{trace[:ID_CHARS]}-{span & 0xFFFFFFFFFFFFFFFF:016x}-{trace[_FLAGS] or _SAMPLED}"


def state_of(trace: str) -> str:
    """The tracestate of a kept trace, as it came; "" where there was none."""
    return trace[_STATE]


def trace_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """What a message keeps of its sender's trace: its own, also where its order has had another from the first one on."""
    if not trace_of(headers.get("traceparent", "")):
        return {}
    return {name: headers[name] for name in ("traceparent", "tracestate") if name in headers}


def _says_not_sampled(traceparent: str) -> bool:
    """Whether the lowest bit of the flags is 0. Flags that cannot be read say nothing."""
    try:
        return not int(traceparent.split("-")[3], 16) & 1
    except ValueError:
        return False
