from __future__ import annotations

import json
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist

from spineclock.core.errors import TableError, UsageError
from spineclock.core.findings import Findings, column, dense_names, empty_codes
from spineclock.normals.canberra import distances, distinct, neighbours
from spineclock.normals.cluster import OUTLIER, Clustering, clusters, direct_clusters, embed
from spineclock.normals.cohort import Fitted, NormalCohort, fit_normals
from spineclock.normals.naming import cluster_name
from spineclock.normals.stability import direct, stability, sweep

pytestmark = pytest.mark.slow  # UMAP compiles itself for ten seconds and more
KINDS = ("nothing", "lumbar bulges", "lumbar bulges and neck osteophytes", "many")


def planted(n: int, *, seed: int = 0) -> tuple[Findings, np.ndarray]:
    """Reports of four kinds, as the paper describes its clusters, and which kind each is of."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(4, n, p=[0.32, 0.38, 0.25, 0.05])
    codes = empty_codes(n)
    lumbar, neck = [f"L{k}" for k in range(1, 6)], [f"C{k}" for k in range(3, 8)]
    for row, of in enumerate(kind):
        if of in (1, 2):
            for level in rng.choice(lumbar, rng.integers(1, 4), replace=False):
                codes[row, column("disc_bulge", level)] = 1
        if of == 2:
            for level in rng.choice(neck, rng.integers(1, 4), replace=False):
                codes[row, column("disc_osteophyte_complex", level)] = 1
        if of == 3:
            for condition in rng.choice(
                ["protrusion", "desiccation", "extrusion", "endplate_change"], 3, replace=False
            ):
                codes[row, column(condition, rng.choice(lumbar))] = rng.integers(1, 3)
            codes[row, column(rng.choice(["fracture", "spinal_stenosis"]))] = 1
    return Findings(pd.Index([f"s{k}" for k in range(n)], name="scan_id"), codes), kind


@pytest.fixture(scope="module")
def fitted() -> tuple[Findings, np.ndarray, Fitted]:
    findings, kind = planted(600)
    return findings, kind, fit_normals(findings, np.full(600, 40.0), seed=0)


def test_distances_are_scipys_canberra() -> None:
    rng = np.random.default_rng(1)
    a, b = (rng.integers(0, 4, (n, 12)).astype(np.float32) for n in (30, 40))
    np.testing.assert_allclose(distances(a, b), cdist(a, b, "canberra"), rtol=1e-6)


def test_the_papers_own_example_of_the_distance() -> None:
    first, second, third = np.zeros((3, 1, 67), np.float32)
    first[0, 0], second[0, 0], third[0, [0, 63]] = 3, 4, [3, 1]
    assert distances(first, second)[0, 0] == pytest.approx(1 / 7)
    assert distances(first, third)[0, 0] == pytest.approx(1)


def test_neighbours_are_the_nearest_also_where_many_reports_are_the_same() -> None:
    rng = np.random.default_rng(2)
    vectors = rng.integers(0, 3, (300, 3)).astype(np.float32)  # 27 different ones at most
    vectors[:3] = [[9, 8, 7], [1, 9, 9], [5, 5, 5]]  # and some that are alone
    found = neighbours(vectors, 10)
    apart = cdist(vectors, vectors, "canberra")
    np.testing.assert_array_equal(found.rows[:, 0], np.arange(300))
    np.testing.assert_allclose(np.take_along_axis(apart, found.rows, 1), found.distances, rtol=1e-6)
    np.testing.assert_allclose(np.sort(found.distances, 1), np.sort(apart, 1)[:, :10], rtol=1e-6)
    assert all(len(set(row)) == 10 for row in found.rows)
    assert (neighbours(vectors, 10).rows == found.rows).all()


def test_the_same_reports_do_not_all_name_the_same_few() -> None:
    rows = neighbours(np.zeros((500, 67), np.float32), 15).rows
    assert np.bincount(rows.ravel(), minlength=500).max() < 60  # in their order, 14 of them would be named 500 times


def test_different_vectors_stand_once_each_with_their_counts() -> None:
    found = distinct(np.array([[1, 0], [0, 1], [1, 0]], np.float32))
    assert found.counts.tolist() == [1, 2]
    np.testing.assert_array_equal(found.vectors[found.of_row], [[1, 0], [0, 1], [1, 0]])


def test_planted_kinds_come_back_with_their_names(fitted: tuple[Findings, np.ndarray, Fitted]) -> None:
    _, kind, found = fitted
    table, cluster = found.cohort.clusters(), found.labels["cluster"].to_numpy()
    for number in table.loc[table["normal"], "cluster"]:  # each is of one kind
        assert np.bincount(kind[cluster == number]).max() > 0.95 * (cluster == number).sum()
    names = table["name"].to_list()
    assert "no finding" in table.loc[table["normal"], "name"].to_list()
    assert any(name.endswith("mild lumbar disc bulges") and "cervical" not in name for name in names)
    assert any("cervical disc osteophyte complex" in name and "lumbar disc bulge" in name for name in names)
    normal = found.labels["normal"].to_numpy(dtype=bool)
    assert normal[kind == 0].all()
    assert normal[kind == 3].mean() < 0.05


def test_normal_is_what_more_than_fifteen_percent_have(fitted: tuple[Findings, np.ndarray, Fitted]) -> None:
    table = fitted[2].cohort.clusters()
    assert (
        table.loc[table["cluster"] != OUTLIER, "normal"] == (table.loc[table["cluster"] != OUTLIER, "share"] > 0.15)
    ).all()
    assert not table.loc[table["cluster"] == OUTLIER, "normal"].any()
    assert table["share"].sum() == pytest.approx(1)


def test_people_the_fit_saw_get_their_own_clusters_and_the_file_tells_all(
    fitted: tuple[Findings, np.ndarray, Fitted],
) -> None:
    findings, _, found = fitted
    again = found.cohort.label(findings, np.full(600, 40.0))
    assert (again["normal"] == found.labels["normal"]).mean() > 0.98
    kept = NormalCohort.from_dict(json.loads(json.dumps(found.cohort.as_dict())))
    pd.testing.assert_frame_equal(kept.label(findings, np.full(600, 40.0)), again)


def test_new_people_are_labelled_by_the_fit_and_do_not_change_it(fitted: tuple[Findings, np.ndarray, Fitted]) -> None:
    findings, _, _ = fitted
    cohort = fitted[2].cohort
    new, _ = planted(300, seed=9)
    ages = np.full(300, 40.0)
    ages[:2] = [20, 60]
    labels = cohort.label(new, ages)
    assert labels["normal"].isna().to_list()[:3] == [True, True, False]
    assert labels.loc[0, "reason"] == "age outside the fitted brackets"
    votes: dict[bytes, list[int]] = {}
    for vector, number in zip(findings.dense(), fitted[2].labels["cluster"], strict=True):
        votes.setdefault(vector.tobytes(), []).append(number)
    dense = new.dense()
    known = [k for k, vector in enumerate(dense) if vector.tobytes() in votes and k > 1]
    assert len(known) > 200
    for k in known:  # a report the fit has seen gets the cluster most of those are in
        of_it = votes[dense[k].tobytes()]
        assert of_it.count(labels.loc[k, "cluster"]) == max(map(of_it.count, of_it))
    one_by_one = pd.concat([cohort.label(new.take([s]), [40.0]) for s in new.scan_ids[2:30]], ignore_index=True)
    pd.testing.assert_frame_equal(one_by_one, labels.iloc[2:30].reset_index(drop=True))  # nobody else matters


def test_with_umaps_own_neighbours_plain_reports_get_the_same_verdicts(
    fitted: tuple[Findings, np.ndarray, Fitted],
) -> None:
    """Left alone umap-learn finds them itself; ties between equal reports fall as its sorting has them.

    Which kinds between nothing and many are normal hangs on UMAP's seed, whoever finds the neighbours.
    """
    import umap

    findings, kind, found = fitted
    how = Clustering()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        alone = umap.UMAP(n_neighbors=15, min_dist=0.0, metric="canberra", random_state=0).fit_transform(
            findings.dense()
        )
    label = clusters(alone, how, bracket=40)
    large = np.bincount(label + 1) > how.normal_share * len(label)
    large[0] = False  # the outliers
    for normal in (large[label + 1], found.labels["normal"].to_numpy(dtype=bool)):
        assert normal[kind == KINDS.index("nothing")].all()
        assert not normal[kind == KINDS.index("many")].any()


def test_a_bracket_in_which_all_reports_are_the_same_is_one_normal_cluster() -> None:
    findings = Findings(pd.Index([f"s{k}" for k in range(60)], name="scan_id"), empty_codes(60))
    found = fit_normals(findings, np.full(60, 30.0))
    assert found.cohort.clusters().loc[0, "name"] == "no finding"
    assert found.labels["normal"].all()  # UMAP scatters them, and HDBSCAN alone calls 70% of them abnormal


def test_equal_reports_get_equal_verdicts_and_the_fit_tells_them_again() -> None:
    findings, _ = planted(300, seed=4)
    cut = np.random.default_rng(0).normal(0, 0.2, (300, 2)).astype(np.float32)
    cut[:, 0] += 5 * (np.arange(300) % 3 == 0)  # a plane that tears equal reports apart
    found = fit_normals(findings, np.full(300, 40.0), embedded={40: cut})
    of_report = pd.Series(found.labels["cluster"].to_numpy()).groupby(distinct(findings.dense()).of_row)
    assert of_report.nunique().max() == 1
    again = found.cohort.label(findings, np.full(300, 40.0))
    assert (again["cluster"] == found.labels["cluster"]).all()
    table = found.cohort.clusters().set_index("cluster")["n"]
    assert table.drop(OUTLIER).is_monotonic_decreasing
    assert table[0] == (found.labels["cluster"] == 0).sum()


def test_the_same_seed_gives_the_same_plane_and_another_one_another() -> None:
    dense = planted(150)[0].dense()
    how = Clustering()
    first = embed(dense, how, seed=3)
    np.testing.assert_array_equal(first, embed(dense, how, seed=3))
    assert np.abs(first - embed(dense, how, seed=4)).max() > 0.1


def test_clusters_are_numbered_by_size_and_the_merging_distance_is_the_brackets() -> None:
    rng = np.random.default_rng(0)
    at = np.array([[0, 0], [0.8, 0], [20, 0]])[np.repeat([0, 1, 2], [100, 60, 40])]
    points = (at + rng.normal(0, 0.05, at.shape)).astype(np.float32)
    merged = clusters(points, Clustering(), bracket=30)  # below 1.0 apart
    apart = clusters(points, Clustering(), bracket=80)  # below 0.3
    assert np.bincount(merged[merged >= 0]).tolist() == [160, 40]
    assert len(np.unique(apart[apart >= 0])) >= 3
    with pytest.raises(TableError, match="the bracket 20; wanted: one of 30"):
        clusters(points, Clustering(), bracket=20)


def test_clusters_without_a_plane_find_the_planted_kinds_too() -> None:
    findings, kind = planted(400)
    label = direct_clusters(findings.dense(), Clustering())
    assert len(set(label[kind == 0])) == 1


def test_stability_counts_who_changes_sides() -> None:
    first = pd.DataFrame(
        {
            "bracket": [30] * 4 + [40] * 2,
            "cluster": [0, 0, 1, 1, 0, 0],
            "normal": [True, True, False, False, True, True],
        }
    )
    second = first.assign(cluster=[0, 1, 1, 1, 0, 0], normal=[True, False, False, False, True, True])
    found = stability([first, second])
    table = found.brackets.set_index("bracket")
    assert table.loc[30, "flips"] == 0.25
    assert table.loc[0, "flips"] == pytest.approx(1 / 6)
    assert table.loc[40, "adjusted_rand"] == 1
    assert table.loc[30, "adjusted_rand"] == pytest.approx(0)  # one of four moved: no better than chance
    assert found.normal_probability.tolist() == [1, 0.5, 0, 0, 1, 1]


def test_the_sweep_and_the_comparison_have_a_row_each(fitted: tuple[Findings, np.ndarray, Fitted]) -> None:
    findings, _, found = fitted
    plane = found.labels[["x", "y"]].to_numpy(dtype=np.float32)
    table = sweep({40: plane}, found.cohort.how, shares=(0.02, 0.05, 0.2))
    assert table["clusters"].is_monotonic_decreasing
    chosen = table.loc[table["min_cluster_share"] == 0.05, "abnormal"].iloc[0]
    assert chosen == pytest.approx(1 - found.labels["normal"].mean())
    beside = direct(findings, np.full(600, 40.0), found.cohort.how, labels=found.labels)
    assert 0 <= beside.loc[0, "same_verdict"] <= 1
    assert beside.loc[0, "bracket"] == 40


def test_names_say_what_most_have() -> None:
    assert len(dense_names()) == 67
    members = np.zeros((10, 67), np.float32)
    members[:, 60] = 1
    members[:4, 0] = 2
    assert cluster_name(members) == "bone lesion"
    few = np.zeros((10, 67), np.float32)
    few[:5, 0], few[5:, 1] = 1, 1
    assert cluster_name(few) == "no finding that most have"


def test_too_few_people_are_refused_in_words() -> None:
    with pytest.raises(TableError, match="10 scans, in no age bracket 45 of them"):
        fit_normals(planted(10)[0], np.full(10, 40.0))
    with pytest.raises(TableError, match="10 reports; wanted: at least 45"):
        embed(planted(10)[0].dense(), Clustering(), seed=0)
    with pytest.raises(TableError, match="schema 'other'"):
        NormalCohort.from_dict({"schema": "other"})
    with pytest.raises(UsageError, match="one age a scan"):
        NormalCohort(Clustering(), 0, ()).label(planted(10)[0], [40.0])
