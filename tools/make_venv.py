"""Create the virtual environment of the project, or pin its requirements.

    make_venv.py DIR            a venv with what requirements-dev.lock pins, and Fairlead itself
    make_venv.py --lock FILE    resolve the requirements anew and write them to FILE

Runs with nothing but the Python it is started with.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements-dev.lock"
OLDEST = (3, 11)


def main(arguments: list[str]) -> None:
    if sys.version_info < OLDEST:
        found = ".".join(map(str, sys.version_info[:2]))
        sys.exit(
            f"Fairlead needs Python 3.11 or newer, this is {found}: try make PYTHON=python3.12"
        )
    if arguments[:1] == ["--lock"]:
        write_lock(Path(arguments[1]))
    else:
        create(ROOT / arguments[0], ["-r", str(LOCK)])
        pip(ROOT / arguments[0], "--no-deps", "--no-build-isolation", "-e", str(ROOT))


def create(folder: Path, requirements: list[str]) -> None:
    print(f"creating {folder}", file=sys.stderr)
    made = subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=False)
    if made.returncode and not install_venv_module():
        sys.exit("python3 -m venv does not work: install your system's python3-venv package")
    if made.returncode:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
    pip(folder, *requirements)


def install_venv_module() -> bool:
    """Debian keeps the module in a package of its own."""
    package = f"python3.{sys.version_info[1]}-venv"
    command = f"apt-get update -qq && apt-get install -y -qq {package}"
    return subprocess.run(["sh", "-c", command], check=False).returncode == 0


def pip(folder: Path, *arguments: str) -> None:
    command = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    done = subprocess.run([*command, "--disable-pip-version-check", *arguments], check=False)
    if done.returncode:
        sys.exit("pip could not install the requirements: see its message above")


def write_lock(lock: Path) -> None:
    """Pin what the newest versions that fit resolve to, in a venv of its own."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = project["project"]["dependencies"] + project["dependency-groups"]["dev"]
    wanted += project["build-system"]["requires"] + ["editables"]
    with tempfile.TemporaryDirectory() as name:
        create(Path(name), wanted)
        frozen = subprocess.run(
            [f"{name}/bin/python", "-m", "pip", "freeze", "--disable-pip-version-check"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    lock.write_text(f"# What `make lock` resolved pyproject.toml to. Do not edit.\n{frozen}")


if __name__ == "__main__":
    main(sys.argv[1:])
