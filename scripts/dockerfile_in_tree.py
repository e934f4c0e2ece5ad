"""Run the steps of the Dockerfile where there is no Docker: in a tree that debootstrap has made.

    debootstrap --variant=minbase trixie TREE
    python scripts/dockerfile_in_tree.py TREE [--build-arg NAME=VALUE] [-- WORDS]

As root. RUN, ARG, COPY, ENV, USER, WORKDIR, ENTRYPOINT and CMD are what Docker makes of them, as
far as our Dockerfile goes; WORDS stand in the place of CMD. TREE should have /proc and /dev. What
it takes is printed: seconds a step, and megabytes at the end, torch and what it brings apart.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
BASE = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
KEPT = ("PIP_CERT", "SSL_CERT_FILE")
"""Of this environment: by which a machine says whom it trusts."""
TORCHS = ("torch", "torchgen", "torchvision", "torchvision.libs", "functorch", "nvidia", "triton")


def steps() -> list[tuple[str, str]]:
    """Instructions of the Dockerfile with what follows them."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    found = re.findall(r"^([A-Z]+)\s+(.*)$", text, re.MULTILINE)
    return [(name, " ".join(rest.split())) for name, rest in found]


def copied(target: Path) -> None:
    """What .dockerignore lets into an image."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").split("\n")
    allowed = [line[1:] for line in lines if line.startswith("!")]
    left = {line.removeprefix("**/") for line in lines if line and line[0] not in "!*#"}
    left |= {"__pycache__"}

    def ignored(folder: str, names: list[str]) -> list[str]:
        at = Path(folder).relative_to(ROOT)
        return [name for name in names if name in left or (at / name).as_posix() in left]

    target.mkdir(parents=True, exist_ok=True)
    for name in allowed:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=ignored, dirs_exist_ok=True)
        else:
            shutil.copy(source, target / name)


def megabytes(folder: Path) -> float:
    """Of all regular files below it, on its own file system."""
    device, total = folder.stat().st_dev, 0
    for at, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if os.lstat(f"{at}/{name}").st_dev == device]
        total += sum(os.lstat(f"{at}/{name}").st_blocks * 512 for name in files)
    return total / 1e6


def main() -> None:
    """Run them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("tree", type=Path)
    parser.add_argument("--build-arg", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("words", nargs="*")
    given = parser.parse_args()
    arguments = dict(one.split("=", 1) for one in given.build_arg)
    env = BASE | {name: os.environ[name] for name in KEPT if name in os.environ}
    user, folder, entry, command = "root", "/", [], given.words

    def run(words: list[str]) -> None:
        home = {"HOME": f"/home/{user}" if user != "root" else "/root"}
        within = ["chroot", f"--userspec={user}", str(given.tree), "env", "-i", "-C", folder]
        settings = [f"{name}={value}" for name, value in (env | home).items()]
        done = subprocess.run([*within, *settings, *words], check=False)
        if done.returncode:
            sys.exit(f"{words[-1]} ended with {done.returncode}")

    for name, rest in steps():
        began = time.monotonic()
        if name == "RUN":
            run(["/bin/sh", "-c", rest])
        elif name == "ARG":
            key, _, value = rest.partition("=")
            env[key] = arguments.get(key, value)
        elif name == "COPY":
            copied(given.tree / rest.split()[-1].lstrip("/"))
        elif name == "ENV":
            for pair in rest.split():
                key, _, value = pair.partition("=")
                env[key] = value.replace(f"${key}", env.get(key, ""))
        elif name == "USER":
            user = rest
        elif name == "WORKDIR":
            folder = rest
        elif name == "ENTRYPOINT":
            entry = json.loads(rest)
        elif name == "CMD":
            command = command or json.loads(rest)
        print(f"{time.monotonic() - began:7.1f} s  {name} {rest[:80]}", flush=True)
    packages = next((given.tree / "opt/analogkan/lib").glob("python*/site-packages"))
    torchs = sum(megabytes(packages / name) for name in TORCHS if (packages / name).is_dir())
    print(f"{megabytes(given.tree) - torchs:,.0f} MB, and {torchs:,.0f} MB of torch")
    began = time.monotonic()
    run([*entry, *command])
    print(f"{time.monotonic() - began:7.1f} s  {' '.join([*entry, *command])}")


if __name__ == "__main__":
    main()
