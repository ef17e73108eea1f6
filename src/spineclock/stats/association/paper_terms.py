"""The terms of the paper's models with what it found: Table 5 and the Appendix of the spine-age paper, in its order.

"(No.2)" in the source most likely reads "more than 2 levels" (the sign was lost), so (No.1) is more than one and
(No.0) any; the names below say it in words, ``printed`` as it stands there, misprints and all.
"""

from __future__ import annotations

from dataclasses import dataclass

from spineclock.core.anatomy import Region
from spineclock.stats.association.terms import Category


@dataclass(frozen=True)
class PaperTerm:
    """One row of the paper's tables of effects."""

    key: str
    """The column of a cohort: a :attr:`Category.key`, a condition, a number, or ``work=heavy``."""
    name: str
    printed: str
    n: int
    """Scans with the term; for a number, those above 0."""
    effect_years: float
    low_years: float
    high_years: float
    starred: bool
    """Whether the paper marks it as statistically significant."""
    category: Category | None = None


@dataclass(frozen=True)
class PaperBlock:
    """The terms of one of the paper's models."""

    name: str
    table: str
    terms: tuple[PaperTerm, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a cohort the model asks for, a category's once."""
        return tuple(dict.fromkeys(term.key.partition("=")[0] for term in self.terms))


_Row = tuple[str, str, int, str, int, float, float, float]
_LUMBAR: tuple[_Row, ...] = (
    ("disc_bulge", "mild", 2, "Mild disc bulge (No.2)", 801, 1.27, 0.92, 1.63),
    ("disc_bulge", "moderate", 1, "Moderate disc bulge (No.1)", 85, 1.58, 0.55, 2.61),
    ("disc_bulge", "severe", 0, "Severe disc bulge (No.0)", 12, 2.96, 0.27, 5.65),
    ("desiccation", "mild", 1, "Mild disc dessication (No.1)", 315, -0.30, -0.84, 0.25),
    ("desiccation", "moderate", 0, "Moderate disc dessication (No.0)", 295, 0.02, -0.55, 0.59),
    ("desiccation", "severe", 0, "Severe disc dessication (No.0)", 212, 0.20, -0.48, 0.88),
    ("desiccation", "near complete", 0, "Near complete disc dessication (No.0)", 66, -0.59, -1.76, 0.59),
    ("annular_fissure", "", 0, "Disc annular fissure (No.0)", 781, 0.24, -0.12, 0.59),
    ("endplate_change", "", 0, "Vertebral endplate change (No.0)", 547, 0.19, -0.26, 0.64),
    ("disc_osteophyte_complex", "mild", 1, "Mild disc osteophyte (No.1)", 630, 2.34, 1.95, 2.73),
    ("disc_osteophyte_complex", "moderate", 0, "Moderate disc osteophyte (No.0)", 36, 2.46, 0.88, 4.03),
    ("protrusion", "mild", 1, "Mild disc protrusion (No.1)", 249, 0.41, -0.19, 1.02),
    ("protrusion", "moderate", 0, "Moderate disc protrusion (No.0)", 94, 0.54, -0.43, 1.51),
    ("extrusion", "mild", 0, "Mild disc extrusion (No.0)", 71, -0.59, -1.70, 0.52),
)
_CERVICAL: tuple[_Row, ...] = (
    ("disc_bulge", "mild", 2, "Mild disc bulge (No.2)", 459, 0.64, 0.19, 1.10),
    ("disc_bulge", "moderate", 1, "Moderate disc bulge (No.1)", 32, 2.26, 0.60, 3.92),
    ("disc_bulge", "severe", 0, "Severe disc bulge (No.0)", 9, 1.09, -2.03, 4.21),
    ("desiccation", "mild", 1, "Mild disc dessication (No.1)", 243, -0.23, -0.85, 0.38),
    ("desiccation", "moderate", 0, "Moderate disc dessication (No.0)", 210, 0.44, -0.23, 1.10),
    ("desiccation", "severe", 0, "Severe disc dessication (No.0)", 124, -0.03, -0.89, 0.84),
    ("desiccation", "near complete", 0, "Near complete disc dessication (No.0)", 27, -1.14, -2.94, 0.67),
    ("annular_fissure", "", 0, "Disc annular fissure (No.0)", 79, 0.18, -0.88, 1.25),
    ("endplate_change", "", 0, "Vertebral endplate change (No.0)", 208, 0.06, -0.61, 0.74),
    ("disc_osteophyte_complex", "mild", 1, "Mild disc osteophyte (No.1)", 1805, 1.12, 0.86, 1.38),
    ("disc_osteophyte_complex", "moderate", 0, "Moderate disc osteophyte (No.0)", 276, 1.09, 0.51, 1.67),
    ("protrusion", "mild", 1, "Mild disc protrusion (No.1)", 271, 0.43, -0.15, 1.01),
    ("protrusion", "moderate", 0, "Moderate disc protrusion (No.0)", 64, 1.00, -0.17, 2.18),
    ("extrusion", "mild", 0, "Mild disc extrusion (No.0)", 12, -1.44, -4.15, 1.26),
)
_THORACIC: tuple[_Row, ...] = (
    ("disc_bulge", "mild", 2, "Mild disc bulge (No.2)", 136, 0.75, -0.07, 1.58),
    ("desiccation", "mild", 1, "Mild disc dessication (No.1)", 96, -0.04, -1.03, 0.94),
    ("desiccation", "moderate", 0, "Moderate disc dessication (No.0)", 43, -1.01, -2.44, 0.43),
    ("desiccation", "severe", 0, "Severe disc dessication (No.0)", 15, -3.42, -5.87, -0.96),
    ("annular_fissure", "", 0, "Disc annular fissure (No.0)", 24, 0.63, -1.30, 2.56),
    ("endplate_change", "", 0, "Vertebral endplate change (No.0)", 124, 0.78, -0.09, 1.65),
    ("disc_osteophyte_complex", "mild", 1, "Mild disc osteophyte (No.1)", 30, 1.13, -0.59, 2.85),
    ("protrusion", "mild", 1, "Mild disc protrusion (No.1)", 177, 0.67, -0.04, 1.39),
    ("protrusion", "moderate", 0, "Moderate disc protrusion (No.0)", 26, 1.82, -0.03, 3.66),
    ("extrusion", "mild", 0, "Mild disc extrusion (No.0)", 24, -1.72, -3.64, 0.20),
)
_Plain = tuple[str, str, str, int, float, float, float]
_STRUCTURAL: tuple[_Plain, ...] = (
    ("spondylolisthesis", "spondylolisthesis", "Spondylolisthesis", 722, 0.91, 0.56, 1.26),
    ("scoliosis", "scoliosis", "Scoliosis", 1477, 0.64, 0.37, 0.91),
    ("kyphosis_or_lordosis", "kyphosis or lordosis", "Kyphosis or lordosis", 3061, 0.45, 0.23, 0.66),
    ("fracture", "fracture", "Fracture", 229, 1.45, 0.82, 2.07),
    ("spinal_stenosis", "spinal stenosis", "Spinal stenosis", 125, 1.87, 1.03, 2.72),
    ("congenital_canal_narrowing", "congenital spinal canal narrowing", "Congenital spinal canal narrowing", 197, 1.18,
     0.50, 1.85),
    ("cord_abnormality", "cord abnormality", "Cord abnormalities", 194, 0.22, -0.46, 0.90),
    ("transitional_vertebra", "transitional vertebra", "Transitional vertebra", 542, -0.07, -0.49, 0.34),
    ("tarlov_cyst", "Tarlov (perineural) cyst", "Tralov perineural cyst", 601, -0.30, -0.70, 0.10),
)  # fmt: skip
_LIFESTYLE: tuple[_Plain, ...] = (
    ("packs_per_day", "packs smoked per day", "Packs per day smoked", 2302, 0.93, 0.64, 1.22),
    ("alcohol_days_per_week", "days of alcohol per week", "Days per week consuming alcohol", 6136, 0.08, 0.03, 0.13),
    ("sedentary_hours", "hours sedentary", "Time sedentary", 8332, -0.01, -0.04, 0.03),
    ("work=moderate", "physically moderate work", "Physically moderate work", 1001, 0.29, -0.03, 0.62),
    ("work=heavy", "physically heavy work", "Physically heavy work", 488, 0.67, 0.22, 1.12),
    ("exercise=moderate", "moderate exercise", "Moderate exercise", 2146, -0.40, -0.70, -0.11),
    ("exercise=vigorous", "vigorous exercise", "Vigorous exercise", 4285, -0.79, -1.05, -0.52),
)


def _degenerative(region: Region, rows: tuple[_Row, ...]) -> tuple[PaperTerm, ...]:
    found = []
    for condition, severity, more_than, printed, n, effect, low, high in rows:
        category = Category(condition, severity, more_than, region)
        starred = low > 0 or high < 0  # so it is in every row of both tables
        found.append(PaperTerm(category.key, category.words, printed, n, effect, low, high, starred, category))
    return tuple(found)


def _plain(rows: tuple[_Plain, ...]) -> tuple[PaperTerm, ...]:
    return tuple(PaperTerm(*row, starred=row[-2] > 0 or row[-1] < 0) for row in rows)


PAPER_BLOCKS: tuple[PaperBlock, ...] = (
    PaperBlock("Lumbar degenerative spinal conditions", "Table 5", _degenerative("lumbar", _LUMBAR)),
    PaperBlock("Spinal structural and canal pathologies", "Table 5", _plain(_STRUCTURAL)),
    PaperBlock("Lifestyle factors", "Table 5", _plain(_LIFESTYLE)),
    PaperBlock("Cervical degenerative spinal conditions", "Appendix", _degenerative("cervical", _CERVICAL)),
    PaperBlock("Thoracic degenerative spinal conditions", "Appendix", _degenerative("thoracic", _THORACIC)),
)
"""Each block is one model, on 8,528 scans of the spine-age paper's full test set."""
