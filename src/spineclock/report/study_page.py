"""A study as one self-contained page, and the folder of its numbers and figures."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.resources import files
from pathlib import Path

import jinja2
import pandas as pd
from matplotlib.figure import Figure

from spineclock.report.html import RunInfo
from spineclock.report.ink import png, svg
from spineclock.report.tables import Table

DRAWN_LIMIT_BYTES = 400_000
"""A vector figure larger than this is shown on the page as a PNG; the vectors lie in the folder all the same."""


@dataclass(frozen=True, eq=False)
class Picture:
    """A figure, what its files are called, and what it shows in words."""

    name: str
    figure: Figure
    caption: str

    @cached_property
    def svg(self) -> bytes:
        """The figure as vectors."""
        return svg(self.figure)

    @cached_property
    def png(self) -> bytes:
        """The figure as pixels."""
        return png(self.figure)


@dataclass(frozen=True, eq=False)
class Section:
    """One part of a study: what it says, tables to be read, figures, and the numbers behind them."""

    key: str
    """Its anchor on the page."""
    title: str
    text: tuple[str, ...] = ()
    caution: tuple[str, ...] = ()
    """What must be kept in mind; set apart."""
    tables: tuple[Table, ...] = ()
    pictures: tuple[Picture, ...] = ()
    frames: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    """By file name without its ending."""


@dataclass(frozen=True, eq=False)
class _Shown:
    name: str
    caption: str
    source: str


def page(sections: Sequence[Section], *, run: RunInfo, title: str, statements: Sequence[str] = ()) -> str:
    """The page as text, figures within it; nothing it shows is fetched from anywhere, and all text is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_template),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template("study.html.jinja").render(
        title=title,
        run=run,
        statements=[s for s in statements if s],
        sections=[(s, [_shown(p) for p in s.pictures]) for s in sections],
    )


def write_folder(out: Path, sections: Sequence[Section]) -> None:
    """Writes each section's numbers as CSV and its figures as SVG and PNG."""
    (out / "tables").mkdir(parents=True, exist_ok=True)
    (out / "figures").mkdir(parents=True, exist_ok=True)
    for section in sections:
        for name, frame in section.frames.items():
            frame.to_csv(out / "tables" / f"{name}.csv", index=False, float_format="%.10g")
        for picture in section.pictures:
            (out / "figures" / f"{picture.name}.svg").write_bytes(picture.svg)
            (out / "figures" / f"{picture.name}.png").write_bytes(picture.png)


def _shown(picture: Picture) -> _Shown:
    if len(picture.svg) > DRAWN_LIMIT_BYTES:
        return _Shown(picture.name, picture.caption, _data("png", picture.png))
    return _Shown(picture.name, picture.caption, _data("svg+xml", picture.svg))


def _data(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _template(name: str) -> str:
    return (files("spineclock.report") / "templates" / name).read_text(encoding="utf-8")
