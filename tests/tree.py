"""The tree of docs/architecture.md, written from the modules' own first lines: ``make tree``."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "spineclock"
PAGE = ROOT / "docs" / "architecture.md"
BLOCK = re.compile(r"(?<=```tree\n).*?(?=```)", re.DOTALL)


def tree() -> str:
    """The tree as it is: each module with the first clause of its docstring."""
    return "src/spineclock/\n" + "".join(_lines(SOURCE, "  "))


def _lines(folder: Path, indent: str) -> Iterator[str]:
    children = [p for p in folder.iterdir() if not p.name.startswith(("__", "."))]
    for path in sorted(children, key=lambda p: (p.is_dir(), p.name)):
        if path.suffix == ".py":
            yield f"{indent}{path.name:{28 - len(indent)}}{_clause(path)}\n"
        elif path.is_dir() and any(p.suffix == ".py" for p in path.rglob("*")):
            yield f"{indent}{path.name + '/':{28 - len(indent)}}{_clause(path / '__init__.py')}".rstrip() + "\n"
            yield from _lines(path, indent + "  ")
        elif path.is_dir():
            kinds = sorted({p.suffix for p in path.iterdir() if p.is_file()})
            yield f"{indent}{path.name + '/':{28 - len(indent)}}{', '.join(kinds)} files\n"


def _clause(path: Path) -> str:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    first = " ".join(docstring.split("\n\n")[0].split())
    stops = [m.start() for m in re.finditer(r"[:;.](?:\s|$)", first)]
    outside_brackets = [n for n in stops if first[:n].count("(") == first[:n].count(")")]
    clause = first[: outside_brackets[0]] if outside_brackets else first
    return clause if len(clause) <= 96 else clause[:95].rpartition(" ")[0] + " …"


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(BLOCK.sub(lambda _: tree(), text), encoding="utf-8")
