#!/usr/bin/env python3
"""Checks the files that GitHub reads: each parses, and each script in them does, too.

    scripts/workflows.py

A script holds no `${{ … }}`: what comes with a pull request, such as a branch's name, would be run by the shell.
Workflows say what their token may do, and name the major version of each action.
"""

import pathlib
import re
import subprocess
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent


def steps(of):
    for job in of.get("jobs", {"": of.get("runs", {})}).values():
        yield from job.get("steps", [])


def problems(path):
    document = yaml.safe_load(path.read_text())
    if "workflows" in path.parts and document.get("permissions") != {"contents": "read"}:
        yield "the token may do more than to read"
    for step in steps(document):
        if "uses" in step and not re.fullmatch(r"[\w./-]+@v\d+", step["uses"]):
            yield f"no major version: {step['uses']}"
        script = step.get("run", "")
        if "${{" in script:
            yield f"an expression in a script: {script}"
        parsed = subprocess.run(("bash", "-n"), input=script, text=True, stderr=subprocess.PIPE)
        if parsed.returncode:
            yield parsed.stderr.strip()
        for name in re.findall(r"scripts/test ([\w ]+)", script):
            for word in name.split():
                known = rf"(?m)^{word}(\(\) \{{|=\()"
                if not re.search(known, (ROOT / "scripts/test").read_text()):
                    yield f"scripts/test has no step {word}"


def main():
    files = sorted([*ROOT.glob(".github/**/*.yml"), ROOT / "crates/fixation-audit/action.yml"])
    found = [f"{path.relative_to(ROOT)}: {problem}" for path in files for problem in problems(path)]
    if found:
        sys.exit("\n".join(found))
    print(f"{len(files)} files hold")


if __name__ == "__main__":
    main()
