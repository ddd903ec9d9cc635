"""Which names of the environment are settings: a misspelt one must not go unnoticed."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from difflib import get_close_matches

PREFIX = "KNEE_CDS_"
_SERVICE = re.compile(r"(KNEE_CDS(?:_[A-Z0-9_]+)?)_SERVICE_HOST")
_LINK = re.compile(r"_(SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)")


def strangers(names: Iterable[str], known: Collection[str]) -> tuple[str, ...]:
    """For each name that has our prefix and is no setting, what is wrong with it. ``known``: without the prefix.

    What Kubernetes sets in every pod for a Service whose name begins with ``knee-cds`` is nobody's mistake.
    """
    ours = sorted({name.upper() for name in names if name.upper().startswith(PREFIX)})
    settings = {one.upper() for one in known}
    services = [found[1] for name in ours if (found := _SERVICE.fullmatch(name))]
    return tuple(
        _words(name, settings)
        for name in ours
        if name.removeprefix(PREFIX) not in settings and not _is_link(name, services)
    )


def _is_link(name: str, services: Iterable[str]) -> bool:
    return any(name.startswith(one) and _LINK.fullmatch(name.removeprefix(one)) for one in services)


def _words(name: str, settings: Collection[str]) -> str:
    alike = get_close_matches(name.removeprefix(PREFIX), sorted(settings), 1)
    hint = f"did you mean {PREFIX}{alike[0]}?" if alike else "`knee-cds settings` lists all there are."
    return f"{name} is no setting: {hint}"
