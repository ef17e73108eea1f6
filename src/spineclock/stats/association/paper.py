"""The paper's models of the gap on a cohort of one's own, beside what the paper found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from spineclock.core.errors import TableError, UsageError
from spineclock.core.findings import CONDITIONS, Findings
from spineclock.stats.association.fit import StandardErrors
from spineclock.stats.association.linear import LinearEffects
from spineclock.stats.association.paper_terms import PAPER_BLOCKS, PaperBlock
from spineclock.stats.association.terms import finding_columns


def paper_columns(findings: Findings, *, or_worse: bool = False) -> pd.DataFrame:
    """What the paper's Table 5 and Appendix make of findings: a row a scan (by scan_id), columns of 0 and 1.

    See :func:`~spineclock.stats.association.terms.category_columns` for who counts where.

    >>> from spineclock.core.findings import empty_codes
    >>> paper_columns(Findings(pd.Index(["a"]), empty_codes(1))).shape
    (1, 47)
    """
    terms = [term for block in PAPER_BLOCKS for term in block.terms]
    return finding_columns(
        findings,
        [term.category for term in terms if term.category is not None],
        present=[term.key for term in terms if term.key in CONDITIONS],
        or_worse=or_worse,
    )


@dataclass(frozen=True)
class PaperEffects:
    """Table 5 and the Appendix of the spine-age paper on another cohort: one :class:`LinearEffects` a block.

    Called with a table of one row a scan that holds the gap, :func:`paper_columns` and the lifestyle columns. Beside
    the columns of LinearEffects: ``table``, ``printed``, ``paper_n``, ``paper_estimate``, ``paper_low``,
    ``paper_high``. A block of which the table has not all columns is left out unless ``blocks`` names it.
    """

    blocks: Sequence[str] = ()
    """Names of the blocks; all that the table has columns for where empty."""
    outcome: str = "gap_years"
    covariates: Sequence[str] = ("age_years", "sex", "site")
    person: str | None = "person_id"
    standard_errors: StandardErrors = "CR2"

    def __call__(self, table: pd.DataFrame) -> pd.DataFrame:
        """The effects in the paper's order; a TableError where no block can be fitted or a column is wrong."""
        frames = [_beside(block, self.model(block)(table)) for block in self._asked(table)]
        return pd.concat(frames, ignore_index=True)

    def model(self, block: PaperBlock) -> LinearEffects:
        """The model of one block."""
        return LinearEffects(
            block.columns,
            block=block.name,
            outcome=self.outcome,
            covariates=self.covariates,
            person=self.person,
            names={term.key: term.name for term in block.terms},
            standard_errors=self.standard_errors,
        )

    def _asked(self, table: pd.DataFrame) -> list[PaperBlock]:
        if self.blocks:
            return [paper_block(name) for name in self.blocks]
        held = [block for block in PAPER_BLOCKS if set(block.columns) <= set(table.columns)]
        if not held:
            raise TableError(
                "a table with the columns of no block of the paper",
                wanted="such as " + ", ".join(PAPER_BLOCKS[1].columns),
                remedy="join paper_columns(findings) to it by scan_id",
            )
        return held


def paper_block(name: str) -> PaperBlock:
    """The paper's block of that name; a UsageError if there is none.

    >>> len(paper_block("Lifestyle factors").terms)
    7
    """
    for block in PAPER_BLOCKS:
        if block.name == name:
            return block
    raise UsageError(f"no block is called {name!r}", wanted="; ".join(b.name for b in PAPER_BLOCKS))


def _beside(block: PaperBlock, effects: pd.DataFrame) -> pd.DataFrame:
    """The effects with the paper's, in its order; a category's value that the paper has not comes last, without."""
    paper = pd.DataFrame(
        [
            {
                "key": t.key,
                "printed": t.printed,
                "paper_n": t.n,
                "paper_estimate": t.effect_years,
                "paper_low": t.low_years,
                "paper_high": t.high_years,
            }
            for t in block.terms
        ]
    )
    paper.insert(1, "table", block.table)
    order = {t.key: k for k, t in enumerate(block.terms)}
    models = {words: k for k, words in enumerate(effects["adjusted_for"].unique())}
    place = [(models[r["adjusted_for"]], order.get(r["key"], len(order))) for _, r in effects.iterrows()]
    own = effects.iloc[sorted(range(len(effects)), key=place.__getitem__)]
    return own.merge(paper, on="key", how="left", validate="many_to_one")
