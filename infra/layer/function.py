"""Compiles the functions' own code for Lambda's Python, where one is at hand.

    python -m infra.layer.function FOLDER

Lambda cannot keep bytecode between cold starts: without it every one compiles all modules again.
"""

import sys
from pathlib import Path

from infra.layer.build import PYTHON_VERSION, compile_folder, find_python

MOUNT = "/var/task"  # where Lambda unpacks a function


def main(arguments: list[str]) -> None:
    """Compile the modules in a folder."""
    python = find_python()
    if python is None:
        print(f"function: no Python {PYTHON_VERSION} here, so no bytecode: cold starts are slower")
        return
    compile_folder(Path(arguments[0]), MOUNT, python)


if __name__ == "__main__":
    main(sys.argv[1:])
