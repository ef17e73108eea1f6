"""The phantom's people beside what they are held to: the spine-age paper's tables and published prevalences."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from spineclock.core.brackets import BRACKETS, bracket
from spineclock.core.findings import LEVELS, Findings, columns_of, dense_names
from spineclock.phantom.parameters import Parameters
from spineclock.phantom.people import People
from spineclock.stats.association.paper import paper_columns
from spineclock.stats.association.paper_terms import PAPER_BLOCKS

Flags = npt.NDArray[np.bool_]
FULL_TEST = 8528
"""Scans in the paper's full test set: the abnormal ones and a tenth of the normal ones."""
NORMAL_TESTED = 1069 / 10611
"""Share of the paper's normal scans that are in the full test set."""
_LUMBAR_BULGE = ("lumbar", "disc_bulge", "mild")
_USUAL = (_LUMBAR_BULGE, ("cervical", "disc_bulge", "mild"), ("cervical", "disc_osteophyte_complex", "mild"))
_USUAL_FROM_75 = ("cervical", "uncovertebral_osteophyte", "mild")


def atypical(reported: Findings, age_years: npt.ArrayLike) -> Flags:
    """Whether a report names anything but what the paper's section 4.1 finds usual, (scans,).

    Usual are mild bulges of the loins and the neck, mild cervical osteophyte complexes, and from 75 on mild
    uncovertebral osteophytes. It stands for the paper's clusters, which a phantom alone has not.
    """
    there = reported.dense() > 0
    names = dense_names()
    unusual = np.array([name not in (*_USUAL, _USUAL_FROM_75) for name in names])
    early = there[:, names.index(_USUAL_FROM_75)] & (np.asarray(age_years) < 75)
    return np.asarray(there[:, unusual].any(axis=1) | early)


def full_test_like(some: People, *, rng: np.random.Generator) -> Flags:
    """Which scans are in a set made up as the paper's full test set: all atypical ones, a tenth of the others."""
    other = rng.random(len(some.table)) < NORMAL_TESTED
    return atypical(some.reported, some.table["age_years"]) | other


def prevalences(some: People, parameters: Parameters) -> pd.DataFrame:
    """Per cent of scans with each lumbar finding at any level in the images, by bracket, beside what is wanted.

    One row a finding and bracket: finding, bracket, wanted, found, n.
    """
    age = bracket(some.table["age_years"])
    lumbar = [k for k, level in enumerate(LEVELS) if level.startswith("L")]
    grades = {"degeneration": some.attributes.pfirrmann, "height_loss": some.attributes.height_loss,
              "facet": some.attributes.facet}  # fmt: skip
    rows = []
    for name in BRINJIKJI:
        if name in grades:
            held = np.asarray((grades[name][:, lumbar] > (2 if name == "degeneration" else 0)).any(axis=1))
        else:
            held = np.asarray((some.imaging.codes[:, columns_of(name, "lumbar")] > 0).any(axis=1))
        wanted = dict(zip(parameters.imaging.ages_years, parameters.imaging.lumbar[name].any, strict=True))
        for decade in BRACKETS:
            among = held[age == decade]
            rows.append((name, decade, wanted[decade], 100 * among.mean(), len(among)))
    return pd.DataFrame(rows, columns=["finding", "bracket", "wanted", "found", "n"])


BRINJIKJI = (
    "degeneration", "desiccation", "height_loss", "disc_bulge", "protrusion", "annular_fissure", "facet",
    "spondylolisthesis",
)  # fmt: skip
"""Rows of Brinjikji et al.'s table that the phantom has; desiccation is its signal loss."""


def reported_counts(some: People, full: Flags) -> pd.DataFrame:
    """How many of 8,528 scans of a full-test-like set have each term of the paper's models, beside the paper.

    Columns: block, key, name, paper, found, paper_years, found_years. The last is the linear effect on the true
    gap in that set, as the paper's models have it (each block one model, nothing adjusted for).
    """
    findings = paper_columns(some.reported).reset_index(drop=True)
    table = pd.concat([some.table, findings], axis=1)[full]
    gap = some.truth["true_gap_years"].to_numpy()[full]
    scale = FULL_TEST / len(table)
    rows = []
    for block in PAPER_BLOCKS:
        held = np.column_stack([_values(table, term.key) for term in block.terms])
        years = np.linalg.lstsq(np.column_stack([np.ones(len(held)), held]), gap, rcond=None)[0][1:]
        for k, term in enumerate(block.terms):
            found = scale * float((held[:, k] > 0).sum())
            rows.append((block.name, term.key, term.name, term.n, found, term.effect_years, years[k]))
    columns = ["block", "key", "name", "paper", "found", "paper_years", "found_years"]
    return pd.DataFrame(rows, columns=columns)


def _values(table: pd.DataFrame, key: str) -> npt.NDArray[np.float64]:
    name, _, level = key.partition("=")
    values = table[name] == level if level else table[name]
    return np.asarray(values.to_numpy(dtype=np.float64))


def structure(some: People) -> pd.DataFrame:
    """Shares of reports by bracket, in per cent, as the paper's section 4.1 tells of clusters.

    Columns: bracket, none (no finding), bulges (one to three mild lumbar bulges, nothing else), any_bulge (mild
    lumbar bulges, whatever else), atypical.
    """
    age = some.table["age_years"].to_numpy()
    dense = some.reported.dense()
    at = dense_names().index(_LUMBAR_BULGE)
    bulges, others = dense[:, at], np.delete(dense, at, axis=1)
    shares = pd.DataFrame(
        {
            "bracket": bracket(age),
            "none": (dense == 0).all(axis=1),
            "bulges": (bulges >= 1) & (bulges <= 3) & (others == 0).all(axis=1),
            "any_bulge": bulges > 0,
            "atypical": atypical(some.reported, age),
        }
    )
    return shares.groupby("bracket").mean().mul(100).reset_index()


def ages_and_sexes(some: People, parameters: Parameters) -> pd.DataFrame:
    """Scans by bracket and sex, beside Table 1's shares of as many: bracket, sex, wanted, found."""
    who = parameters.who
    total = sum(who.men) + sum(who.women)
    found = some.table.groupby([bracket(some.table["age_years"]), "sex"]).size()
    rows = [
        (decade, sex, counts[k] / total * len(some.table), int(found.get((decade, sex), 0)))
        for sex, counts in (("M", who.men), ("F", who.women))
        for k, decade in enumerate(BRACKETS)
    ]
    return pd.DataFrame(rows, columns=["bracket", "sex", "wanted", "found"])
