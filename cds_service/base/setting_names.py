"""Finds misspelt setting names in the environment."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from difflib import get_close_matches

PREFIX = "KNEE_CDS_"
_SERVICE = re.compile(r"(KNEE_CDS(?:_[A-Z0-9_]+)?)_SERVICE_HOST")
_LINK = re.compile(r"_(SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)")


def unknown_settings(names: Iterable[str], known: Collection[str]) -> tuple[str, ...]:
    """Return a message for each name that has our prefix but is not a setting.

    ``known``: the names of all settings, without the prefix. Kubernetes sets such names in every pod for a Service
    whose name begins with ``knee-cds``; these are ignored.
    """
    ours = sorted({name.upper() for name in names if name.upper().startswith(PREFIX)})
    settings = {setting.upper() for setting in known}
    services = [match[1] for name in ours if (match := _SERVICE.fullmatch(name))]
    return tuple(
        _words(name, settings)
        for name in ours
        if name.removeprefix(PREFIX) not in settings and not _is_link(name, services)
    )


def _is_link(name: str, services: Iterable[str]) -> bool:
    return any(name.startswith(service) and _LINK.fullmatch(name.removeprefix(service)) for service in services)


def _words(name: str, settings: Collection[str]) -> str:
    alike = get_close_matches(name.removeprefix(PREFIX), sorted(settings), 1)
    hint = f"did you mean {PREFIX}{alike[0]}?" if alike else "`knee-cds settings` lists all settings."
    return f"{name} is not a setting: {hint}"
