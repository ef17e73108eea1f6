"""Where a network of nine pictures looks: Grad-CAM of each picture by itself.

The pictures of a CT are not slices of one volume, and no sample of a map lies between two of them: each is weighted by
its own gradients and brought to its own size. Source: Selvaraju et al., Grad-CAM (ICCV 2017).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from spineclock.core.errors import UsageError
from spineclock.core.volume import Array
from spineclock.explain.gradcam import Seen


def picture_attention(net: Seen, prepared: Array, *, told: Callable[[Tensor], Tensor] = torch.sum) -> Array:
    """The maps over all pictures, shape (pictures, H, W), 0 and up, in the network's units: what speaks for ``told``.

    Parameters
    ----------
    net : CtNet
        In evaluation mode, on any device.
    prepared : ndarray, shape (slices of all pictures, H, W)
        The network's input.
    told : function
        From the network's answer, before its head reads it, to the number that is explained.

    Raises
    ------
    UsageError
        If the network is in training mode.

    Examples
    --------
    >>> from spineclock.nets.ct import ct_network
    >>> from spineclock.nets.detection_head import DetectionHead
    >>> from spineclock.nets.multitask import MultitaskHead
    >>> net = ct_network("ct_small", MultitaskHead(DetectionHead(), None)).eval()
    >>> picture_attention(net, np.ones((27, 64, 112), np.float32)).shape
    (9, 64, 112)
    """
    if net.training:
        raise UsageError("a network in training mode", wanted="evaluation mode", remedy="call net.eval() first")
    with torch.inference_mode(False), torch.no_grad():
        x = torch.from_numpy(np.array(prepared, dtype=np.float32))[None, None]
        features = net.blocks(x.to(next(net.parameters()).device))  # 1 C pictures h w
    with torch.inference_mode(False), torch.enable_grad():
        features.requires_grad_()
        (gradient,) = torch.autograd.grad(told(net.head(features)), features)
    weights = gradient.mean(dim=(3, 4), keepdim=True)
    cam = torch.relu((weights * features.detach()).sum(dim=1))[0]  # pictures h w
    rows, columns = prepared.shape[1:]
    fine = F.interpolate(cam[None], size=(int(rows), int(columns)), mode="bilinear", align_corners=False)[0]
    found: Array = fine.cpu().numpy()
    return found
