"""What is installed with Triptych: licence, what needs it, compiled code; writes docs/packages.md.

``python benchmarks/packages.py`` reads the metadata of the installed packages that constraints.txt
pins; it asks nobody. It says what one trusts, not whether any of it is vulnerable: ``make audit``.
"""

from __future__ import annotations

import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
COMPILED = (".so", ".pyd", ".dylib", ".node", ".exe")
# Classifiers and licence texts that say too much, or nothing.
LONGEST = 40


def key(name: str) -> str:
    """Return a package's name as it is compared."""
    return re.sub(r"[-_.]+", "-", name.lower())


def needs(name: str, extra: str = "") -> set[str]:
    """Return what a package needs here, itself or with an extra."""
    found = set()
    for text in distribution(name).requires or ():
        one = Requirement(text)
        if one.marker is None or one.marker.evaluate({"extra": extra}):
            found.add(key(one.name))
    return found


def reached(names: set[str], pinned: set[str]) -> set[str]:
    """Return packages with all that they drag in."""
    found: set[str] = set()
    left = names & pinned
    while left:
        found |= left
        left = {n for one in left for n in needs(one)} & pinned - found
    return found


def licence(found: Distribution) -> str:
    """Return the licence that the metadata state, in a few words."""
    about = found.metadata
    stated = about.get("License-Expression") or ""
    listed = [c.rpartition(" :: ")[2] for c in about.get_all("Classifier") or () if "License" in c]
    stated = stated or ", ".join(c for c in listed if c != "OSI Approved")
    stated = stated or (about.get("License") or "").partition("\n")[0]
    return stated[:LONGEST] or "not stated"


def is_compiled(found: Distribution) -> bool:
    """Whether a package has code that is no Python."""
    return any(Path(str(file)).suffix in COMPILED for file in found.files or ())


def main() -> None:
    """Write the table."""
    text = (ROOT / "constraints.txt").read_text()
    names = dict(re.findall(r"^([\w.-]+)(?:\[[\w,-]+\])?==(\S+)", text, re.MULTILINE))
    pinned, missing = {}, []
    for name, version in names.items():
        try:
            pinned[key(name)] = (name, version, distribution(name))
        except PackageNotFoundError:
            missing.append(name)
    everybody = set(pinned)
    always = needs("triptych")
    groups = {"always": reached(always, everybody)}
    for extra in ("parquet", "tensorboard", "mlflow", "onnx", "dev"):
        groups[extra] = reached(needs("triptych", extra) - always, everybody)
    lines = []
    for one, (name, version, found) in sorted(pinned.items()):
        comes = [group for group in groups if one in groups[group]]
        by = sorted(other for other in everybody if one in needs(other))
        comes = ["always"] if "always" in comes else comes
        cells = (name, version, licence(found), ", ".join(comes), ", ".join(by),
                 "yes" if is_compiled(found) else "")  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    always_count = sum(one in groups["always"] for one in pinned)
    compiled = sum(is_compiled(found) for *_, found in pinned.values())
    head = f"""# Packages

All that constraints.txt pins, as `python benchmarks/packages.py` found it installed: {len(pinned)}
packages, of which {always_count} come with `pip install triptych`; {compiled} have compiled code.
An extra's packages come with it alone; `dev` is for whoever develops Triptych. None was audited
for known vulnerabilities: [SECURITY.md](../SECURITY.md#packages).

| package | version | licence, as stated | comes | needed by | compiled |
|---|---|---|---|---|---|
"""
    out = ROOT / "docs" / "packages.md"
    out.write_text(head + "\n".join(lines) + "\n", "utf-8")
    print(f"{out}: {len(pinned)} packages; not installed: {', '.join(missing) or 'none'}")


if __name__ == "__main__":
    main()
