#!/usr/bin/env python3
"""Holds every published crate to the Rust version that its manifest states.

Where rustup has that toolchain, the crate is built with it. Elsewhere every crate that it depends on, with
all features, must state the same version or an older one; clippy's `incompatible_msrv` watches its own code.
"""

import json
import subprocess
import sys


def output(*command):
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout


def version(text):
    numbers = [int(part) for part in text.split(".")]
    return tuple(numbers + [0] * (3 - len(numbers)))


def dependencies(metadata, root):
    """The packages that a build of `root` compiles, itself left out."""
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    seen, waiting = set(), [root]
    while waiting:
        for dependency in nodes[waiting.pop()]["deps"]:
            kinds = {kind["kind"] for kind in dependency["dep_kinds"]}
            if kinds != {"dev"} and dependency["pkg"] not in seen:
                seen.add(dependency["pkg"])
                waiting.append(dependency["pkg"])
    return seen


def toolchains():
    try:
        return output("rustup", "toolchain", "list").split()
    except (OSError, subprocess.CalledProcessError):
        return []


def main():
    host = output("rustc", "--print", "host-tuple").strip()
    metadata = json.loads(
        output("cargo", "metadata", "--format-version", "1", "--all-features", "--filter-platform", host)
    )
    packages = {package["id"]: package for package in metadata["packages"]}
    installed = toolchains()
    failed = False
    for member in metadata["workspace_members"]:
        package = packages[member]
        if package["publish"] == []:
            continue
        name, stated = package["name"], package["rust_version"]
        if stated is None:
            print(f"{name}: states no rust-version")
            failed = True
            continue
        toolchain = next((t for t in installed if t.startswith((f"{stated}-", f"{stated}.0-"))), None)
        if toolchain:
            built = subprocess.run(("cargo", f"+{toolchain}", "check", "--quiet", "-p", name, "--all-features"))
            failed |= built.returncode != 0
            print(f"{name}: {'builds' if built.returncode == 0 else 'does not build'} with Rust {stated}")
            continue
        newer = [
            (packages[id]["rust_version"], packages[id]["name"])
            for id in dependencies(metadata, member)
            if packages[id]["rust_version"] and version(packages[id]["rust_version"]) > version(stated)
        ]
        for needs, dependency in sorted(newer):
            print(f"{name}: states Rust {stated}, but {dependency} needs {needs}")
        failed |= bool(newer)
        if not newer:
            print(f"{name}: no dependency needs more than Rust {stated} (that toolchain is not installed to build it)")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
