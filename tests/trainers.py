"""Both trainers on tiny data, run through their scripts' main() or started by hand.

Runs train on S1's walking: POSES poses in batches of BATCH, so that the last batch is a single pose.
"""
import itertools

import pytest
import torch

import run_baseline
import run_poseaug
from common.datasets.h36m import h36m_poses, read_h36m
from common.datasets.mpi_inf_3dhp import load_3dhp
from function_baseline.arguments import baseline_parser, parse
from function_baseline.data import EvaluationSets
from function_baseline.loop import BaselineState
from function_poseaug.arguments import poseaug_parser
from function_poseaug.state import PoseAugState
from utils.runs.run_directory import RunDirectory

POSES, BATCH = 56, 11
BATCHES = POSES // BATCH          # with more than one pose
# the key of the lifter's weights in a trainer's checkpoints -> its parser and state
STATES = {'state_dict': (baseline_parser, BaselineState), 'model_pos': (poseaug_parser, PoseAugState)}


def few_poses(root):
    """A training PoseSet, a third of S1's poses, and EvaluationSets."""
    files = read_h36m(root, 'gt')
    tests = EvaluationSets(h36m_poses(files, ('S9',), 'Walking'), load_3dhp(root))
    return h36m_poses(files, ('S1',), downsample=3), tests


def started(kind, folder, *flags, lifter=('--posenet_name', 'gcn', '--stages', '1')):
    """Arguments, state and run directory of a trainer at its start; by default of the smallest lifter there is."""
    parser, State = STATES[kind]
    args = parse(parser(''), ['--checkpoint', str(folder), *lifter, *map(str, flags)])
    state = State(args, torch.device('cpu'))
    return args, state, RunDirectory(args, 'stamp', ('epoch',))


def start(script, root, runs, lifter, *flags):
    """Run a script's main() on the tiny data; the run directory."""
    return script.main(['--data_root', str(root), '--device', 'cpu', '--checkpoint', str(runs), '--posenet_name', lifter,
                        '--s1only', 'true', '--actions', 'Walking', '--batch_size', str(BATCH),
                        *(['--stages', '1'] if lifter != 'stgcn' else []), '--note', 'test', *map(str, flags)])


def baseline(root, runs, lifter, *flags):
    return start(run_baseline, root, runs, lifter, *flags)


def poseaug(root, runs, lifter, pretrained, *flags):
    return start(run_poseaug, root, runs, lifter, '--pretrain_path', pretrained / 'ckpt_best.pth.tar', *flags)


class PowerCut(Exception):
    """Ends a run between two lines of code."""


def cut_off(method, call, begin, *arguments):
    """`begin(*arguments)`, which starts a run, ended just before the RunDirectory's `call`-th call of a method (from 0)."""
    original, calls = getattr(RunDirectory, method), itertools.count()

    def go_on_or_end(run, *parts):
        if next(calls) == call:
            run.close()       # what was logged so far is on the disk; no thread writes on while the test resumes
            raise PowerCut
        original(run, *parts)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(PowerCut):
        patch.setattr(RunDirectory, method, go_on_or_end)
        begin(*arguments)
