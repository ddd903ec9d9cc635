"""How often Python's garbage collector looks for cycles."""

from __future__ import annotations

import gc

_NEW_OBJECTS, _OF_A_START, _YOUNG, _MIDDLE = 50_000, 500_000, 20, 50


def collect_rarely() -> None:
    """Let the collector look for cycles after 50,000 new objects instead of 700.

    Modules, content and charts are many thousand objects that live on, and almost none of ours form cycles. With the
    default, searching them again and again takes a third of the time of loading the content.
    """
    gc.set_threshold(_NEW_OBJECTS, _YOUNG, _MIDDLE)


def collect_after_the_start() -> None:
    """Let the collector look for cycles after 500,000 new objects: more than imports and content are.

    They all live as long as the process, so a search among them takes a tenth of the start and finds nothing.
    """
    gc.set_threshold(_OF_A_START, _YOUNG, _MIDDLE)


def started() -> None:
    """Let the collector skip what the start has made, and look for cycles among new objects as ``collect_rarely``."""
    gc.freeze()
    collect_rarely()
