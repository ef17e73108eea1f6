"""``spineclock normals``: which findings are typical for an age, and who has others."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from spineclock.core.brackets import BRACKETS, bracket
from spineclock.core.errors import TableError
from spineclock.core.findings import Findings
from spineclock.ingest.cohort import read_cohort
from spineclock.ingest.findings import read_findings
from spineclock.normals.canberra import Vectors
from spineclock.normals.cluster import Clustering, Points, embed
from spineclock.normals.cohort import Fitted, NormalCohort, fit_normals
from spineclock.normals.stability import direct, stability, sweep
from spineclock.report.study_page import write_folder
from spineclock.run.normals_page import Found, section
from spineclock.run.outputs import command, plain, require_room, versions, write_json, write_text
from spineclock.run.settings import NormalsSettings

log = logging.getLogger(__name__)


def normals(findings: Path, settings: NormalsSettings, *, cohort: Path, out: Path) -> int:
    """Clusters the findings of a cohort and writes ``out``: normals.csv, clusters.csv, figures, the fitted cohort.

    With ``settings.fitted`` nothing is fitted: the people get the labels of an earlier cohort. Returns the exit status.
    """
    begun = datetime.now(UTC)
    require_room(out, mark="normals.csv", what="earlier normals", overwrite=settings.overwrite)
    held, people = read_findings(findings), read_cohort(cohort).table
    scans, left_out = aged(people, held)
    out.mkdir(parents=True, exist_ok=True)
    if settings.fitted is not None:
        labels = read_fitted(settings.fitted).label(held.take(scans["scan_id"].to_list()), scans["age_years"])
        labels = labels.assign(fitted=False)
    else:
        found = find(held, scans, settings, progress=True)
        labels = found.labels
        write_folder(out, [section(found, settings)])
        told = found.fitted.cohort.as_dict() | {"versions": _versions()}
        write_text(out / "normals.json", json.dumps(told) + "\n")
        found.fitted.cohort.clusters().to_csv(out / "clusters.csv", index=False, float_format="%.6g")
    labels.insert(1, "person_id", scans["person_id"].to_numpy() if "person_id" in scans else labels["scan_id"])
    labels.to_csv(out / "normals.csv", index=False, float_format="%.6g")
    left_out.to_csv(out / "left_out.csv", index=False)
    run = {"schema": "spineclock.normals-run/1", "command": command(), "begun": begun.isoformat(timespec="seconds"),
           "ended": datetime.now(UTC).isoformat(timespec="seconds"), "versions": _versions(),
           "settings": settings.model_dump(mode="json"), "scans": len(labels),
           "fitted_on": int(labels["fitted"].sum()), "left_out": len(left_out)}  # fmt: skip
    write_json(out / "run.json", plain(run))
    return 0


def read_fitted(path: Path) -> NormalCohort:
    """The cohort in a normals.json; a TableError if it is none."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return NormalCohort.from_dict(told)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TableError(
            f"{path.name} is no fitted cohort ({error or type(error).__name__})",
            wanted="the normals.json of `spineclock normals`",
        ) from error


def aged(people: pd.DataFrame, findings: Findings) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The people's rows that can be clustered (age in a bracket, findings on record), and the others with the reason.

    Raises
    ------
    TableError
        If the people's table has no scan_id, or no scan is in both.
    """
    if "scan_id" not in people:
        raise TableError("a people's table without scan_id", wanted="one row a scan, named as in the findings")
    known = people["scan_id"].isin(findings.scan_ids).to_numpy()
    ages = people["age_years"].to_numpy(dtype=float)
    reason = np.select(
        [~known, np.isnan(ages), bracket(np.nan_to_num(ages)) == 0],
        ["no findings on record", "no age", "age outside 25–84 years"],
        "",
    )
    nobody = findings.scan_ids[~findings.scan_ids.isin(people["scan_id"])]
    left_out = pd.DataFrame(
        {
            "scan_id": np.r_[people["scan_id"].to_numpy(dtype=object)[reason != ""], nobody.to_numpy(dtype=object)],
            "reason": np.r_[reason[reason != ""], np.full(len(nobody), "no row in the people's table")],
        }
    )
    scans = people[reason == ""].reset_index(drop=True)
    if scans.empty:
        raise TableError("no scan with findings and an age of 25 to 84 years", wanted="the same scan_id in both tables")
    return scans, left_out


def find(findings: Findings, scans: pd.DataFrame, settings: NormalsSettings, *, progress: bool) -> Found:
    """Embeds every bracket under every seed, clusters, compares, and labels who took no part.

    Where the table of scans has a column ``split`` with training scans, these alone are fitted (``settings.fit_on``).
    """
    taught = training(scans, settings)
    every, scans = scans, scans[taught].reset_index(drop=True)
    how = Clustering(min_cluster_share=settings.min_cluster_share)
    held = findings.take(scans["scan_id"].to_list())
    of, dense = bracket(scans["age_years"]), held.dense()
    wanted = [b for b in BRACKETS if (of == b).sum() >= 3 * how.n_neighbors]
    tasks = [(seed, b) for seed in range(settings.seed, settings.seed + settings.seeds) for b in wanted]
    with _bar(len(tasks), shown=progress) as advance:
        planes = _embedded({b: dense[of == b] for b in wanted}, tasks, how, workers=settings.workers, report=advance)
    runs = [
        fit_normals(held, scans["age_years"], how=how, seed=seed, embedded={b: planes[seed, b] for b in wanted})
        for seed in range(settings.seed, settings.seed + settings.seeds)
    ]
    first = {b: planes[settings.seed, b] for b in wanted}
    return Found(
        runs[0],
        _everyone(runs, findings, every, taught),
        stability([run.labels for run in runs]) if len(runs) > 1 else None,
        sweep(first, how),
        direct(held, scans["age_years"], how, labels=runs[0].labels) if settings.direct else None,
    )


def training(scans: pd.DataFrame, settings: NormalsSettings) -> npt.NDArray[np.bool_]:
    """Which scans the cohort is fitted on: those in training where the table tells of any, else all."""
    if settings.fit_on == "all" or "split" not in scans:
        return np.ones(len(scans), dtype=bool)
    taught = (scans["split"].astype("string").fillna("").str.strip().str.lower() == "train").to_numpy(dtype=bool)
    return taught if taught.any() else ~taught


def _everyone(
    runs: Sequence[Fitted], findings: Findings, scans: pd.DataFrame, taught: npt.NDArray[np.bool_]
) -> pd.DataFrame:
    """The labels of all scans in their order, and with several seeds how often each is normal."""
    rest = scans[~taught]
    others = findings.take(rest["scan_id"].to_list())
    told = [
        pd.concat(
            [run.labels.assign(fitted=True), run.cohort.label(others, rest["age_years"]).assign(fitted=False)],
            ignore_index=True,
        ) if len(rest) else run.labels.assign(fitted=True)
        for run in runs
    ]  # fmt: skip
    order = np.argsort(np.r_[np.flatnonzero(taught), np.flatnonzero(~taught)])
    labels = told[0].iloc[order].reset_index(drop=True)
    if len(runs) > 1:
        normal = np.stack([table["normal"].to_numpy(dtype=float, na_value=np.nan) for table in told])
        labels["normal_probability"] = normal.mean(axis=0)[order]
    return labels


def _versions() -> dict[str, str]:
    return versions() | {name: version(name) for name in ("pandas", "numba", "umap-learn", "hdbscan")}


def _embedded(
    vectors: Mapping[int, Vectors],
    tasks: Sequence[tuple[int, int]],
    how: Clustering,
    *,
    workers: int,
    report: Callable[[], None],
) -> dict[tuple[int, int], Points]:
    """The plane of each (seed, bracket); seeded UMAP uses one thread, so brackets are laid out side by side."""
    planes: dict[tuple[int, int], Points] = {}
    largest_first = sorted(tasks, key=lambda task: -len(vectors[task[1]]))
    if workers > 1:
        try:
            with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
                waiting = {pool.submit(embed, vectors[b], how, seed=seed): (seed, b) for seed, b in largest_first}
                for done in as_completed(waiting):
                    planes[waiting[done]] = done.result()
                    report()
        except BrokenProcessPool:  # as in a script that does all its work at import; then one after another
            log.info("brackets cannot be laid out side by side here")
    for seed, b in largest_first:
        if (seed, b) not in planes:
            planes[seed, b] = embed(vectors[b], how, seed=seed)
            report()
    return planes


@contextmanager
def _bar(total: int, *, shown: bool) -> Iterator[Callable[[], None]]:
    if not shown:
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("age brackets", total=total)
        yield lambda: bar.advance(task)
