from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from spineclock.core.errors import TableError
from spineclock.core.findings import Findings, column, dense_names, empty_codes
from spineclock.normals.canberra import Vectors
from spineclock.normals.cluster import Clustering, Points
from spineclock.normals.cohort import NormalCohort, fit_normals
from spineclock.run import normals as command
from spineclock.run.normals import find, read_fitted, training
from spineclock.run.normals_page import section
from spineclock.run.settings import NormalsSettings

ONE_AFTER_ANOTHER = NormalsSettings(workers=1)


def laid_out(vectors: Vectors, how: Clustering, *, seed: int) -> Points:
    """A stand-in for UMAP that takes no time: bulges against osteophytes, scattered by the seed."""
    at = [dense_names().index(name) for name in (("lumbar", "disc_bulge", "mild"),
                                                 ("cervical", "disc_osteophyte_complex", "mild"))]  # fmt: skip
    scatter = np.random.default_rng(seed).normal(0, 0.1, (len(vectors), 2))
    return (5 * (vectors[:, at] > 0) + scatter).astype(np.float32)


@pytest.fixture
def people(monkeypatch: pytest.MonkeyPatch) -> tuple[Findings, pd.DataFrame]:
    """600 scans of 45-year-olds: nothing, bulges, or bulges and osteophytes; the last third is in the test set."""
    monkeypatch.setattr(command, "embed", laid_out)
    rng = np.random.default_rng(0)
    kind = rng.choice(3, 600, p=[0.3, 0.4, 0.3])
    codes = empty_codes(600)
    for row, of in enumerate(kind):
        codes[row, [column("disc_bulge", f"L{k}") for k in range(1, 1 + of * rng.integers(1, 3))]] = 1
        if of == 2:
            codes[row, column("disc_osteophyte_complex", "C5")] = 1
    ids = pd.Index([f"s{k}" for k in range(600)], name="scan_id")
    split = np.where(np.arange(600) % 3 < 2, "train", np.where(np.arange(600) % 2, "validation", "test"))
    return Findings(ids, codes), pd.DataFrame({"scan_id": ids, "age_years": 45.5, "split": split})


def test_only_training_scans_shape_the_cohort(people: tuple[Findings, pd.DataFrame]) -> None:
    findings, scans = people
    found = find(findings, scans, ONE_AFTER_ANOTHER, progress=False)
    taught = scans["split"] == "train"
    assert (found.labels["fitted"] == taught).all()
    assert found.fitted.cohort.brackets[0].n == taught.sum()
    alone = fit_normals(findings.take(scans.loc[taught, "scan_id"].to_list()), scans.loc[taught, "age_years"],
                        embedded={50: laid_out(findings.dense()[taught], Clustering(), seed=0)})  # fmt: skip
    assert found.fitted.cohort.as_dict() == alone.cohort.as_dict()
    codes = findings.codes.copy()
    codes[~taught] = codes[~taught][::-1]  # other reports of those who are not in training
    other = find(Findings(findings.scan_ids, codes), scans, ONE_AFTER_ANOTHER, progress=False)
    assert other.fitted.cohort.as_dict() == found.fitted.cohort.as_dict()


def test_the_rest_is_labelled_by_the_fit_in_the_tables_order(people: tuple[Findings, pd.DataFrame]) -> None:
    findings, scans = people
    settings = ONE_AFTER_ANOTHER.model_copy(update={"seeds": 3})
    mixed = scans.sample(frac=1, random_state=0).reset_index(drop=True)
    labels = find(findings, mixed, settings, progress=False).labels
    assert labels["scan_id"].to_list() == mixed["scan_id"].to_list()
    rest = mixed["split"] != "train"
    cohort = find(findings, mixed, settings, progress=False).fitted.cohort
    expected = cohort.label(findings.take(mixed.loc[rest, "scan_id"].to_list()), mixed.loc[rest, "age_years"])
    got = labels.loc[rest, expected.columns].reset_index(drop=True)
    pd.testing.assert_frame_equal(got, expected)
    assert labels["x"].notna().equals(labels["fitted"])
    # the stand-in's clusters are the kinds under any seed, so nobody's verdict wavers
    assert (labels["normal_probability"] == labels["normal"].astype(float)).all()


def test_without_training_scans_or_when_told_so_everyone_is_fitted(people: tuple[Findings, pd.DataFrame]) -> None:
    _, scans = people
    assert training(scans, ONE_AFTER_ANOTHER).sum() == 400
    assert training(scans, NormalsSettings(fit_on="all")).all()
    assert training(scans.assign(split="test"), ONE_AFTER_ANOTHER).all()
    assert training(scans.drop(columns="split"), ONE_AFTER_ANOTHER).all()
    assert training(scans.assign(split=[" Train", None] * 300), ONE_AFTER_ANOTHER).sum() == 300


def test_the_page_says_in_which_bracket_nobody_is_normal_and_who_took_no_part(
    people: tuple[Findings, pd.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    findings, scans = people
    told = section(find(findings, scans, ONE_AFTER_ANOTHER, progress=False), ONE_AFTER_ANOTHER)
    assert "200 further scans (not in training)" in told.text[1]
    assert not any("Nobody is normal" in caution for caution in told.caution)

    codes = empty_codes(600)
    for row in range(600):  # eight kinds of report, 12.5% each
        codes[row, [column("disc_bulge", f"L{k}") for k in range(1, 1 + row // 2 % 8)]] = 1

    def apart(vectors: Vectors, how: Clustering, *, seed: int) -> Points:
        scatter = np.random.default_rng(seed).normal(0, 0.1, (len(vectors), 2))
        return (np.outer(vectors.sum(axis=1), [10, 0]) + scatter).astype(np.float32)

    monkeypatch.setattr(command, "embed", apart)
    young = scans.assign(age_years=np.where(np.arange(600) % 2, 30.0, 45.5))
    several = find(Findings(findings.scan_ids, codes), young, ONE_AFTER_ANOTHER, progress=False)
    told = section(several, ONE_AFTER_ANOTHER)
    assert any("Nobody is normal in the brackets 30, 50: no cluster there has more than 15%" in c for c in told.caution)
    assert several.labels["normal"].sum() == 0


def test_a_file_that_is_no_fitted_cohort_is_refused_in_words(tmp_path: Path) -> None:
    kept = tmp_path / "normals.json"
    for text in ("nothing", "[1, 2]", json.dumps({"schema": "spineclock.normals/1"})):
        kept.write_text(text, encoding="utf-8")
        with pytest.raises(TableError, match="normals.json is no fitted cohort.*wanted: the normals.json of"):
            read_fitted(kept)
    kept.write_text(json.dumps(NormalCohort(Clustering(), 3, ()).as_dict() | {"versions": {}}), encoding="utf-8")
    assert read_fitted(kept).seed == 3
