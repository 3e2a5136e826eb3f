#!/usr/bin/env python3
"""Checks that every published crate builds with the oldest versions that its manifest allows.

Only direct dependencies are held to their oldest versions: what those need of their own is theirs to state. The
check runs in a copy without dev-dependencies, which would raise the versions, and without the packages that are not
published. The switch is unstable in Cargo, hence `RUSTC_BOOTSTRAP`.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

UNPUBLISHED = ("benches", "examples", "fuzz", "tools")


def tracked():
    files = subprocess.run(("git", "ls-files", "-z"), check=True, stdout=subprocess.PIPE).stdout
    return [pathlib.Path(os.fsdecode(name)) for name in files.split(b"\0") if name]


def table_of(line):
    """The first parts of a table's name, where `line` begins a table."""
    name = re.match(r"\[+([^\]]+)\]", line)
    return name and name.group(1).strip()


def without_development(manifest):
    kept, keeps = [], True
    for line in manifest.splitlines(keepends=True):
        table = table_of(line)
        if table:
            keeps = not ("dev-dependencies" in table or table in ("example", "test", "bench"))
        if keeps:
            kept.append(line)
    return "".join(kept)


def copy_to(folder):
    for file in tracked():
        unpublished = file.parts[0] in UNPUBLISHED or {"tests", "tests-emulator"} & set(file.parts)
        if unpublished or file.name == "Cargo.lock" or not file.is_file():
            continue
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, folder / file)
    for manifest in folder.rglob("Cargo.toml"):
        manifest.write_text(without_development(manifest.read_text()))


def check(folder, member, target):
    """Alone in the workspace: together, the oldest version of one is too old for another."""
    root = folder / "Cargo.toml"
    members = "" if member == "." else f'"{member}"'
    root.write_text(re.sub(r"(?m)^members = .*$", f"members = [{members}]", root.read_text()))
    (folder / "Cargo.lock").unlink(missing_ok=True)
    environment = {**os.environ, "RUSTC_BOOTSTRAP": "1", "CARGO_TARGET_DIR": str(target)}
    for command in (("generate-lockfile",), ("check", "--lib", "--all-features")):
        subprocess.run(
            ("cargo", *command, "--quiet", "-Z", "direct-minimal-versions"),
            cwd=folder / member, env=environment, check=True,
        )


def main():
    target = pathlib.Path(sys.argv[1]).resolve()
    failed = []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        copy_to(folder)
        members = [".", *sorted(str(path.parent.relative_to(folder)) for path in folder.glob("crates/*/Cargo.toml"))]
        for member in members:
            try:
                check(folder, member, target)
                print(f"{member}: builds with the oldest versions", flush=True)
            except subprocess.CalledProcessError:
                failed.append(member)
    if failed:
        sys.exit(f"the oldest versions do not build: {', '.join(failed)}")


if __name__ == "__main__":
    main()
