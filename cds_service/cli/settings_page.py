"""``knee-cds settings``: write every setting as a Markdown table, from the ``Settings`` class."""

from __future__ import annotations

from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Le, MinLen
from pydantic import HttpUrl, SecretStr
from pydantic.fields import FieldInfo

from cds_service.base.setting_names import PREFIX
from cds_service.base.settings import Settings

_KINDS: dict[Any, str] = {
    str: "text", int: "whole number", float: "number", Path: "path", HttpUrl: "URL", SecretStr: "secret text",
    tuple: "list, comma-separated",
}  # fmt: skip

_HEAD = """# Settings

Written by `knee-cds settings`; do not edit. Settings are environment variables. With an unknown name or an invalid
value, every command stops with a message that names the setting.

| setting | meaning | values | default |
|---|---|---|---|
"""


def page() -> str:
    """Return the page."""
    return _HEAD + "".join(_row(name, field) for name, field in Settings.model_fields.items())


def _row(name: str, field: FieldInfo) -> str:
    return f"| `{PREFIX}{name.upper()}` | {field.description} | {_values(field)} | {_default(name, field)} |\n"


def _values(field: FieldInfo) -> str:
    kind = field.annotation
    if get_origin(kind) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(kind))
    if kind is bool:
        return "`true`, `false`"
    choices = [choice for choice in get_args(kind) if choice is not NoneType]
    plain = kind if kind in _KINDS else get_origin(kind) if get_origin(kind) in _KINDS else choices[0]
    return _KINDS[plain] + "".join(_limits(field))


def _limits(field: FieldInfo) -> list[str]:
    words = {Ge: ", at least {}", Le: ", at most {}", MinLen: ", {} characters or more"}
    return [
        words[type(limit)].format(getattr(limit, {Ge: "ge", Le: "le", MinLen: "min_length"}[type(limit)]))
        for limit in field.metadata
        if type(limit) in words
    ]


_IN_WORDS = {
    "public_url": "`http://HOST:PORT`", "cards": "shipped content", "order_url": "the service's own page",
    "clients": "none: no client is known", "fhir_servers": "none: no server is read",
    "private_networks": "none: public addresses only", "fhir_ca_bundle": "the public authorities",
    "hash_key": "random: a restart forgets which cards were answered", "audit_folder": "none: no journal is written",
}  # fmt: skip


def _default(name: str, field: FieldInfo) -> str:
    value = field.default
    if name in _IN_WORDS:
        return _IN_WORDS[name]
    if value in (None, ()):
        return "none"
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"
