"""The lifters: 16 joints in an image -> 16 joints in space. A new one is a file here, its import and its name in LIFTERS."""
from models_baseline.gcn import SemGCN
from models_baseline.mlp import SimpleBaseline
from models_baseline.stgcn import StGcn
from models_baseline.videopose import VideoPose

# name on the command line -> class(stages, dropout), an nn.Module from (B, 16, 2) or (B, 32) to (B, 16, 3)
LIFTERS = dict(gcn=SemGCN, mlp=SimpleBaseline, stgcn=StGcn, videopose=VideoPose)
STAGELESS = {'stgcn'}       # lifters of one depth: --stages means nothing to them


def build_lifter(name, stages=4, dropout=0.25):
    """A lifter by its name, freshly initialised, on the CPU."""
    return LIFTERS[name](stages=stages, dropout=dropout)
