"""The page: well formed, self-contained, safe, and honest about what is missing."""

from __future__ import annotations

import base64
import io
import itertools
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from spineclock.core.recipe import Words
from spineclock.core.records import AgePrediction, Contribution, Failure, Interval, ModelInfo, Quality
from spineclock.report.html import ReportEntry, RunInfo, html, picture_budget, write_html
from spineclock.report.tables import tables

STATEMENT = "Research demonstration: trained on 28 people; not a medical device."
MODEL = ModelInfo("demo", {"segmenter.safetensors": "ab" * 32}, STATEMENT)
RUN = RunInfo("0.1.0", "spineclock predict scans --out results", "2024-05-06 07:08", {"torch": "2.13.0"})
VOID = {"meta", "link", "img", "br", "hr", "input"}


class Page(HTMLParser):
    """Checks that tags close in order, and collects what the tests ask for."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.text += " "
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self.text += " "
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def words(self) -> str:
        return " ".join(self.text.split())


def picture(width: int = 40, height: int = 30) -> bytes:
    out = io.BytesIO()
    noise = np.random.default_rng(1).integers(0, 255, (height, width, 3), dtype=np.uint8)
    Image.fromarray(noise).save(out, format="PNG")
    return out.getvalue()


def entry(scan_id: str = "scan-a", **changes: object) -> ReportEntry:
    prediction = AgePrediction(
        61.26,
        63.5,
        Interval(48.2, 74.4, 0.9),
        6.5,
        {"measurements": 61.26},
        (Contribution("disc.mean.height_mm", 7.0, 2.0), Contribution("sex.male", 1.0, -0.5)),
    )
    measured = pd.DataFrame(
        [
            ("disc", "L4/L5", "height_mm", 8.04, "mm", True),
            ("disc", "L4/L5", "volume_mm3", 9123.4, "mm3", False),
            ("disc", "L5/S1", "height_mm", np.nan, "mm", True),
            ("spine", "", "lordosis_deg", 42.35, "deg", True),
        ],
        columns=["structure", "level", "name", "value", "unit", "complete"],
    )
    whole = ReportEntry(
        scan_id,
        f"{scan_id}.nii.gz",
        Quality(),
        MODEL,
        prediction,
        measured,
        picture(),
        picture(),
        picture(),
        57.0,
        "F",
        scan_id,
    )
    return replace(whole, **changes)  # type: ignore[arg-type]


def test_page_is_well_formed_and_says_what_it_was_given() -> None:
    page = Page(html([entry()], run=RUN))
    assert page.all("html")[0]["lang"] == "en"
    for said in (
        "61.3 years",
        "48.2–74.4",
        "63.5",
        "57.0",
        "+6.5",
        "female",
        "90% interval",
        "ab" * 32,
        "spineclock predict scans --out results",
        "2024-05-06 07:08",
        "torch 2.13.0",
        "1 ok",
    ):
        assert said in page.words, said
    assert "the training people's mean, to 61.3 years" in page.words
    assert "male sex" in page.words
    assert "8.04" in page.words
    assert "9123*" in page.words
    assert "Not all of it was in view" in page.words
    assert "lordosis, °" in page.words


def test_headings_tables_and_pictures_are_accessible() -> None:
    page = Page(html([entry("a"), entry("b")], [Failure("x", "ingest", "why")], run=RUN))
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels))
    assert all(th.get("scope") in ("col", "row") for th in page.all("th"))
    assert len(page.all("img")) == 6
    assert all(len(img.get("alt") or "") > 20 for img in page.all("img"))
    assert any("predicted 61.3" in (img["alt"] or "") for img in page.all("img"))
    ids = [a["id"] for _, a in page.tags if "id" in a]
    assert len(ids) == len(set(ids))
    assert {a["href"] for a in page.all("a")} >= {"#scan-1", "#scan-2", "#summary"}
    assert {(a["href"] or "")[1:] for a in page.all("a") if (a["href"] or "").startswith("#")} <= set(ids)


def test_nothing_is_fetched_and_no_script_runs() -> None:
    text = html([entry()], run=RUN)
    page = Page(text)
    assert "http:" not in text
    assert "https:" not in text
    assert "//" not in re.sub(r"base64,[A-Za-z0-9+/=]+", "", text)
    assert not page.all("script")
    assert not page.all("link")
    assert all((img["src"] or "").startswith("data:image/") for img in page.all("img"))
    policy = next(m["content"] or "" for m in page.all("meta") if m.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy
    assert "url(" not in text
    assert "@import" not in text


def test_words_from_files_are_escaped_everywhere() -> None:
    bad = '"><script>alert(1)</script><img src=x onerror=alert(2)>'
    measured = pd.DataFrame({bad: [bad]})
    prediction = replace(
        entry().prediction,
        contributions=(Contribution(bad, 1.0, 1.0),),
        note=bad,  # type: ignore[type-var]
        components={bad: 60.0, "measurements": 61.26},
    )
    hostile = entry(
        bad,
        source_name=bad,
        quality=Quality("check", (bad,)),
        folder=bad,
        measurements=measured,
        prediction=prediction,
        model=ModelInfo(bad, {bad: bad}, bad),
    )
    page = Page(html([hostile], [Failure(bad, "ingest", bad)], title=bad, run=RunInfo(bad, bad, bad, {bad: bad})))
    assert not page.all("script")
    assert len(page.all("img")) == 3
    assert not any("onerror" in a for _, a in page.tags)
    assert page.words.count("<script>alert(1)</script>") >= 12  # shown as text


def test_refused_scan_shows_reasons_and_remedy_and_never_an_age() -> None:
    reason = "2 vertebrae found; wanted: at least 4"
    refused = entry("r", quality=Quality("refused", (reason,)))  # even where a prediction was handed over
    page = Page(html([refused], run=RUN))
    assert page.words.count(reason) == 2  # in the summary and in the section
    assert "Why no age is given" in page.words
    assert Words().advice in page.words
    assert "61.3" not in page.words
    assert "63.5" not in page.words
    assert len(page.all("img")) == 1  # what was found is still shown


def test_check_shows_its_reasons_beside_the_age() -> None:
    page = Page(html([entry(quality=Quality("check", ("cropped above",)))], run=RUN))
    assert "Look at this before you use the age" in page.words
    assert page.words.index("cropped above") < page.words.index("Spine age 61.3")


def test_statement_stands_with_every_age() -> None:
    page = Page(html([entry("a"), entry("b"), entry("c", quality=Quality("refused", ("no",)))], run=RUN))
    assert page.words.count(STATEMENT) == 1 + 2  # on top, and in each section that gives an age
    assert page.words.index(STATEMENT) < page.words.index("61.3")


def test_what_is_missing_is_left_out_or_said() -> None:
    bare = ReportEntry("bare", "bare.nii.gz", Quality("check", ("no levels",)), ModelInfo("m"))
    page = Page(html([bare], run=RUN))
    assert not page.all("img")
    assert "No age was computed for this scan." in page.words
    assert "No measurements were recorded." in page.words
    assert "nan" not in page.words.lower()
    assert "None" not in page.words
    unknown = entry(age_years=None, sex="", prediction=replace(entry().prediction, gap_years=None, contributions=()))  # type: ignore[type-var]
    text = Page(html([unknown], run=RUN)).words
    assert "Gap, corrected − chronological —" in text
    assert "None" not in text


def test_failures_and_empty_runs_have_their_page() -> None:
    page = Page(html([], [Failure("broken.dcm", "ingest", "no pixel data; remedy: export again")], run=RUN))
    assert "1 failed" in page.words
    assert "broken.dcm ingest no pixel data; remedy: export again" in page.words
    assert "No scans." in Page(html([], run=RUN)).words


def test_large_runs_get_smaller_pictures_and_folded_sections() -> None:
    large = picture(700, 500)  # noise: about a megabyte
    one = entry(overlay=large)
    page = Page(html([one], run=RUN))
    sizes = [len(base64.b64decode((img["src"] or "").split(",")[1])) for img in page.all("img")]
    assert max(sizes) <= 150_000
    assert picture_budget([one]) == 150_000
    assert picture_budget([one] * 200) == 50_000
    many = [entry(f"s{n}", overlay=None, contributions=None, interval=None) for n in range(13)]
    folded = Page(html(many, run=RUN))
    assert folded.words.count("Age, pictures and measurements") == 13
    assert "quick to open" not in folded.words


def test_very_large_runs_keep_their_page_small(monkeypatch: pytest.MonkeyPatch) -> None:
    noise = picture(160, 120)  # about 58 kB
    many = [entry("s", overlay=noise, contributions=noise, interval=noise, measurements=None)] * 10
    for limit, kept in ((600_000, 30), (300_000, 10), (30_000, 0)):  # all; the overlays; none
        monkeypatch.setattr("spineclock.report.html.PICTURES_LIMIT_BYTES", limit)
        page = Page(html(many, run=RUN))
        sizes = [len(base64.b64decode((img["src"] or "").split(",")[1])) for img in page.all("img")]
        assert len(sizes) == kept
        assert sum(sizes) <= limit
        assert "the full ones lie in each scan's folder" in page.words


def test_long_tables_are_spread_by_structure() -> None:
    found = tables(entry().measurements)
    assert [t.title for t in found] == ["Discs", "Whole spine"]
    assert found[0].head == ("level", "height, mm", "volume, mm³")
    assert found[0].rows == (("L4/L5", "8.04", "9123*"), ("L5/S1", "—", ""))
    assert found[1].rows == (("lordosis, °", "42.4"),)
    assert found[1].note == ""
    assert tables(None) == tables(pd.DataFrame()) == ()


def test_written_page_is_the_text(tmp_path: Path) -> None:
    path = write_html(tmp_path / "report.html", [entry()], run=RUN)
    assert path.read_text(encoding="utf-8") == html([entry()], run=RUN)
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.parametrize("name", ["report.html.jinja", "scan.html.jinja", "report.css.jinja"])
def test_templates_come_with_the_package(name: str) -> None:
    from importlib.resources import files

    assert (files("spineclock.report") / "templates" / name).is_file()
