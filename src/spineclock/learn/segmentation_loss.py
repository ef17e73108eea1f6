"""What the segmentation network's training makes small."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from spineclock.learn.segmentation_examples import UNKNOWN
from spineclock.segment.instances import SACRUM_CLASS


def segmentation_loss(
    scores: Tensor, labels: Tensor, sacrum: Tensor | None = None, *, weights: Sequence[float] = ()
) -> Tensor:
    """Cross-entropy plus one minus the mean soft Dice of the structures over the batch.

    Pixels labelled 255 take no part. Where an example's sacrum is not labelled, its background may be either: the two
    probabilities are added in the cross-entropy, and the example takes no part in the sacrum's Dice (Fang & Yan,
    IEEE Trans Med Imaging 39:3619, 2020).

    Parameters
    ----------
    scores : Tensor, shape (N, C, H, W)
        C is 5, or 4 for a network that knows no sacrum; three dimensions, and more classes, do as well.
    labels : Tensor, shape (N, H, W)
        Class numbers.
    sacrum : Tensor of bool, shape (N,), optional
        Whether each example's sacrum is labelled; all are where it is not given.
    weights : sequence of float
        How much a pixel of each class counts in the cross-entropy; all alike where there are none.

    Examples
    --------
    >>> scores = torch.tensor([2.0, 0.0, 0.0, 0.0, 2.0]).view(1, 5, 1, 1)
    >>> background = torch.zeros(1, 1, 1, dtype=torch.long)
    >>> known, partial = (segmentation_loss(scores, background, torch.tensor([k])) for k in (True, False))
    >>> bool(partial < known)
    True
    """
    log_p = scores.log_softmax(1)
    known = labels != UNKNOWN
    truth = labels.where(known, torch.zeros_like(labels))
    surprise = -log_p.gather(1, truth[:, None])[:, 0]
    weight = known[:, None].expand_as(scores).to(log_p.dtype)
    if sacrum is not None and scores.shape[1] > SACRUM_CLASS:
        either = -torch.logaddexp(log_p[:, 0], log_p[:, SACRUM_CLASS])
        surprise = torch.where(~sacrum.view(-1, *[1] * (labels.ndim - 1)) & (truth == 0), either, surprise)
        labelled = torch.ones(len(scores), scores.shape[1], device=scores.device, dtype=log_p.dtype)
        labelled[:, SACRUM_CLASS] = sacrum.to(log_p.dtype)
        weight = weight * labelled.view(*labelled.shape, *[1] * (labels.ndim - 1))
    if weights:
        counts = known * torch.tensor(weights, device=scores.device)[truth]
        entropy = (surprise * counts).sum() / counts.sum().clamp_min(1)
    else:
        entropy = (surprise * known).sum() / known.sum().clamp_min(1)
    p = log_p.exp() * weight
    one = F.one_hot(truth, scores.shape[1]).movedim(-1, 1).to(p.dtype) * weight
    but_classes = (0, *range(2, scores.ndim))
    overlap = 2 * (p * one).sum(but_classes) + 1
    dice = overlap / (p.sum(but_classes) + one.sum(but_classes) + 1)
    return entropy + 1 - dice[1:].mean()
