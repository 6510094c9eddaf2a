"""W3C Trace Context: what is taken of a sender's trace."""

from __future__ import annotations

from collections.abc import Mapping


def trace_of(traceparent: str) -> str:
    """The trace id of a W3C traceparent, or "" where it is none."""
    parts = traceparent.split("-")
    if (
        len(parts) < 4
        or len(parts[1]) != 32
        or parts[1] == "0" * 32
        or not set(parts[1]) <= set("0123456789abcdef")
    ):
        return ""
    return parts[1]


def trace_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """What a message keeps of its sender's trace: its own, also where its order has had another from the first one on."""
    if not trace_of(headers.get("traceparent", "")):
        return {}
    return {name: headers[name] for name in ("traceparent", "tracestate") if name in headers}
