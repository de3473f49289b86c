"""What the layer leaves out of the installed packages, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Unneeded:
    """Files that no function reads.

    Attributes:
        reason: Why they can go.
        globs: The files, relative to the folder of the installed packages.
        keep: Exceptions, as globs of the same kind.
    """

    reason: str
    globs: tuple[str, ...]
    keep: tuple[str, ...] = ()

    def files(self, packages: Path) -> set[Path]:
        """Find the files to leave out of a folder of installed packages."""
        kept = {path for glob in self.keep for path in packages.glob(glob)}
        return {
            path
            for glob in self.globs
            for path in packages.glob(glob)
            if not path.is_dir() and path not in kept
        }


# libarrow_substrait, _acero, _dataset and _compute stay: libarrow_python, and so every module of
# pyarrow, is linked to them. Licences stay, also of what is left out.
UNNEEDED = (
    Unneeded(
        "commands: nobody calls them in Lambda, and they name the interpreter that built them",
        ("bin/*",),
    ),
    Unneeded(
        "the installer's notes: the lists of files are wrong after pruning",
        ("*.dist-info/RECORD", "*.dist-info/INSTALLER", "*.dist-info/REQUESTED"),
    ),
    Unneeded(
        "the other services' models: the functions talk to these five",
        ("botocore/data/*/**/*",),
        keep=tuple(
            f"botocore/data/{service}/**/*"
            for service in ("lambda", "s3", "secretsmanager", "ssm", "sts")
        ),
    ),
    Unneeded(
        "models of boto3.resource(): the functions use clients",
        ("boto3/data/**/*", "boto3/examples/*"),
    ),
    Unneeded(
        "examples in the kept services' reference pages",
        ("botocore/data/*/*/examples-1.json*",),
    ),
    Unneeded(
        "the browser's part of an API console",
        tuple(f"aws_lambda_powertools/**/{kind}" for kind in ("*.js", "*.css")),
    ),
    Unneeded(
        "second and third copies of libraries, under names that only a linker looks for",
        ("pyarrow/libarrow_python*.so", "pyarrow/libarrow_python*.so.*.*"),
    ),
    Unneeded(
        "Arrow Flight: the lake is no server",
        ("pyarrow/*flight*", "pyarrow/*flight*/**/*"),
    ),
    Unneeded(
        "Arrow's own ways to object stores: the lake is written through boto3",
        (
            "pyarrow/libarrow_s3.so.*",
            "pyarrow/_s3fs.*",
            "pyarrow/_gcsfs.*",
            "pyarrow/_azurefs.*",
            "pyarrow/_hdfs.*",
        ),
    ),
    Unneeded(
        "formats that the lake does not have: ORC, encrypted Parquet, Substrait plans, Gandiva",
        (
            "pyarrow/*orc.*",
            "pyarrow/*parquet_encryption*",
            "pyarrow/_substrait.*",
            "pyarrow/*gandiva*",
        ),
    ),
    Unneeded(
        "sources and headers, for those who compile against Arrow",
        (
            "pyarrow/include/**/*",
            "pyarrow/includes/**/*",
            "pyarrow/src/**/*",
            "**/*.pxd",
            "**/*.pxi",
            "**/*.pyx",
            "**/*.h",
        ),
    ),
    Unneeded(
        "tests of the packages",
        ("pyarrow/tests/**/*", "pyarrow/conftest.py", "pyarrow/_pyarrow_cpp_tests.*"),
    ),
    Unneeded(
        "type stubs: type checkers do not run in Lambda",
        ("**/*.pyi",),
    ),
)
