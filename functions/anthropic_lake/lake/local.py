"""A lake in a local folder: objects and watermarks as files."""

import os
import tempfile
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from anthropic_lake.errors import StorageError
from anthropic_lake.lake.layout import DIGEST, METADATA_PREFIX
from anthropic_lake.lake.watermark import stored_date


class LocalLake:
    """The objects of a lake in a folder."""

    def __init__(self, root: Path) -> None:
        existing = next(path for path in (root, *root.parents) if path.exists())
        if not existing.is_dir():
            raise StorageError(f"{existing} is a file: name a folder for the lake")
        self._root = root.resolve()

    def digest(self, key: str) -> str | None:
        """Read the digest from the file's own metadata."""
        try:
            metadata = pq.read_metadata(self._root / key).metadata or {}
        except (OSError, pa.ArrowException):
            return None
        digest = metadata.get((METADATA_PREFIX + DIGEST).encode())
        return digest.decode() if digest else None

    def put(self, key: str, body: bytes, digest: str) -> None:  # noqa: ARG002  it is in the body
        """Write the file of the object."""
        write_file(self._root, key, body)


def write_file(root: Path, name: str, body: bytes) -> None:
    """Write a file in a folder, whole or not at all, never outside of it through a symlink.

    Raises:
        StorageError: The file cannot be written, or lies outside of the folder.
    """
    path = root / name
    if not path.resolve().is_relative_to(root.resolve()):
        raise StorageError(f"{path} leads out of the lake by a symbolic link: remove the link")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, body)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from error


def _replace(path: Path, body: bytes) -> None:
    """Replace a file by a rename, so that a crash leaves the old or the new content."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


class LocalWatermark:
    """Watermarks as files in the `_watermarks` folder of a local lake."""

    def __init__(self, lake: Path) -> None:
        self._lake = lake

    def get(self, asset: str) -> date | None:
        """Read the file; a missing one means that no day is synced yet."""
        path = self._lake / "_watermarks" / asset
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise StorageError(f"cannot read {path}: {error}") from error
        return stored_date(text, str(path))

    def put(self, asset: str, day: date) -> None:
        """Write the file of the watermark."""
        write_file(self._lake, f"_watermarks/{asset}", f"{day.isoformat()}\n".encode())
