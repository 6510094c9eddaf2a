"""A sender's trace: what is kept of it with a subject, and what its calls carry of it."""

import pytest

from crossdock.engine.tracing import id_of, parent_of, sent_trace, state_of

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def sent(flags="01", **state):
    return sent_trace({"traceparent": f"00-{TRACE}-{SPAN}-{flags}", **state})


@pytest.mark.parametrize(
    ("flags", "state", "kept"),
    [
        ("01", "", TRACE),
        ("00", "", f"{TRACE}-00"),
        ("01", "vendor=1,other@a=b-c d", f"{TRACE}-01 vendor=1,other@a=b-c d"),
        ("00", " vendor=1 ", f"{TRACE}-00 vendor=1"),
        ("03", "", TRACE),
        ("02", "", f"{TRACE}-00"),
        ("x", "", TRACE),
    ],
)
def test_a_trace_is_kept_with_its_sampled_flag_and_its_state(flags, state, kept):
    trace = sent(flags, tracestate=state)
    assert trace == kept
    sampled = "00" if "-00" in kept else "01"
    assert (id_of(trace), state_of(trace)) == (TRACE, state.strip())
    assert parent_of(trace, 255) == f"00-{TRACE}-00000000000000ff-{sampled}"


@pytest.mark.parametrize("state", ["a=1\r\nx-admin: 1", "a=\0", "a=ü", "a=" + "1" * 511])
def test_a_state_that_no_header_may_bear_is_left_out(state):
    assert sent(tracestate=state) == TRACE
    assert sent(tracestate="a=" + "1" * 510) == f"{TRACE}-01 a=" + "1" * 510


@pytest.mark.parametrize(
    "parent", ["", "00-xyz", f"00-{'0' * 32}-{SPAN}-01", f"00-{TRACE.upper()}-{SPAN}-01"]
)
def test_without_a_trace_nothing_is_kept_of_its_state_either(parent):
    assert sent_trace({"traceparent": parent, "tracestate": "vendor=1"}) == ""
