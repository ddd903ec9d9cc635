"""``knee-cds export fhir``: write the content as FHIR resources and as a package for FHIR tools."""

from __future__ import annotations

import argparse
import gzip
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from rich.console import Console
from rich.text import Text

from cds_service import __version__
from cds_service.base.settings import Settings
from cds_service.rendering.fhir_artefacts import PACKAGE, Resource, knowledge
from cds_service.rendering.terminology import BASE
from cds_service.service.evaluate import load_content

_BLOCK = 512


def run(options: argparse.Namespace, settings: Settings) -> int:
    """Write one file per resource, and the package."""
    resources = knowledge(load_content(settings))
    options.folder.mkdir(parents=True, exist_ok=True)
    files = {f"{resource['resourceType']}-{resource['id']}.json": _pretty(resource) for resource in resources}
    for name, content in files.items():
        (options.folder / name).write_bytes(content)
    (options.folder / "package.tgz").write_bytes(package(resources, files))
    Console().print(Text(f"{len(files)} resources and package.tgz written to {options.folder}."))
    return 0


def _pretty(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def package(resources: Sequence[Resource], files: Mapping[str, bytes]) -> bytes:
    """Return the FHIR package (npm style): a manifest, an index, and every file below ``package/``."""
    manifest = {
        "name": PACKAGE,
        "version": __version__,
        "canonical": BASE,
        "url": BASE,
        "title": "Posterior knee CDS",
        "description": "Codes, value sets and rules of the posterior knee CDS service; draft.",
        "fhirVersions": ["4.0.1"],
        "dependencies": {"hl7.fhir.r4.core": "4.0.1"},
        "type": "IG",
        "author": "Posterior knee CDS",
        "license": "Apache-2.0",
    }
    index = {
        "index-version": 1,
        "files": [
            {
                "filename": name,
                **{key: resource[key] for key in ("resourceType", "id", "url", "version") if key in resource},
            }
            for name, resource in zip(files, resources, strict=True)
        ],
    }
    inside = {"package.json": _pretty(manifest), ".index.json": _pretty(index), **files}
    archive = b"".join(_member(f"package/{name}", content) for name, content in inside.items())
    return gzip.compress(archive + bytes(2 * _BLOCK), mtime=0)


def _member(name: str, content: bytes) -> bytes:
    """Return one member of a tar archive (POSIX ustar). It has no owner or time, so equal input gives equal bytes."""
    fields = (
        name.encode().ljust(100, b"\0"),
        b"0000644\0" + b"0000000\0" * 2,
        f"{len(content):011o}\0".encode() + b"00000000000\0",
        b" " * 8,
        b"0" + bytes(100) + b"ustar\00000" + bytes(32 + 32) + b"0000000\0" * 2,
    )
    head = b"".join(fields).ljust(_BLOCK, b"\0")
    head = head[:148] + f"{sum(head):06o}\0 ".encode() + head[156:]
    return head + content + bytes(-len(content) % _BLOCK)
