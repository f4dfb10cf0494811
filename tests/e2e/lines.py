"""Reading what another process writes, line by line, without waiting for ever."""

import os
import select
import time

HANGS_AFTER = 120  # seconds; ends a test that would never end, nothing is measured with it
_rest = {}  # of a stream, what was read behind the last line


def line(stream, containing=b""):
    """The next line with CONTAINING in it; fails the test where none comes. STREAM is a pipe of a Popen with
    bufsize=0, so that nothing hides in a buffer of its own."""
    end = time.monotonic() + HANGS_AFTER
    rest = _rest.pop(stream, b"")
    while True:
        while b"\n" not in rest:
            ready, _, _ = select.select([stream], [], [], HANGS_AFTER)
            assert ready, f"no line with {containing} came"
            data = os.read(stream.fileno(), 65536)
            assert data, f"no line with {containing} came before the end"
            rest += data
        text, rest = rest.split(b"\n", 1)
        if containing in text:
            _rest[stream] = rest
            return text + b"\n"
        assert time.monotonic() < end, f"no line with {containing} came"
