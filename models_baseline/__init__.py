"""The lifters: 16 joints in an image -> 16 joints in space. A new one is a module here, its import and a name in LIFTERS."""
from common.skeleton import H36M_16
from models_baseline.gcn import SemGCN
from models_baseline.mlp import SimpleBaseline
from models_baseline.stgcn import StGcn
from models_baseline.temporal import TemporalVideoPose
from models_baseline.videopose import VideoPose

# name on the command line -> class(stages, dropout, skeleton): an nn.Module from (B, J, 2) or (B, 2 J) to (B, J, 3)
LIFTERS = dict(gcn=SemGCN, mlp=SimpleBaseline, stgcn=StGcn, videopose=VideoPose)
STAGELESS = {'stgcn'}       # lifters of one depth, for which --stages does nothing


def build_lifter(name, stages=4, dropout=0.25, skeleton=H36M_16, receptive_field=1, causal=False):
    """The lifter of that name for a skeleton of J joints, freshly initialised, on the CPU.

    More than one frame (models_baseline/temporal.py): `videopose`, whose blocks follow from the receptive field.
    """
    if receptive_field > 1:
        return TemporalVideoPose(receptive_field, causal, dropout, skeleton)
    return LIFTERS[name](stages=stages, dropout=dropout, skeleton=skeleton)
