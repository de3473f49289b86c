"""Builds the layer: the locked packages for Lambda's Python, pruned, compiled, reproducible.

    python -m infra.layer.build --output DIR [--zip FILE] [--architecture arm64|x86_64]

The packages are upstream wheels chosen by uv for Lambda's system, so the host may be of another
architecture and have another Python, from 3.11 on. Equal locks give equal bytes, on hosts that
have the same Python of Lambda's version, or none.
"""

from __future__ import annotations

import argparse
import calendar
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from infra.layer.prune import UNNEEDED

Architecture = Literal["arm64", "x86_64"]

PYTHON_VERSION = "3.13"
LOCK = Path(__file__).parents[2] / "requirements" / "function.txt"
MOUNT = "/opt/python"  # where Lambda unpacks the layer's python folder
PLATFORMS: dict[Architecture, str] = {  # Lambda's python3.13 has glibc 2.34
    "arm64": "aarch64-manylinux_2_28",
    "x86_64": "x86_64-manylinux_2_28",
}
MB = 2**20  # as Lambda counts: 250 MB are 262,144,000 bytes
MAX_UNPACKED = 150 * MB  # Lambda allows 250 MB, for the layers and the function together
EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can hold


class BuildError(Exception):
    """The layer cannot be built; the message says what to do."""


@dataclass(frozen=True)
class Layer:
    """A built layer.

    Attributes:
        root: The folder that Lambda mounts as /opt; the packages are in its folder python.
    """

    root: Path

    @property
    def packages(self) -> Path:
        """The folder that goes on the Python path."""
        return self.root / "python"

    @property
    def files(self) -> list[Path]:
        """All files, sorted."""
        return sorted(path for path in self.packages.rglob("*") if path.is_file())

    @property
    def unpacked(self) -> int:
        """The size of all files, in bytes."""
        return sum(path.stat().st_size for path in self.files)

    def zip(self, target: Path) -> int:
        """Write the layer as a zip whose bytes depend on nothing but the files.

        Args:
            target: The zip file, replaced when there is one.

        Returns:
            Its size in bytes.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(target, "w") as archive:
            for path in self.files:
                entry = zipfile.ZipInfo(path.relative_to(self.root).as_posix(), EPOCH)
                entry.create_system = 3  # Unix: the mode counts
                entry.external_attr = 0o100644 << 16
                archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
        return target.stat().st_size


def build(root: Path, architecture: Architecture = "arm64", python: Path | None = None) -> Layer:
    """Build the layer from the lock.

    Args:
        root: Where to; its folder python is replaced.
        architecture: Lambda's instruction set.
        python: An interpreter of Lambda's version, to compile with; without one the layer has no
            bytecode, which makes cold starts slower and changes nothing else.

    Returns:
        The layer.
    """
    layer = Layer(root.absolute())
    shutil.rmtree(layer.packages, ignore_errors=True)
    _install(layer.packages, architecture)
    _prune(layer.packages)
    if python:
        compile_folder(layer.packages, MOUNT, python)
    _normalize(layer.packages)
    return layer


def find_python() -> Path | None:
    """Find an interpreter of Lambda's version on this machine."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    name = f"python{PYTHON_VERSION}"
    managed = [*_uv_command(), "python", "find", "--managed-python", "--no-python-downloads"]
    candidates = [
        sys.executable,
        shutil.which(name),  # may be a shim of pyenv that runs nothing
        *sorted(map(str, pyenv.glob(f"{PYTHON_VERSION}.*/bin/{name}"))),
        _output([*managed, PYTHON_VERSION]),
    ]
    tag = f"cpython-{PYTHON_VERSION.replace('.', '')}"
    ask = "import sys; print(sys.implementation.cache_tag)"
    for candidate in filter(None, candidates):
        if _output([candidate, "-c", ask]) == tag:
            return Path(candidate)
    return None


def uv() -> Path:
    """Find uv: of this environment, or else of the PATH.

    Raises:
        BuildError: It is missing.
    """
    own = Path(sysconfig.get_path("scripts")) / "uv"
    program = str(own) if own.exists() else shutil.which("uv")
    if not program:
        raise BuildError("the layer is installed by uv, which is not here: run `make setup`")
    return Path(program)


def _uv_command() -> list[str]:
    return [str(uv()), "--quiet"]


def _output(command: list[str]) -> str | None:
    """Run a command and return what it printed, or nothing when it failed."""
    run = subprocess.run(command, check=False, capture_output=True, text=True)
    return run.stdout.strip() if run.returncode == 0 else None


def _install(packages: Path, architecture: Architecture) -> None:
    subprocess.run(
        [
            *_uv_command(),
            *("pip", "install", "--require-hashes", "--only-binary", ":all:", "--no-deps"),
            *("--python", sys.executable, "--python-version", PYTHON_VERSION),
            *("--python-platform", PLATFORMS[architecture]),
            *("--link-mode", "copy"),  # a link would carry our times and modes into uv's cache
            *("--no-compile-bytecode", "--target", str(packages), "--requirement", str(LOCK)),
        ],
        check=True,
    )


def _prune(packages: Path) -> None:
    for unneeded in UNNEEDED:
        for path in unneeded.files(packages):
            path.unlink(missing_ok=True)
    for path in sorted(packages.rglob("*"), reverse=True):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def compile_folder(folder: Path, mount: str, python: Path) -> None:
    """Compile for Lambda, whose copies of the files have other times: nothing compares them.

    Args:
        folder: Where the modules are now.
        mount: Where Lambda will have them; tracebacks name it.
        python: An interpreter of Lambda's version.
    """
    command = [str(python), "-m", "compileall", "-q", "-f", "-j", "0"]
    subprocess.run(
        [
            *command,
            *("--invalidation-mode", "unchecked-hash"),
            *("-s", str(folder), "-p", mount, str(folder)),
        ],
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "0"},
    )


def _normalize(packages: Path) -> None:
    """Set the modes and times of files and folders to what they are everywhere."""
    (packages / ".lock").unlink(missing_ok=True)
    seconds = calendar.timegm(EPOCH)
    for path in (packages, *packages.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
        os.utime(path, (seconds, seconds))


def main(arguments: list[str] | None = None) -> int:
    """Build the layer and say how large it is."""
    parser = argparse.ArgumentParser(prog="python -m infra.layer.build", description=main.__doc__)
    parser.add_argument("--output", type=Path, required=True, help="the folder to build in")
    parser.add_argument("--zip", type=Path, help="a zip file to write, too")
    parser.add_argument("--architecture", choices=get_args(Architecture), default="arm64")
    options = parser.parse_args(arguments)
    try:
        python = find_python()
        layer = build(options.output, options.architecture, python)
    except (BuildError, subprocess.CalledProcessError) as error:
        print(f"layer: {error}", file=sys.stderr)
        return 1
    if not python:
        print(f"layer: no Python {PYTHON_VERSION} here, so no bytecode: cold starts are slower")
    sizes = [f"{layer.unpacked / MB:.1f} MB unpacked"]
    if options.zip:
        sizes.append(f"{layer.zip(options.zip) / MB:.1f} MB zipped")
    print(f"layer: {options.architecture}, {', '.join(sizes)}")
    if layer.unpacked > MAX_UNPACKED:
        print(f"layer: over {MAX_UNPACKED // MB} MB: prune it", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
