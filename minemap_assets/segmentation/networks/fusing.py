"""Batch norms inside the convolutions before them: the same numbers in evaluation, a pass over memory less a layer.
Imports torch: import it late.
"""

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def fuse_norms(network: nn.Module) -> None:
    """Replace every convolution that a batch norm follows in a sequence by the two in one, in place; a network in
    training is left as it is.
    """
    if network.training:
        return
    for part in network.modules():
        if not isinstance(part, nn.Sequential):
            continue
        for place in range(len(part) - 1):
            conv, norm = part[place], part[place + 1]
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                part[place], part[place + 1] = fuse_conv_bn_eval(conv, norm), nn.Identity()
