"""Closed-loop load over kept connections: each sends its next call when it has its answer, and every answer is checked.

A client of its own, because it must cost less than the servers that it drives: raw sockets, bodies made beforehand.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from statistics import median, quantiles
from typing import cast

import uvloop

Check = Callable[[bytes], bool]
MakeCall = Callable[[], bytes]


def http_call(path: str, body: bytes, headers: str = "") -> bytes:
    """The bytes of one call."""
    head = f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + headers.encode() + b"\r\n" + body


@dataclass
class Measured:
    """What one round showed. Times in seconds, those of each call in the order of their answers."""

    seconds: float
    each: list[float] = field(default_factory=list)
    by_connection: list[int] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        """Answers a second."""
        return len(self.each) / self.seconds

    @property
    def p50(self) -> float:
        """The median, in milliseconds."""
        return median(self.each) * 1000

    @property
    def p99(self) -> float:
        """The 99th percentile, in milliseconds."""
        return (quantiles(self.each, n=100)[98] if len(self.each) > 1 else self.each[0]) * 1000


class _Connection(asyncio.Protocol):
    def __init__(self, calls: Iterator[bytes], check: Check, measured: Measured, done: asyncio.Event) -> None:
        self.calls, self.check, self.measured, self.done = calls, check, measured, done
        self.answered = 0
        self.wrong = b""
        self._held = bytearray()
        self._whole = 0
        self._sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.way = cast("asyncio.Transport", transport)
        self._send()

    def _send(self) -> None:
        call = next(self.calls, None)
        if call is None:
            self.way.close()
            return
        self._sent = time.perf_counter()
        self.way.write(call)

    def data_received(self, data: bytes) -> None:
        self._held += data
        if not self._whole:
            end = self._held.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self._held[:end]).lower()
            if not head.startswith(b"http/1.1 200"):
                self._give_up()
                return
            length = head.partition(b"content-length:")[2].split(b"\r\n")[0]
            self._whole = end + 4 + int(length)
        if len(self._held) < self._whole:
            return
        self.measured.each.append(time.perf_counter() - self._sent)
        body = bytes(self._held[self._held.find(b"\r\n\r\n") + 4 :])
        if not self.check(body):
            self._give_up()
            return
        self._held.clear()
        self._whole = 0
        self.answered += 1
        self._send()

    def _give_up(self) -> None:
        self.wrong = bytes(self._held)
        self.way.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self.done.set()


def drive(port: int, calls: Sequence[bytes], count: int, connections: int, check: Check) -> Measured:
    """Send ``count`` of ``calls``, one after the other from the first again, over ``connections`` at once.

    Raises:
        AssertionError: an answer is not 200 or not what ``check`` wants.
    """
    return uvloop.run(_drive(port, calls, count, connections, check))


async def _drive(port: int, calls: Sequence[bytes], count: int, connections: int, check: Check) -> Measured:
    loop = asyncio.get_running_loop()
    measured = Measured(0)
    turns = (call for call, _ in zip(cycle(calls), range(count), strict=False))
    ends = [asyncio.Event() for _ in range(connections)]
    started = time.perf_counter()
    opened = []
    for end in ends:
        _, one = await loop.create_connection(
            lambda end=end: _Connection(turns, check, measured, end),  # type: ignore[misc]
            "127.0.0.1",
            port,
        )
        opened.append(one)
    for end in ends:
        await end.wait()
    measured.seconds = time.perf_counter() - started
    measured.by_connection = [one.answered for one in opened]
    if len(measured.each) != count:
        wrong = next((one.wrong for one in opened if one.wrong), b"")
        raise AssertionError(f"{len(measured.each)} of {count} answers; the first wrong one: {wrong[:2000]!r}")
    return measured
