"""Findings as the paper's terms."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from spineclock.core.errors import TableError, UsageError
from spineclock.core.findings import CONDITIONS, Findings, column, empty_codes
from spineclock.stats.association.paper import PaperEffects, paper_block, paper_columns
from spineclock.stats.association.paper_terms import PAPER_BLOCKS
from spineclock.stats.association.terms import Category, category_columns

BULGES = [
    Category("disc_bulge", "mild", 2, "lumbar"),
    Category("disc_bulge", "moderate", 1, "lumbar"),
    Category("disc_bulge", "severe", 0, "lumbar"),
]


def counts(*rows: tuple[int, int, int]) -> dict[str, pd.DataFrame]:
    columns = pd.MultiIndex.from_tuples([("disc_bulge", s) for s in ("mild", "moderate", "severe")])
    return {"lumbar": pd.DataFrame(list(rows), columns=columns)}


@pytest.mark.parametrize(
    ("levels", "counted"),
    [
        ((3, 0, 0), [1, 0, 0]),
        ((2, 0, 0), [0, 0, 0]),  # more than two is asked for
        ((3, 1, 0), [1, 0, 0]),  # one moderate level reaches no category, so mild is the most severe reached
        ((3, 2, 0), [0, 1, 0]),
        ((3, 2, 1), [0, 0, 1]),
        ((0, 0, 1), [0, 0, 1]),
        ((0, 0, 0), [0, 0, 0]),
    ],
)
def test_each_counts_only_in_the_most_severe_category_it_reaches(levels, counted):
    assert category_columns(counts(levels), BULGES).to_numpy().tolist() == [counted]


def test_levels_that_are_worse_count_too_where_asked():
    found = category_columns(counts((2, 1, 0), (1, 1, 1)), BULGES, or_worse=True)
    assert found.to_numpy().tolist() == [[1, 0, 0], [0, 0, 1]]
    assert category_columns(counts((2, 1, 0)), BULGES).to_numpy().tolist() == [[0, 0, 0]]


def test_a_category_of_any_degree_adds_them_up_and_order_does_not_matter():
    any_degree = Category("disc_bulge", "", 2, "lumbar")
    assert category_columns(counts((1, 1, 1), (1, 1, 0)), [any_degree])["lumbar_disc_bulge"].to_list() == [1, 0]
    forward, backward = (category_columns(counts((3, 2, 0), (4, 0, 1)), b) for b in (BULGES, BULGES[::-1]))
    pd.testing.assert_frame_equal(forward, backward[forward.columns])


def test_words():
    assert [c.words for c in BULGES] == [
        "mild disc bulge at more than 2 lumbar levels",
        "moderate disc bulge at more than 1 lumbar level",
        "severe disc bulge at any lumbar level",
    ]
    assert Category("desiccation", "near complete", 0, "cervical").key == "cervical_desiccation_near_complete"


def test_wrong_categories_and_counts_are_named():
    with pytest.raises(UsageError, match="a category of 'fracture'"):
        Category("fracture", "", 0, "lumbar")
    with pytest.raises(UsageError, match="the category 'awful', more than 0 levels, 'lumbar'"):
        Category("disc_bulge", "awful", 0, "lumbar")
    with pytest.raises(UsageError, match="the category lumbar_disc_bulge_mild twice"):
        category_columns(counts((1, 0, 0)), [BULGES[0], BULGES[0]])
    with pytest.raises(UsageError, match="lumbar_disc_bulge_mild beside lumbar_disc_bulge of any degree"):
        category_columns(counts((1, 0, 0)), [BULGES[0], Category("disc_bulge", "", 0, "lumbar")])
    with pytest.raises(TableError, match="no counts of the cervical region"):
        category_columns(counts((1, 0, 0)), [Category("disc_bulge", "mild", 2, "cervical")])
    with pytest.raises(TableError, match="counts of the lumbar region without protrusion mild"):
        category_columns(counts((1, 0, 0)), [Category("protrusion", "mild", 1, "lumbar")])


def test_the_papers_tables_are_whole():
    terms = [t for b in PAPER_BLOCKS for t in b.terms]
    assert [len(b.terms) for b in PAPER_BLOCKS] == [14, 9, 7, 14, 10]
    assert Counter(t.key for t in terms).most_common(1)[0][1] == 1
    assert [sum(t.starred for t in b.terms) for b in PAPER_BLOCKS] == [5, 6, 5, 4, 1]  # ∗ counted in the source
    for t in terms:
        assert t.low_years < t.effect_years < t.high_years
        middle = (t.low_years + t.high_years) / 2
        assert t.effect_years == pytest.approx(middle, abs=0.011)  # as intervals are, to the printed digits
        if t.category:
            assert t.printed.endswith(f"(No.{t.category.more_than})")
            assert (t.category.severity or t.printed.split()[0].lower()).lower() in t.printed.lower()


def test_findings_become_the_papers_columns():
    codes = empty_codes(3)
    for level in ("L1", "L2", "L3"):
        codes[0, column("disc_bulge", level)] = 1
    codes[0, column("disc_bulge", "C4")] = 3
    codes[1, column("endplate_change", "T5")] = 2
    codes[1, column("annular_fissure", "L5")] = 1
    codes[2, [column("fracture", "L1"), column("fracture"), column("scoliosis")]] = 1
    found = paper_columns(Findings(pd.Index(["a", "b", "c"], name="scan_id"), codes))
    held = {scan: list(found.columns[row > 0]) for scan, row in zip(found.index, found.to_numpy(), strict=True)}
    assert held == {
        "a": ["lumbar_disc_bulge_mild", "cervical_disc_bulge_severe"],
        "b": ["lumbar_annular_fissure", "thoracic_endplate_change"],
        "c": ["scoliosis", "fracture"],
    }


@pytest.fixture(scope="module")
def study() -> pd.DataFrame:
    """A cohort of the paper's size whose gaps hold the paper's effects of the structural block and lifestyle."""
    rng = np.random.default_rng(0)
    n = 8528
    t = pd.DataFrame({"person_id": np.r_[np.arange(8200), np.arange(328)], "age_years": rng.uniform(25, 85, n)})
    t["sex"], t["site"] = rng.choice(["F", "M"], n), rng.choice(list("ABCDEFGHIJ"), n)
    t["gap_years"] = rng.normal(0, 4.7, n)
    for term in (term for b in PAPER_BLOCKS for term in b.terms):
        if "=" not in term.key:
            t[term.key] = (rng.permutation(n) < term.n).astype(int)
            t["gap_years"] += term.effect_years * t[term.key] if term.key in CONDITIONS else 0
    t["work"] = rng.permutation(np.repeat(["light", "moderate", "heavy"], [n - 1489, 1001, 488]))
    t["exercise"] = rng.permutation(np.repeat(["none", "moderate", "vigorous"], [n - 6431, 2146, 4285]))
    return t


def test_the_papers_models_on_a_cohort_of_its_size(study):
    found = PaperEffects()(study)
    assert len(found) == 2 * 54
    structural = found[(found["block"] == PAPER_BLOCKS[1].name) & (found["adjusted_for"] != "")]
    assert structural["printed"].to_list() == [t.printed for t in PAPER_BLOCKS[1].terms]
    assert (np.abs(structural["estimate"] - structural["paper_estimate"]) < 4 * structural["se"]).all()
    # the intervals are as wide as the paper's, whose counts and spread these are
    ratio = (structural["high"] - structural["low"]) / (structural["paper_high"] - structural["paper_low"])
    assert ratio.between(0.8, 1.25).all()
    assert (found.loc[found["key"] == "work=heavy", "n_with"] == 488).all()


def test_a_block_is_taken_where_its_columns_are(study):
    found = PaperEffects(covariates=())(study[["person_id", "gap_years", *paper_block("Lifestyle factors").columns]])
    assert found["key"].to_list() == [t.key for t in paper_block("Lifestyle factors").terms]
    assert found["paper_estimate"].to_list() == [0.93, 0.08, -0.01, 0.29, 0.67, -0.40, -0.79]
    with pytest.raises(TableError, match="the columns of no block of the paper"):
        PaperEffects()(study[["person_id", "gap_years"]])
    with pytest.raises(UsageError, match="no block is called 'Diet'"):
        PaperEffects(blocks=("Diet",))(study)
    with pytest.raises(TableError, match=r"without the column\(s\) fracture"):
        PaperEffects(blocks=(PAPER_BLOCKS[1].name,))(study.drop(columns="fracture"))
