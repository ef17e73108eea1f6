"""Licences of what spineclock needs at run time, as each package's own metadata states them: ``make licences``.

What a wheel bundles is as its own metadata declare it (NumPy's list its compiler libraries); no wheel is unpacked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement

PERMISSIVE = re.compile(
    r"(Apache|0?BSD|3-Clause BSD|MIT|ISC|PSF|Python Software Foundation|MPL|Mozilla|Zlib|CC0|HPND|Historical Permission"
    r"|BSL|Boost|LLVM|(The )?Unlicense|Public Domain)",
    re.IGNORECASE,
)
COPYLEFT = re.compile(r"GPL|General Public|Affero", re.IGNORECASE)

EXCEPTIONS = {
    "nvidia-": "libraries of PyTorch's CUDA build: proprietary, free to use, not needed; the CPU build has none",
    "cuda-": "as nvidia-",
}
"""Packages (by the start of the name) whose licence is not permissive, and why they may be there all the same."""


@dataclass(frozen=True)
class Licence:
    """What one installed package says of its licence."""

    package: str
    version: str
    text: str

    @property
    def permitted(self) -> bool:
        """Whether it may be a run-time dependency."""
        return is_permissive(self.text) or any(self.package.startswith(start) for start in EXCEPTIONS)


def is_permissive(text: str) -> bool:
    """Whether one of the licences joined by OR asks for attribution only (MPL: and changes to its files)."""
    return any(
        all(PERMISSIVE.match(part) and not COPYLEFT.search(part) for part in re.split(r"\s+AND\s+|; ", choice))
        for choice in re.split(r"\s+OR\s+", text.strip("() "))
    )


def requirements(name: str = "spineclock", extras: frozenset[str] = frozenset()) -> Iterator[Distribution]:
    """Every installed package that ``name`` needs here, itself left out, each once."""
    queue = [(name, extras)]
    seen: set[tuple[str, frozenset[str]]] = set()
    given: set[str] = {canonical(name)}
    while queue:
        wanted, wanted_extras = queue.pop()
        if (wanted, wanted_extras) in seen:
            continue
        seen.add((wanted, wanted_extras))
        try:
            package = distribution(wanted)
        except PackageNotFoundError:
            continue  # a requirement of another platform
        if wanted not in given:
            given.add(wanted)
            yield package
        for requirement in map(Requirement, package.requires or []):
            marker = requirement.marker
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *wanted_extras)):
                queue.append((canonical(requirement.name), frozenset(requirement.extras)))


def canonical(name: str) -> str:
    """A package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def licence_of(package: Distribution) -> Licence:
    """The licence expression, else the classifiers, else the first line of the free text."""
    meta = package.metadata
    classifiers = [c.split(" :: ")[-1] for c in meta.get_all("Classifier") or [] if c.startswith("License ::")]
    classifiers = [c for c in classifiers if c != "OSI Approved"]  # which names none
    free = (meta.get("License") or "").strip().splitlines()
    text = meta.get("License-Expression") or "; ".join(classifiers) or (free[0] if free else "unknown")
    return Licence(canonical(meta["Name"]), package.version, text)


if __name__ == "__main__":
    for row in sorted(map(licence_of, requirements()), key=lambda r: r.package):
        print(f"{'' if row.permitted else '!'}{row.package:28}{row.version:16}{row.text}")
