#!/usr/bin/env python3
"""Fails if a crate's public API shows a type of a crate that its manifest does not allow.

    scripts/external_types.py [CRATE …]      all published members without an argument

The allow-list is the one of cargo-check-external-types:

    [package.metadata.cargo_check_external_types]
    allowed_external_types = ["http::*", "tower_service::Service"]

The standard library is always allowed. A pattern that allows nothing fails too.
"""

import fnmatch
import json
import os
import pathlib
import subprocess
import sys

STANDARD = ("std::", "core::", "alloc::")


def run(*command, **kwargs):
    return subprocess.run(command, check=True, text=True, **kwargs)


def members():
    command = ("cargo", "metadata", "--format-version", "1", "--no-deps")
    metadata = json.loads(run(*command, stdout=subprocess.PIPE).stdout)
    published = [p for p in metadata["packages"] if p["publish"] != []]
    return published, pathlib.Path(metadata["target_directory"])


def library_name(package):
    libraries = [t for t in package["targets"] if {"lib", "proc-macro"} & set(t["kind"])]
    return libraries[0]["name"].replace("-", "_") if libraries else None


def documented(package, target_directory, name):
    """The public API as rustdoc describes it in JSON."""
    run(
        "cargo", "rustdoc", "--quiet", "--lib", "--all-features", "-p", package["name"],
        "--", "-Z", "unstable-options", "--output-format", "json",
        env={**os.environ, "RUSTC_BOOTSTRAP": "1", "RUSTDOCFLAGS": ""},
    )
    return json.loads((target_directory / "doc" / f"{name}.json").read_text())


def is_written(item):
    """Whether somebody wrote this implementation, rather than the compiler or a blanket."""
    inner = item["inner"].get("impl")
    return inner is None or not (inner["is_synthetic"] or inner["blanket_impl"])


def ids_in(node, found):
    """The ids of every type and trait that a signature names."""
    if isinstance(node, dict):
        if "path" in node and "id" in node and isinstance(node["id"], int):
            found.add(node["id"])
        for key, value in node.items():
            # Names inside documentation are no part of the interface.
            if key not in ("links", "docs", "attrs", "deprecation"):
                ids_in(value, found)
    elif isinstance(node, list):
        for value in node:
            ids_in(value, found)


def shown(api):
    """Paths of other crates' types, and one item that shows each."""
    hidden, used = set(), {}
    for item in api["index"].values():
        if not is_written(item):
            hidden.update(item["inner"]["impl"]["items"])
    for item_id, item in api["index"].items():
        if item["crate_id"] != 0 or int(item_id) in hidden or not is_written(item):
            continue
        kind, inner = next(iter(item["inner"].items()))
        found = set()
        if kind == "use":
            # A re-export shows what it names.
            target = api["paths"].get(str(inner["id"])) if inner["id"] is not None else None
            if target and target["crate_id"] != 0:
                found.add(inner["id"])
        else:
            ids_in(inner, found)
        for found_id in found:
            path = api["paths"].get(str(found_id))
            if path and path["crate_id"] != 0:
                used.setdefault("::".join(path["path"]), item["name"] or kind)
    return used


def main(names):
    packages, target_directory = members()
    failed = False
    for package in packages:
        name = library_name(package)
        if name is None or names and package["name"] not in names:
            continue
        metadata = (package["metadata"] or {}).get("cargo_check_external_types", {})
        allowed = metadata.get("allowed_external_types", [])
        unused = set(allowed)
        for path, where in sorted(shown(documented(package, target_directory, name)).items()):
            if path.startswith(STANDARD):
                continue
            matching = [pattern for pattern in allowed if fnmatch.fnmatchcase(path, pattern)]
            unused.difference_update(matching)
            if not matching:
                failed = True
                print(f"{package['name']}: `{where}` shows {path}, which the manifest does not allow")
        for pattern in sorted(unused):
            failed = True
            print(f"{package['name']}: nothing shows {pattern}: take it off the list")
        print(f"{package['name']}: {len(allowed)} patterns of external types allowed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
