"""The file that a result is written to."""

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from anthropic_lake.errors import SettingsError


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for a result, which takes the place of an older one when it is whole.

    A new file has the permissions that the umask leaves, a replaced one keeps its own.

    Args:
        path: Where the file goes.

    Yields:
        The file to write to, beside its place until it is whole; an exception leaves the old one.

    Raises:
        SettingsError: It cannot be written, or what stands there is no regular file.
    """
    temporary = path.with_name(f".anthropic-lake-{secrets.token_hex(8)}")
    try:
        mode = _mode_of_older(path)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with open(os.open(temporary, flags, 0o666), "wb") as file:  # noqa: PTH123  mode and umask
            try:
                yield file
                if mode is not None:
                    temporary.chmod(mode)
            except BaseException:
                temporary.unlink()
                raise
        temporary.replace(path)
    except OSError as error:
        raise SettingsError(f"cannot write {path}: {error.strerror}") from error


def _mode_of_older(path: Path) -> int | None:
    """Return the permissions of the file that is replaced, None where there is none.

    Raises:
        SettingsError: It is something that must not be replaced.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(mode):
        raise SettingsError(f"{path} is a symbolic link: name the file that it leads to")
    if not stat.S_ISREG(mode):
        raise SettingsError(f"{path} is not a regular file: leave out -o and redirect the output")
    return stat.S_IMODE(mode)
