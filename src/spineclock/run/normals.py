"""``spineclock normals``: which findings are typical for an age, and who has others."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from collections.abc import Iterator

import numpy as np
import pandas as pd

from spineclock.core.brackets import BRACKETS, bracket
from spineclock.core.errors import TableError, UsageError
from spineclock.core.findings import Findings
from spineclock.ingest.cohort import read_cohort
from spineclock.ingest.findings import read_findings
from spineclock.normals.canberra import Vectors
from spineclock.normals.cluster import Clustering, Points, embed
from spineclock.normals.cohort import Fitted, NormalCohort, fit_normals
from spineclock.normals.stability import Stability, direct, stability, sweep
from spineclock.report import normals_figures as figures
from spineclock.report.study_page import Picture, Section, write_folder
from spineclock.report.tables import Table
from spineclock.run.config import NormalsSettings
from spineclock.run.outputs import command, plain, versions, write_text

Report = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Found:
    """The cohort of the first seed, what the others make of the same scans, and who could not take part."""

    fitted: Fitted
    stability: Stability | None
    sweep: pd.DataFrame
    direct: pd.DataFrame | None
    left_out: pd.DataFrame


def normals(findings: Path, settings: NormalsSettings, *, cohort: Path, out: Path) -> int:
    """Clusters the findings of a cohort and writes ``out``: normals.csv, clusters.csv, left_out.csv, figures, normals.json.

    With ``settings.fitted`` nothing is fitted: the people get the labels of an earlier cohort. Returns the exit status.
    """
    begun = datetime.now(UTC)
    if (out / "normals.csv").exists() and not settings.overwrite:
        raise UsageError(f"{out} holds earlier normals", wanted="an empty folder", remedy="--overwrite, or another --out")
    held, people = read_findings(findings), read_cohort(cohort).table
    scans, left_out = aged(people, held)
    out.mkdir(parents=True, exist_ok=True)
    if settings.fitted is not None:
        told = json.loads(settings.fitted.read_text(encoding="utf-8"))
        labels = NormalCohort.from_dict(told).label(held.take(scans["scan_id"].to_list()), scans["age_years"])
    else:
        found = find(held, scans, settings, left_out=left_out, progress=True)
        labels = found.fitted.labels
        if found.stability is not None:
            labels = labels.assign(normal_probability=found.stability.normal_probability)
        write_folder(out, [section(found, settings)])
        write_text(out / "normals.json", json.dumps(found.fitted.cohort.as_dict()) + "\n")
        found.fitted.cohort.clusters().to_csv(out / "clusters.csv", index=False, float_format="%.6g")
    labels.insert(1, "person_id", scans["person_id"].to_numpy() if "person_id" in scans else labels["scan_id"])
    labels.to_csv(out / "normals.csv", index=False, float_format="%.6g")
    left_out.to_csv(out / "left_out.csv", index=False)
    run = {"schema": "spineclock.normals-run/1", "command": command(), "begun": begun.isoformat(timespec="seconds"),
           "ended": datetime.now(UTC).isoformat(timespec="seconds"), "versions": versions(),
           "settings": settings.model_dump(mode="json"), "scans": len(labels), "left_out": len(left_out)}  # fmt: skip
    write_text(out / "run.json", json.dumps(plain(run), indent=2, ensure_ascii=False) + "\n")
    return 0


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


def find(
    findings: Findings, scans: pd.DataFrame, settings: NormalsSettings, *, left_out: pd.DataFrame, progress: bool
) -> Found:
    """Embeds every bracket under every seed, clusters, and compares."""
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
        stability([run.labels for run in runs]) if len(runs) > 1 else None,
        sweep(first, how),
        direct(held, scans["age_years"], how, labels=runs[0].labels) if settings.direct else None,
        left_out,
    )


def _embedded(
    vectors: Mapping[int, Vectors],
    tasks: Sequence[tuple[int, int]],
    how: Clustering,
    *,
    workers: int,
    report: Callable[[], None],
) -> dict[tuple[int, int], Points]:
    """The plane of each (seed, bracket); seeded UMAP uses one thread, so brackets are laid out side by side."""
    if workers == 1:
        planes = {}
        for seed, b in tasks:
            planes[seed, b] = embed(vectors[b], how, seed=seed)
            report()
        return planes
    planes = {}
    largest_first = sorted(tasks, key=lambda task: -len(vectors[task[1]]))
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        waiting = {pool.submit(embed, vectors[b], how, seed=seed): (seed, b) for seed, b in largest_first}
        for done in as_completed(waiting):
            planes[waiting[done]] = done.result()
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


def section(found: Found, settings: NormalsSettings) -> Section:
    """The normal cohort as a section of a page: Figure 3, clusters, sweep, stability."""
    fitted = found.fitted
    clusters = fitted.cohort.clusters()
    abnormal = 1 - fitted.labels.groupby("bracket")["normal"].mean().astype(float)
    text = [
        f"{len(fitted.labels):,} reports, bracket by bracket: UMAP on the Canberra distance of 67 counts, then HDBSCAN; "
        f"clusters of more than {100 * fitted.cohort.how.normal_share:g}% of the bracket are normal. Abnormal: "
        f"{100 * abnormal.min():.1f} to {100 * abnormal.max():.1f}% of a bracket (the paper: 32 to 54%)."
    ]
    cautions = ["The paper lost the minimum cluster size, which decides much: "
                f"{100 * settings.min_cluster_share:g}% is our choice."]  # fmt: skip
    pictures = [
        Picture("figure3", figures.planes(fitted.labels, clusters), "Figure 3: the reports of each bracket in UMAP's plane. "
                "Normal clusters in colour with what most members have; other clusters grey, those in none light."),
        Picture("normals_sweep", figures.sweep(found.sweep, chosen=settings.min_cluster_share),
                "Abnormal scans by the minimum cluster size, bracket by bracket."),
    ]  # fmt: skip
    frames = {"normals_clusters": clusters, "normals_sweep": found.sweep}
    tables = [_clusters_table(clusters)]
    if found.stability is not None:
        frames["normals_stability"] = found.stability.brackets
        tables.append(_stability_table(found.stability))
        of = fitted.labels["bracket"]
        pictures.append(Picture("normals_seeds", figures.seeds(pd.Series(found.stability.normal_probability), of),
                                f"How often each scan is normal under {settings.seeds} seeds."))  # fmt: skip
        worst = found.stability.brackets.set_index("bracket").loc[0]
        cautions.append(f"Under {settings.seeds} seeds {100 * worst['flips']:.0f}% of the scans change between normal and "
                        "abnormal.")  # fmt: skip
    if found.direct is not None:
        frames["normals_direct"] = found.direct
        tables.append(_direct_table(found.direct))
    return Section("normals", "Figure 3: the normal cohort", tuple(text), tuple(cautions), tuple(tables), tuple(pictures),
                   frames)  # fmt: skip


def _clusters_table(clusters: pd.DataFrame) -> Table:
    body: list[tuple[str, ...]] = []
    for name, rows in clusters.groupby("bracket"):
        body.append((f"{name}",))
        body += [(str(r.name_), f"{r.n:,}", f"{100 * r.share:.1f}", "normal" if r.normal else "")
                 for r in rows.rename(columns={"name": "name_"}).itertuples()]  # fmt: skip
    return Table("Clusters by bracket", ("what most members have", "scans", "% of the bracket", ""), tuple(body))


def _stability_table(found: Stability) -> Table:
    body = tuple(
        (f"{r.bracket}" if r.bracket else "all", f"{r.n:,}", "" if r.adjusted_rand != r.adjusted_rand else
         f"{r.adjusted_rand:.2f} ({r.adjusted_rand_low:.2f})", f"{100 * r.flips:.1f}",
         f"{100 * r.abnormal_low:.1f}–{100 * r.abnormal_high:.1f}")
        for r in found.brackets.itertuples()
    )  # fmt: skip
    return Table(f"Under {int(found.brackets['seeds'].iloc[0])} seeds",
                 ("bracket", "scans", "adjusted Rand index, mean (least)", "scans that change sides, %", "abnormal, %"), body,
                 "The adjusted Rand index is of pairs of seeds: 1 where the clusters are the same, 0 as by chance.")  # fmt: skip


def _direct_table(found: pd.DataFrame) -> Table:
    body = tuple(
        (f"{r.bracket}", f"{r.clusters}", f"{r.normal_clusters}", f"{100 * r.outliers:.1f}", f"{100 * r.abnormal:.1f}",
         f"{r.adjusted_rand:.2f}", f"{100 * r.same_verdict:.1f}")
        for r in found.itertuples()
    )  # fmt: skip
    return Table("HDBSCAN on the Canberra distances themselves, without a plane between",
                 ("bracket", "clusters", "normal", "outliers, %", "abnormal, %", "adjusted Rand with the plane's",
                  "same verdict, %"), body)  # fmt: skip
