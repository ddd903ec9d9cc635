"""The content in a wheel of this package. Only an operator names a wheel, and no code of it is run."""

from __future__ import annotations

import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cds_service.base.errors import ContentError, Problem

SUFFIX = ".whl"
_CONTENT = "cds_service/shipped/cards/"
"""The folder of the content in a wheel; pyproject.toml names it too."""
_KINDS = (".toml", ".tsv")
_LARGEST = 64 * 2**20
"""Most bytes of content that are unpacked. The content has about one megabyte."""
_BROKEN = (OSError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)
"""Exceptions raised for a file that is not a whole, plain zip file."""


@contextmanager
def content_folder(place: Path) -> Iterator[Path]:
    """Yield a folder with the content of ``place``: the folder itself; of a wheel, a folder that is then deleted.

    Raises:
        ContentError: the wheel cannot be read, or holds no content.
    """
    if place.suffix != SUFFIX:
        yield place
        return
    with tempfile.TemporaryDirectory(prefix="knee-cds-content-") as folder:
        _unpack(place, folder)
        yield Path(folder, _CONTENT)


def _unpack(wheel: Path, folder: str) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive:
            files = [file for file in archive.infolist() if file.filename.startswith(_CONTENT)]
            files = [file for file in files if file.filename.endswith(_KINDS)]
            if not files:
                raise _unusable(wheel, f"holds no content in {_CONTENT}", "give a wheel of posterior-knee-cds")
            if sum(file.file_size for file in files) > _LARGEST:
                raise _unusable(wheel, f"holds more than {_LARGEST // 2**20} MB of content")
            for file in files:
                archive.extract(file, folder)  # never writes outside of the folder
    except _BROKEN as error:
        raise _unusable(wheel, f"cannot be read as a wheel: {error}", "build or download it again") from error


def _unusable(wheel: Path, message: str, hint: str = "") -> ContentError:
    return ContentError((Problem(str(wheel), "", message, hint),))
