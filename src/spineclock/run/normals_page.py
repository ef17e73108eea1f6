"""The normal cohort as a section of a page."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from spineclock.normals.cohort import Fitted
from spineclock.normals.stability import Stability
from spineclock.report import normals_figures as figures
from spineclock.report.study_page import Picture, Section
from spineclock.report.tables import Table, records
from spineclock.run.settings import NormalsSettings


@dataclass(frozen=True, eq=False)
class Found:
    """The cohort of the first seed, and what other seeds, sizes and ways make of the same scans."""

    fitted: Fitted
    labels: pd.DataFrame
    """Every scan: those of the fit by their own cluster, the others by the fitted cohort; ``fitted`` says which."""
    stability: Stability | None
    sweep: pd.DataFrame
    direct: pd.DataFrame | None


def section(found: Found, settings: NormalsSettings) -> Section:
    """The normal cohort as a section of a page: Figure 3, clusters, sweep, stability."""
    fitted = found.fitted
    clusters = fitted.cohort.clusters()
    abnormal = 1 - fitted.labels.groupby("bracket")["normal"].mean().astype(float)
    text = [
        f"{len(fitted.labels):,} reports, bracket by bracket: UMAP on the Canberra distance of 67 counts, then "
        f"HDBSCAN; clusters of more than {100 * fitted.cohort.how.normal_share:g}% of the bracket are normal. "
        f"Abnormal: {100 * abnormal.min():.1f} to {100 * abnormal.max():.1f}% of a bracket (the paper: 32 to 54%)."
    ]
    if rest := int((~found.labels["fitted"]).sum()):
        text.append(f"{rest:,} further scans (not in training) were labelled by this and took no part in it.")
    cautions = [
        "The paper lost the minimum cluster size, which decides much: "
        f"{100 * settings.min_cluster_share:g}% is our choice."
    ]
    if empty := nobody_normal(clusters):
        cautions.append(
            f"Nobody is normal in the bracket{'s' if len(empty) > 1 else ''} {', '.join(map(str, empty))}: no cluster "
            f"there has more than {100 * fitted.cohort.how.normal_share:g}% of it. Other seeds or a larger minimum "
            "cluster size may find one; a model trained on these normals learns nothing of that age."
        )
    pictures = [
        Picture(
            "figure3",
            figures.planes(fitted.labels, clusters),
            "The reports of each bracket in UMAP's plane. "
            "Normal clusters in colour with what most members have; other clusters grey, those in none light.",
        ),
        Picture(
            "normals_sweep",
            figures.sweep(found.sweep, chosen=settings.min_cluster_share),
            "Abnormal scans by the minimum cluster size, bracket by bracket.",
        ),
    ]
    frames = {"normals_clusters": clusters, "normals_sweep": found.sweep}
    tables = [_clusters_table(clusters)]
    if found.stability is not None:
        frames["normals_stability"] = found.stability.brackets
        tables.append(_stability_table(found.stability))
        of = fitted.labels["bracket"]
        pictures.append(
            Picture(
                "normals_seeds",
                figures.seeds(pd.Series(found.stability.normal_probability), of),
                f"How often each scan is normal under {settings.seeds} seeds.",
            )
        )
        worst = found.stability.brackets.set_index("bracket").loc[0]
        cautions.append(
            f"Under {settings.seeds} seeds {100 * worst['flips']:.0f}% of the scans change between normal and abnormal."
        )
    if found.direct is not None:
        frames["normals_direct"] = found.direct
        tables.append(_direct_table(found.direct))
    return Section(
        "normals", "Figure 3: the normal cohort", tuple(text), tuple(cautions), tuple(tables), tuple(pictures), frames
    )


def nobody_normal(clusters: pd.DataFrame) -> list[int]:
    """The brackets in which no cluster is normal."""
    any_normal = clusters.groupby("bracket")["normal"].any()
    return [int(name) for name in any_normal.index[~any_normal]]


def _clusters_table(clusters: pd.DataFrame) -> Table:
    body: list[tuple[str, ...]] = []
    for name, rows in clusters.groupby("bracket"):
        body.append((f"{name}",))
        body += [
            (str(r.name_), f"{r.n:,}", f"{100 * r.share:.1f}", "normal" if r.normal else "")
            for r in records(rows.rename(columns={"name": "name_"}))
        ]
    return Table("Clusters by bracket", ("what most members have", "scans", "% of the bracket", ""), tuple(body))


def _stability_table(found: Stability) -> Table:
    body = tuple(
        (
            f"{r.bracket}" if r.bracket else "all",
            f"{r.n:,}",
            "" if r.adjusted_rand != r.adjusted_rand else f"{r.adjusted_rand:.2f} ({r.adjusted_rand_low:.2f})",
            f"{100 * r.flips:.1f}",
            f"{100 * r.abnormal_low:.1f}–{100 * r.abnormal_high:.1f}",
        )
        for r in records(found.brackets)
    )
    return Table(
        f"Under {int(found.brackets['seeds'].iloc[0])} seeds",
        ("bracket", "scans", "adjusted Rand, mean (least)", "scans that change sides, %", "abnormal, %"),
        body,
        "The adjusted Rand index is of pairs of seeds: 1 where the clusters are the same, 0 as by chance.",
    )


def _direct_table(found: pd.DataFrame) -> Table:
    body = tuple(
        (
            f"{r.bracket}",
            f"{r.clusters}",
            f"{r.normal_clusters}",
            f"{100 * r.outliers:.1f}",
            f"{100 * r.abnormal:.1f}",
            f"{r.adjusted_rand:.2f}",
            f"{100 * r.same_verdict:.1f}",
        )
        for r in records(found)
    )
    return Table(
        "HDBSCAN on the Canberra distances themselves, without a plane between",
        (
            "bracket",
            "clusters",
            "normal",
            "outliers, %",
            "abnormal, %",
            "adjusted Rand with the plane's",
            "same verdict, %",
        ),
        body,
    )
