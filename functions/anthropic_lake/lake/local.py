"""A lake in a local folder: objects and state as files, and a lock for each asset."""

import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from anthropic_lake.errors import SettingsError, StorageError
from anthropic_lake.lake.layout import DIGEST, METADATA_PREFIX, lock_file, state_file
from anthropic_lake.lake.objects import Conflict, Head, ListedObject, StoredObject


class LocalLake:
    """The objects of a lake in a folder."""

    def __init__(self, root: Path) -> None:
        existing = next(path for path in (root, *root.parents) if path.exists())
        if not existing.is_dir():
            raise StorageError(f"{existing} is a file: name a folder for the lake")
        self._root = root.resolve()

    def head(self, key: str) -> Head | None:
        """Read the digest from the file's own metadata."""
        path = self._root / key
        try:
            metadata = pq.read_metadata(path).metadata or {}
            status = path.stat()
        except (OSError, pa.ArrowException):
            return None
        digest = metadata.get((METADATA_PREFIX + DIGEST).encode())
        return Head(_etag(status), digest.decode() if digest else None, status.st_size)

    def get(self, key: str) -> StoredObject | None:
        """Read the file of the object."""
        path = self._root / key
        try:
            return StoredObject(path.read_bytes(), _etag(path.stat()))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StorageError(f"cannot read {path}: {error.strerror}") from error

    def put(
        self,
        key: str,
        body: bytes,
        *,
        digest: str = "",  # noqa: ARG002  it stands in the body
        replaces: str | None,
    ) -> None:
        """Write the file of the object; the asset's lock keeps other runs out meanwhile."""
        path = self._root / key
        if replaces is None and path.suffix == ".json" and path.exists():
            raise Conflict(f"another run has written {path} meanwhile")
        write_file(self._root, key, body)

    def listing(self, prefix: str) -> Iterator[ListedObject]:
        """List the files, hidden ones left out, in the order of their keys."""
        folder = self._root / prefix.rpartition("/")[0]
        paths = (
            Path(parent, name)
            for parent, _, names in os.walk(folder)
            for name in names
            if not name.startswith(".")
        )
        by_key = {path.relative_to(self._root).as_posix(): path for path in paths}
        for key, path in sorted(by_key.items()):
            if key.startswith(prefix):
                status = path.stat()
                changed_at = datetime.fromtimestamp(status.st_mtime, UTC)
                yield ListedObject(key, status.st_size, changed_at)

    @contextmanager
    def locked(self, asset: str) -> Iterator[None]:
        """Keep other processes from syncing an asset into this folder.

        Raises:
            SettingsError: Another process that is alive does so.
            StorageError: The lock cannot be written.
        """
        path = self._root / lock_file(asset)
        owner = f"{os.getpid()} {socket.gethostname()}"
        for _ in range(2):
            if _created(path, owner):
                break
            _refuse_living_owner(path, asset)
            path.unlink(missing_ok=True)
        else:
            raise SettingsError(
                f"another run of {asset} has just begun on {self._root}: wait for it"
            )
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _etag(status: os.stat_result) -> str:
    """Return what changes whenever a file is replaced."""
    return f"{status.st_ino}-{status.st_mtime_ns}"


def _created(path: Path, text: str) -> bool:
    """Create a file with a text, and return whether there was none."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return False
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from error
    return True


def _refuse_living_owner(path: Path, asset: str) -> None:
    """Raise unless the owner of a lock is a process of this machine that has ended."""
    try:
        pid, _, host = path.read_text(encoding="utf-8").partition(" ")
    except FileNotFoundError:
        return
    if host == socket.gethostname() and not (pid.isdecimal() and _is_alive(int(pid))):
        return
    raise SettingsError(
        f"process {pid} on {host} syncs {asset} into this lake: wait for it, or delete {path} if "
        "it has ended"
    )


def _is_alive(pid: int) -> bool:
    """Return whether a process of this machine runs; this one does not keep itself out."""
    if pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


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


class LocalState:
    """The state of a lake as files in its `_watermarks` folder."""

    def __init__(self, lake: Path) -> None:
        self._lake = lake

    def get(self, name: str) -> str | None:
        """Read the file."""
        path = self._lake / state_file(name)
        try:
            return path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise StorageError(f"cannot read {path}: {error}") from error

    def put(self, name: str, text: str) -> None:
        """Write the file."""
        write_file(self._lake, state_file(name), f"{text}\n".encode())

    def create(self, name: str, text: str) -> bool:
        """Write the file unless it exists."""
        if self.get(name) is not None:
            return False
        self.put(name, text)
        return True

    def place(self, name: str) -> str:
        """Return the file's path."""
        return str(self._lake / state_file(name))
