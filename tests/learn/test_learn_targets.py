"""Feeds of several targets a row: what is not known, and how axial pictures are mirrored."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from spineclock.core.errors import TableError
from spineclock.learn.feed import Augmentation, Examples, Feed
from spineclock.learn.fit import JUDGED_AT_ONCE, answered, judged
from spineclock.nets.cox_head import CoxHead
from spineclock.nets.multitask import MultitaskHead

NAN = float("nan")


class Held:
    """Scans of one number each."""

    def __init__(self, values):
        self.values = np.asarray(values, np.float32)

    def inputs(self, indices, part="whole"):
        return self.values[list(indices)].reshape(-1, 1, 1, 1, 1)


def test_a_row_may_know_some_of_its_targets_and_not_none():
    known = Examples(Held([1, 2]), range(2), np.array([[1.0, NAN, NAN], [NAN, 2.0, 0.0]]))
    batch = next(Feed(known, 2, seed=0, augmentation=Augmentation(0, mirror=False)).epoch(0))
    assert torch.isnan(batch.targets).sum() == 3
    with pytest.raises(TableError, match="1 known"):
        Examples(Held([1, 2]), range(2), np.array([[1.0, NAN], [NAN, NAN]]))
    with pytest.raises(TableError, match="1 known"):
        Examples(Held([1, 2]), range(2), np.array([1.0, NAN]))


def test_axial_pictures_are_mirrored_along_their_columns_and_keep_their_order():
    x = np.arange(2 * 27 * 4 * 6, dtype=np.float32).reshape(2, 1, 27, 4, 6)
    how = Augmentation(shift_voxels=0, mirror=True, mirror_axis=2, along_slices=False)
    seen = {False: 0, True: 0}
    for seed in range(20):
        for scan, was in zip(how(x, np.random.default_rng(seed))[:, 0], x[:, 0], strict=True):
            turned = bool(np.array_equal(scan, was[:, :, ::-1]))
            assert turned or np.array_equal(scan, was)
            seen[turned] += 1
    assert min(seen.values()) > 8


class Score(nn.Module):
    """A scan's number as its log hazard ratio."""

    def __init__(self):
        super().__init__()
        self.one = nn.Parameter(torch.ones(()))

    def forward(self, x):
        return x.flatten(1) * self.one


def test_validation_people_are_judged_all_together():
    rng = np.random.default_rng(0)
    n = 3 * JUDGED_AT_ONCE + 5
    score, years = rng.normal(size=n), rng.permutation(n) + 1.0
    targets = np.column_stack([np.full(n, NAN), years, (rng.random(n) < 0.4).astype(float)])
    head = MultitaskHead(None, CoxHead())
    found = judged(Score(), head, Examples(Held(score), range(n), targets))
    order = np.argsort(years)
    s, had = np.float32(score)[order].astype(float), targets[order, 2] == 1
    risk_sets = np.log(np.cumsum(np.exp(s)[::-1])[::-1])
    assert found.loss == pytest.approx(-(s - risk_sets)[had].mean(), rel=1e-5)
    raw = answered(Score(), Examples(Held(score), range(n), targets))
    assert raw[:, 0].numpy() == pytest.approx(score, rel=1e-6)
