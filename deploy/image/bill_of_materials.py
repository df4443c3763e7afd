"""Writes what an environment contains, and under which licences.

`python bill_of_materials.py FOLDER [OPTION ...]`, run by the environment's own Python beside uv.lock, writes
FOLDER/sbom.cdx.json (CycloneDX 1.5, of `uv export`) and FOLDER/licences.txt. The options are those that
`uv sync` had. Packages for other systems are left out; an installed one that uv.lock does not name ends it.
Neither lists Python itself nor the packages of the base image.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

OWN = "kogge"
CLASSIFIER = "License :: "
LICENCE = re.compile(r"\.dist-info/(licenses/)?(COPYING|LICEN[CS]E)[^/]*$")


def main() -> None:
    """Writes both files. Exits with a message if the environment is not that of the lock file."""
    folder, *options = sys.argv[1:]
    installed = {normal(one.metadata["Name"]): one for one in distributions()}
    made = trimmed(exported(options), installed)
    missing = installed.keys() - {normal(one["name"]) for one in made["components"]} - {OWN}
    if missing:
        sys.exit(f"installed, and not in uv.lock: {', '.join(sorted(missing))}")
    out = Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    (out / "sbom.cdx.json").write_text(json.dumps(made) + "\n")
    rows = sorted(
        (one["name"], one["version"], licence(installed[one["name"]])) for one in made["components"]
    )
    (out / "licences.txt").write_text("".join(f"{name} {version}: {text}\n" for name, version, text in rows))


def exported(options: list[str]) -> dict[str, Any]:
    """Returns what uv makes of the lock file."""
    uv = shutil.which("uv") or ".uv/bin/uv"
    command = [uv, "export", "--frozen", "--quiet", "--format", "cyclonedx1.5", *options]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    return dict(json.loads(done.stdout))


def trimmed(bill: dict[str, Any], installed: dict[str, Distribution]) -> dict[str, Any]:
    """Returns the bill with the packages that are installed in that version, each with its licence."""
    components = []
    for one in bill["components"]:
        found = installed.get(normal(one["name"]))
        if found is not None and found.version == one["version"]:
            stated = found.metadata.get("License-Expression")
            said = {"expression": stated} if stated else {"license": {"name": licence(found)}}
            components.append(one | {"licenses": [said]})
    kept = {one["bom-ref"] for one in components} | {bill["metadata"]["component"]["bom-ref"]}
    dependencies = [
        one | {"dependsOn": [ref for ref in one.get("dependsOn", []) if ref in kept]}
        for one in bill["dependencies"]
        if one["ref"] in kept
    ]
    return bill | {"components": components, "dependencies": dependencies}


def licence(package: Distribution) -> str:
    """Returns the licence as the package states it: an expression, a classifier, the first line of a text."""
    told = package.metadata
    if expression := told.get("License-Expression"):
        return str(expression)
    classes = [one for one in told.get_all("Classifier") or [] if one.startswith(CLASSIFIER)]
    if classes:
        return " / ".join(one.rpartition(" :: ")[2] for one in classes)
    lines = str(told.get("License") or "").strip().splitlines()
    if lines:
        return lines[0].strip()
    files = told.get_all("License-File") or [
        str(one) for one in package.files or [] if LICENCE.search(str(one))
    ]
    return f"not stated; see {', '.join(sorted(files))}" if files else "not stated"


def normal(name: str) -> str:
    """Returns the name of a package as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    main()
