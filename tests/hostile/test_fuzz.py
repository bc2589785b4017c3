"""Every reader on thousands of mutants of real files (mutants.py), in a worker process under watch.

Each mutant must end in a sound result or in one InputError that names the file: no other exception, no crash of the worker,
no hang, less than 2 GB of memory, and nothing else called, imported, written or opened, neither in the worker nor in the
limited process that it forks. Seeds are fixed; a failure names its mutants, and
`python tests/hostile/test_fuzz.py KIND MUTATION SEED` repeats one.
"""
import codecs
import hashlib
import itertools
import json
import os
import resource
import select
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

# the worker runs this file as a script
sys.path[:0] = map(str, (Path(__file__).parents[2], Path(__file__).parents[1], Path(__file__).parent))

import numpy as np
import pytest
import torch

import mutants
import run_baseline
import run_evaluate
import run_poseaug
from common.datasets.h36m import h36m_poses, pose2d_h36m_path, pose3d_h36m_path, read_h36m, require_agreement
from common.datasets.mpi_inf_3dhp import load_3dhp
from common.errors import InputError
from common.files import limited
from common.files.limited import read_limited
from common.skeleton import H36M_16
from data import prepare_data_2d_h36m, prepare_data_h36m
from data_extra.prepare_data_3dhp import read_test_set
from data_extra.prepare_data_3dpw import joined, read_sequence
from function_baseline.arguments import parse
from function_inference.keypoint_files import read_keypoints
from function_poseaug.arguments import poseaug_parser
from function_poseaug.state import BEST, PoseAugState
from function_poseaug.refresh import templates_for
from utils.gradients import adam
from utils.runs.checkpoint import LAST, POSEAUG_KEY, load_lifter, read_checkpoint, take_over
from utils.runs.resume import resume
from utils.runs.run_directory import RunDirectory

pytestmark = [pytest.mark.slow,
              pytest.mark.skipif(not Path('/proc/self/statm').exists(), reason='memory is limited and told as on Linux')]

SECONDS = 60                  # a mutant that takes longer hangs, also on a busy machine
MAX_MIB = 2000
LONGEST_MESSAGE = 700
SEEDS = range(14)
FEW = {'h5_bomb': 1, 'mat_bomb': 3, 'bomb': 3, 'pickle_bomb': 8, 'checkpoint_bomb': 8, 'legacy_bomb': 8,
       'other_packing': 4}
FRAMES = {subject: {'Walking': 3, 'Directions': 4} for subject in ('S1', 'S9')}
# The audit events that a reader may cause besides reading its file: some start the limited process, which also opens
# OTHER_FILES and the file for its result, by a descriptor
HARMLESS = {'object.__getattr__', 'builtins.id', 'sys._getframe', 'os.scandir', 'os.listdir', 'pathlib.Path.glob',
            'os.fork', 'os.kill', 'resource.setrlimit', 'mmap.__new__', 'sys.excepthook'}
OTHER_FILES = (os.devnull, '/proc/self/statm')


# the readers: path -> checked arrays

def read_poses(root):
    files = read_h36m(root, 'gt')
    poses = h36m_poses(files, ('S1', 'S9'))
    require_agreement(poses, 'gt', files)
    return arrays_of(poses)


def arrays_of(poses):
    return {name: getattr(poses, name).numpy() for name in ('pose3d_cam', 'pose2d', 'group')}


def flat(table):
    return {f'{subject} {sequence} {number}': view
            for subject, sequences in table.items() for sequence, views in sequences.items()
            for number, view in enumerate(views if isinstance(views, list) else [views])}


def read_detections(table, layout, path):
    ', '.join(prepare_data_2d_h36m.without_3d(table, FRAMES)).encode()      # it is printed
    return flat(prepare_data_2d_h36m.convert(table, layout, FRAMES, path))


def read_weights(path):
    read_checkpoint(path)
    lifter, _ = load_lifter(path, SimpleNamespace(explicit=(), posenet_name='gcn', stages=1, dropout=0.))
    return {name: value.numpy() for name, value in lifter.state_dict().items()}


def people_of(detections):
    return {'people': np.concatenate(detections.people)}


def read_3dpw(path):
    arrays = joined([read_sequence(path)], path)
    return {key: arrays[key] for key in ('pose3d', 'pose2d', 'intrinsics')}


class Reader(NamedTuple):
    """Where the mutant is put in the worker's folder, and how it is read; `shape` is how every array's shape must end."""
    place: str
    read: object
    shape: tuple = None


READERS = {
    'archive': Reader('archive/h36m.zip', lambda path: flat(prepare_data_h36m.read_archive(path)), (32, 3)),
    'mat': Reader('mat/S1/MyPoseFeatures/D3_Positions/Walking.cdf.mat',
                  lambda path: flat(prepare_data_h36m.read_source(path.parents[3])), (32, 3)),
    'detections': Reader('detections/detections.npz', lambda path: read_detections(
        prepare_data_2d_h36m.read_videopose3d(path), prepare_data_2d_h36m.VIDEOPOSE3D, path), (16, 2)),
    'hr': Reader('hr/twoDPose_HRN_test.npy', lambda path: read_detections(
        prepare_data_2d_h36m.read_hr(path.parent), prepare_data_2d_h36m.EVOSKELETON, path), (16, 2)),
    'spin': Reader('spin/spin.npz', read_test_set),
    'templates': Reader('templates/templates.npy',
                        lambda path: {'rows': templates_for(SimpleNamespace(skeleton=H36M_16), path).numpy()}, (15,)),
    'dhp': Reader('dhp/data_extra/test_set/test_3dhp.npz', lambda path: arrays_of(load_3dhp(path.parents[2]))),
    'pose3d': Reader('pose3d/data/data_3d_h36m.npz', lambda path: read_poses(path.parents[1])),
    'pose2d': Reader('pose2d/data/data_2d_h36m_gt.npz', lambda path: read_poses(path.parents[1])),
    'keypoints': Reader('keypoints/keypoints.npz', lambda path: people_of(read_keypoints(path, 'coco17')), (17, 3)),
    'coco': Reader('coco/coco.json', lambda path: people_of(read_keypoints(path, 'coco17')), (17, 3)),
    '3dpw': Reader('3dpw/3dpw.pkl', read_3dpw),
    'checkpoint': Reader('zip/zip.pth.tar', read_weights), 'legacy': Reader('legacy/legacy.pth.tar', read_weights)}
ENDINGS = {'pose3d_cam': (16, 3), 'pose3d': (16, 3), 'pose2d': (16, 2)}


def careless(path):
    """A reader with a fault, which the file's text names, to prove that the worker notices it."""
    numbers = np.ones((3, 16, 2), np.float32)
    faults = {'calls': lambda: os.system('true'), 'calls apart': lambda: read_limited(os.system, 'true'),
              'imports': lambda: __import__('this'),
              'writes': lambda: path.with_name('new').write_text(''), 'opens': lambda: open('/etc/passwd').close(),
              'raises': lambda: {}['x'], 'warns': lambda: warnings.warn('noise', stacklevel=1), 'crashes': lambda: os.abort(),
              'bloats': lambda: bytearray(2100 << 20), 'hangs': lambda: time.sleep(60),
              'is vague': lambda: mislead('the file is bad'), 'is ugly': lambda: mislead(f'{path} is\x1b[2J bad'),
              'is wrong': lambda: numbers.fill(np.nan), 'strays': lambda: numbers.fill(mutants.SECRET_NUMBER / 1000)}
    faults[path.read_text()]()
    return {'pose2d': numbers}


def mislead(message):
    raise InputError(message)


READERS['careless'] = Reader('careless/it', careless)
ALARMS = {'calls': 'os.system', 'calls apart': 'os.system', 'imports': 'import', 'writes': 'open',
          'opens': '/etc/passwd', 'raises': 'KeyError',
          'warns': 'noise', 'crashes': 'died', 'bloats': 'MiB', 'hangs': 'hangs', 'is vague': 'does not name',
          'is ugly': 'unfit', 'is wrong': 'not finite', 'strays': 'from another file'}


def flaw(arrays, shape):
    """What is wrong with the arrays that a reader returned, or None."""
    for name, array in arrays.items():
        ending = ENDINGS.get(name, shape)
        if ending and (array.shape[1:] != ending or array.dtype != np.float32 or not len(array)):
            return f'{name} has shape {array.shape} and type {array.dtype}'
        if not np.isfinite(array).all():
            return f'{name} is not finite'
        if np.isclose(array, mutants.SECRET_NUMBER / 1000).all():
            return f'{name} was read from another file'
    return None if arrays else 'nothing was read'


# what may be found in the place of a file

def _file_of(size, *pieces):
    def make(path):
        with open(path, 'wb') as file:
            for place, piece in pieces:
                file.seek(place)
                file.write(piece)
            file.truncate(size)
    return make


TERABYTE = 1 << 40
ZIP_END = b'PK\5\6\0\0\0\0\1\0\1\0'
PLACES = {
    'a folder': Path.mkdir, 'a device': lambda path: path.symlink_to('/dev/zero'), 'a pipe': os.mkfifo,
    'nothing': lambda path: None, 'a link to itself': lambda path: path.symlink_to(path),
    'an empty file': _file_of(0), 'a file that may not be read': lambda path: path.touch(0),
    'a terabyte of zeros': _file_of(TERABYTE),
    'a terabyte of zip': _file_of(
        TERABYTE, (0, b'PK\3\4'), (TERABYTE - 22, ZIP_END + b'\0\0\0\x7f\0\0\0\x7f\0\0')),
    'eight gigabytes of zip': _file_of(
        8 << 30, (0, b'PK\3\4'), ((8 << 30) - 22, ZIP_END + b'\xf0\xff\xff\xff\0\0\0\0\0\0')),
    'a terabyte of npy': _file_of(TERABYTE, (0, mutants.npy_bytes(
        dict(descr='<f8', fortran_order=False, shape=(TERABYTE // 8 - 16,)), b''))),
    'a terabyte of pickle': _file_of(
        TERABYTE, (0, mutants.OBJECT_HEAD + b'\x80\4\x8e' + TERABYTE.to_bytes(8, 'little'))),
    'a terabyte of MATLAB': _file_of(
        TERABYTE, (0, b'MATLAB 5.0'.ljust(124) + b'\0\1IM' + b'\x0e\0\0\0\xff\xff\xff\xff'))}


# the worker: reads mutants one after the other

def serve(folder):
    """Answer each line of JSON, (kind, mutation, seed), on stdin by one with the verdict on stdout."""
    folder, answers = Path(folder), os.dup(1)
    os.dup2(2, 1)                               # what a reader prints must not stand among the answers
    bases, watch = furnish(folder), Watch(folder / 'audit.log')
    honest = {kind: verdict(kind, base.path.read_bytes(), folder, watch)['digest'] for kind, base in bases.items()}
    for name in ('utf-16-be', 'utf-16-le', 'utf-32-be', 'utf-32-le', 'cp437', 'latin-1'):
        codecs.lookup(name)                     # json, zipfile and torch ask for them where a file does
    watch.forget()                              # reading for the first time imports what is needed
    limited.WALL_SECONDS, limited.MEMORY_BYTES = .2, 1 << 26        # small, so that bombs take less time
    limit = address_space() + (4 << 30)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.write(answers, b'ready\n')
    for line in sys.stdin:
        kind, name, seed = json.loads(line)
        answer = verdict(kind, content_of(kind, name, seed, bases), folder, watch)
        changed = name in mutants.CHECKED.get(kind, ()) and answer.get('digest', honest[kind]) != honest[kind]
        answer['fault'] = answer['fault'] or ('it was damaged, and read as another sound file' if changed else None)
        os.write(answers, (json.dumps(answer) + '\n').encode())


def content_of(kind, name, seed, bases):
    """The bytes of a mutant, or a function that makes it at a path."""
    if kind == 'careless':
        return name.encode()
    return PLACES[name] if name in PLACES else mutants.MUTATIONS[kind][name](bases[kind], np.random.default_rng(seed))


def furnish(folder):
    """The bases, and the other files that their readers need; a data set of one sequence counts as whole."""
    bases = mutants.build_bases(folder / 'honest')
    prepare_data_h36m.SUBJECTS, prepare_data_h36m.SEQUENCES_PER_SUBJECT = ('S1',), 1
    for reader in READERS.values():
        (folder / reader.place).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(folder / 'honest' / 'twoDPose_HRN_train.npy', folder / 'hr')
    shutil.copy(bases['pose2d'].path, pose2d_h36m_path(folder / 'pose3d', 'gt'))
    shutil.copy(bases['pose3d'].path, pose3d_h36m_path(folder / 'pose2d'))
    return bases


def address_space():
    return int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()


class Watch:
    """An audit hook that logs what a reader of `path` does, also in a process that it forks."""

    def __init__(self, log):
        self.log, self.path = os.open(log, os.O_RDWR | os.O_CREAT | os.O_APPEND), None
        sys.addaudithook(self)

    def __call__(self, event, arguments):
        if self.path is not None and not self.harmless(event, arguments):
            os.write(self.log, f'{event} {str(arguments)[:200]}; '.encode(errors='replace'))

    def harmless(self, event, arguments):
        if event == 'open':
            path, _, flags = arguments
            if path == '<string>':          # Python 3.12 looks for the source of a warning's line
                return True
            if isinstance(path, int) or path in OTHER_FILES:
                return True
            return str(path).startswith(str(self.path.parent)) and not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if event == 'compile':
            return arguments[1] == '<unknown>'          # ast.literal_eval, on the header of an .npy file
        return event in HARMLESS

    def forget(self):
        """The log, which is emptied."""
        events = os.pread(self.log, 2000, 0).decode()
        os.ftruncate(self.log, 0)
        return events


def verdict(kind, content, folder, watch):
    """The result of reading a file: a fault, the error's message or a digest of the arrays, and the peak of memory."""
    reader, path = READERS[kind], folder / READERS[kind].place
    clear(path)
    content(path) if callable(content) else path.write_bytes(content)
    with warnings.catch_warnings(record=True) as noise:
        warnings.simplefilter('always')
        answer = attempt(reader, path, watch)
    clear(path)
    events = watch.forget()
    if events or noise:
        answer['fault'] = answer['fault'] or f'beside reading: {events} {[str(warning.message) for warning in noise]}'
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) // 1024
    return dict(answer, peak_mib=peak)


def clear(path):
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    path.unlink(missing_ok=True)


def attempt(reader, path, watch):
    """One reading under watch: dict of fault, message, digest."""
    watch.path = path
    try:
        arrays = reader.read(path)
        watch.path = None
        return dict(fault=flaw(arrays, reader.shape), message=None, digest=digest(arrays))
    except InputError as error:
        watch.path = None
        return dict(fault=fault_of_message(str(error), path), message=str(error))
    except BaseException:
        watch.path = None
        return dict(fault=traceback.format_exc(limit=-6), message=None)


def fault_of_message(message, path):
    if not any(str(place) in message for place in (path, path.parent)):
        return f'the message does not name the file: {message[:500]!r}'
    if not message.isprintable() or len(message) > LONGEST_MESSAGE:
        return f'the message is unfit to be printed: {message[:500]!r}'
    return None


def digest(arrays):
    parts = (name.encode(errors='replace') + array.tobytes() for name, array in sorted(arrays.items()))
    return hashlib.sha1(b''.join(parts)).hexdigest()


# the parent

class Worker:
    """A process that runs `serve`; it is restarted after a mutant that killed it, took too much memory or was too slow."""

    def __init__(self, folder):
        self.folder, self.process = Path(folder), None

    def ask(self, kind, name, seed=0, seconds=SECONDS):
        """The verdict on one mutant."""
        if self.process is None:
            self._start()
        self.process.stdin.write((json.dumps([kind, name, seed]) + '\n').encode())
        self.process.stdin.flush()
        ready, _, _ = select.select([self.process.stdout], [], [], seconds)
        line = self.process.stdout.readline() if ready else b''
        answer = json.loads(line) if line else {}
        if line and answer['peak_mib'] <= MAX_MIB:
            return answer
        code = self.stop() if not ready or line else self.process.wait()
        self.process = None
        died = f'it took {answer["peak_mib"]} MiB' if line else f'the reader died with exit code {code}'
        return dict(fault=died if ready else 'it hangs', message=None)

    def _start(self):
        environment = {**os.environ, 'OMP_NUM_THREADS': '1', 'OPENBLAS_NUM_THREADS': '1',
                       'GLIBC_TUNABLES': 'glibc.malloc.hugetlb=1'}          # fewer pages, so a fork takes half as long
        self.process = subprocess.Popen([sys.executable, __file__, 'serve', str(self.folder)], cwd=self.folder,
                                        env=environment,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert self.process.stdout.readline() == b'ready\n'

    def stop(self):
        if self.process is not None:
            self.process.kill()
            return self.process.wait()


def jobs(kind, seeds=SEEDS):
    """(kind, mutation, seed) of every mutation of a kind; slow ones have fewer seeds."""
    return [(kind, name, seed) for name in mutants.MUTATIONS[kind] for seed in seeds[:FEW.get(name)]]


@pytest.fixture(scope='module')
def worker(tmp_path_factory):
    worker = Worker(tmp_path_factory.mktemp('worker'))
    yield worker
    worker.stop()


def test_the_mutants_are_two_thousand():
    assert sum(len(jobs(kind)) for kind in mutants.MUTATIONS) >= 2000


@pytest.mark.parametrize('kind', mutants.MUTATIONS)
def test_mutants_end_in_a_sound_result_or_in_one_clear_error(worker, kind):
    answers = {job: worker.ask(*job) for job in jobs(kind)}
    faults = {job: answer['fault'] for job, answer in answers.items() if answer['fault']}
    assert not faults, '\n'.join(f'{job}: {fault}' for job, fault in faults.items())
    refused = sum(answer['message'] is not None for answer in answers.values())
    assert len(answers) // 2 < refused < len(answers)       # most are refused, and the reader still reads


@pytest.mark.parametrize('kind', mutants.MUTATIONS)
def test_what_is_no_plain_file_is_refused(worker, kind):
    for place in PLACES if kind != 'mat' else PLACES.keys() - {'nothing'}:      # there, a sequence lacks
        answer = worker.ask(kind, place)
        assert answer['message'] and not answer['fault'], (place, answer)


@pytest.mark.parametrize('name', ALARMS)
def test_every_fault_of_a_reader_is_noticed(worker, name):
    """Each check of the tests above fails once."""
    assert ALARMS[name] in worker.ask('careless', name, seconds=2 if name == 'hangs' else SECONDS)['fault']


# flags

@pytest.fixture
def refused(tiny_root, capsys, tmp_path, monkeypatch):
    """A function: run a script that must refuse its input; its one line on stderr."""
    monkeypatch.chdir(tmp_path)

    def run(script, *flags):
        with pytest.raises(SystemExit) as stopped:
            script.main(['--device', 'cpu', '--data_root', str(tiny_root), *map(str, flags)])
        lines = capsys.readouterr().err.splitlines()
        assert stopped.value.code == 2 and len(lines) == 1 and lines[0].startswith('error: '), lines
        return lines[0]

    return run


@pytest.mark.parametrize('place', PLACES)
@pytest.mark.parametrize('script, flags', [
    (run_evaluate, ('--evaluate',)), (run_baseline, ('--resume',)), (run_poseaug, ('--resume',)),
    (run_poseaug, ('--note', 'x', '--pretrain_path')), (run_baseline, ('--pretrain_path',)),
    (run_poseaug, ('--bl_templates',))],
    ids=['evaluate', 'baseline-resume', 'poseaug-resume', 'poseaug-pretrained', 'baseline-pretrained', 'templates'])
def test_flags_that_point_at_no_plain_file(refused, tmp_path, script, flags, place):
    path = tmp_path / 'it.npy'
    PLACES[place](path)
    assert str(path) in refused(script, *flags, path)
    assert [entry.name for entry in tmp_path.iterdir()] == ([] if place == 'nothing' else ['it.npy'])


# resuming a run from a readable checkpoint with wrong content

class Continuable(NamedTuple):
    """A run directory, and what its last checkpoint holds."""
    run: Path
    content: dict


PARSERS = {POSEAUG_KEY: (poseaug_parser, PoseAugState)}


@pytest.fixture(scope='module', params=PARSERS)
def kind(request):
    return request.param


@pytest.fixture(scope='module')
def continuable(kind, tmp_path_factory):
    """A run of SemGCN, the smallest lifter, whose optimizers have made a step, three epochs before its end."""
    parser, State = PARSERS[kind]
    args = parse(parser(''), ['--posenet_name', 'gcn', '--stages', '1', '--checkpoint', str(tmp_path_factory.mktemp('runs')),
                              '--s1only', 'true', '--actions', 'Walking', '--epochs', '5'])
    args.keep_snapshots = False
    state = State(args, torch.device('cpu'))
    state.epoch, state.epoch0_scores, state.best = 2, (90., 70., 110., 80.), dict.fromkeys(BEST, 60.)
    state.pools.fake3d.exchange(torch.ones(9, 16, 3))
    assert goes_on(state, args)
    run = RunDirectory(args, 'stamp', ('epoch',))
    run.save_last(state.state_dict())
    run.close()
    return Continuable(run.path, read_checkpoint(run.path / LAST))


def goes_on(state, args):
    """Whether all weights stay finite in what a run does first: steps, new learning rates, a log row, fakes for the pools."""
    for optimizer in (*state.optimizers, state.lifter_optimizer):
        for parameter in optimizer.param_groups[0]['params']:
            parameter.grad = torch.full_like(parameter, 1e-3)
        optimizer.step()
    state.schedule(args)
    fakes = [pool.exchange(torch.ones(5, *pool.items.shape[1:])) for pool in state.pools]
    ''.join(f'{value:.6f}' for value in (*state.epoch0_scores, *state.best.values()))
    values = [value for network in state.game for value in network.state_dict().values()]
    return all(value.isfinite().all() for value in (*values, *fakes))


@pytest.fixture(scope='module')
def continuing(kind, continuable):
    """A function: take over a checkpoint's content as --resume does; the state, or the InputError's message."""
    parser, State = PARSERS[kind]
    state = None

    def take(content):
        nonlocal state
        flags = parser('')
        args = parse(flags, ['--resume', str(continuable.run)])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr('utils.runs.resume.read_checkpoint', lambda path: content)      # other tests read mutants of files
            try:
                resumed = resume(args, kind, flags)
                state = state or State(args, torch.device('cpu'))
                take_over(state, resumed.content, resumed.directory)
            except InputError as error:
                return str(error)
        return state, args
    take(continuable.content)
    return take


def changed(*place, to):
    """A function: content -> a copy with `to`, or what the function `to` makes of the old value, at a place."""
    def change(container, key):
        container[key] = to(container[key]) if callable(to) else to
    return lambda content: mutants.with_changed(content, place, change)


MOMENT = 'optimizer_d3d', 'state', 3, 'exp_avg'
GROUP = 'optimizer_g', 'param_groups', 0
NAN = float('nan')
NOT_CONTINUED = {
    'moment of another shape': changed(*MOMENT, to=lambda value: value[:1]),
    'moment of doubles': changed(*MOMENT, to=lambda value: value.double()),
    'moment of NaN': changed(*MOMENT, to=lambda value: value * NAN),
    'moments without one': changed(*MOMENT[:3], to=lambda value: {'step': value['step'], 'exp_avg': value['exp_avg']}),
    'moments of no parameter': changed('optimizer_p', 'state', to=lambda value: {**value, 10 ** 6: value[0]}),
    'negative square': changed(*MOMENT[:3], 'exp_avg_sq', to=lambda value: value - 1),
    'negative step': changed(*MOMENT[:3], 'step', to=torch.tensor(-1.)),
    'no moments': changed('optimizer_d2d', to={'param_groups': []}),
    'rate of NaN': changed(*GROUP, 'lr', to=NAN), 'rate as text': changed(*GROUP, 'lr', to='1e-4'),
    'rate in a tensor': changed(*GROUP, 'lr', to=torch.tensor(NAN)), 'no group': changed(*GROUP[:2], to=[]),
    'pool overfull': changed('pool_3d', '_extra_state', to=4097), 'pool below empty': changed('pool_2d', '_extra_state', to=-1),
    'pool filled by half a pose': changed('pool_3d', '_extra_state', to=1.5),
    'pool of other poses': changed('pool_3d', 'items', to=torch.zeros(4096, 17, 3)),
    'smaller pool': changed('pool_2d', 'items', to=lambda value: value[:7]),
    'pool of NaN': changed('pool_2d', 'items', to=lambda value: value * NAN),
    'best of others': changed('best', to={'h36m_p1': 5.}), 'best as text': changed('best', 'dhp_p2', to='60'),
    'best of NaN': changed('best', 'dhp_p1', to=NAN), 'best beyond any float': changed('best', 'dhp_p1', to=10 ** 400),
    'three first scores': changed('epoch0_scores', to=(1., 2., 3.)), 'no first scores': changed('epoch0_scores', to=None),
    'first scores as text': changed('epoch0_scores', to='abcd'), 'negative iteration': changed('iteration', to=-1),
    'huge iteration': changed('iteration', to=1 << 63), 'restarts as text': changed('restarts', to='1'),
    'half a restart': changed('restarts', to=.5), 'signs as a list': changed('signs', to=['x']),
    'an epoch after the last': changed('epoch', to=6), 'sizes by number': changed('sizes', to={5: 5}),
    'a number as text': changed('arguments', 'epochs', to='5'), 'a switch as text': changed('arguments', 's1only', to='True'),
    'a thousand stages': changed('arguments', 'stages', to=1000), 'nothing': changed('arguments', 'lr_d', to=None),
    'an endless number': changed('arguments', 'lr_g', to=10 ** 400), 'an endless name': changed('best', to={10 ** 5000: 5.}),
    'weights of NaN': changed('model_d2d', to=lambda value: {name: entry * NAN for name, entry in value.items()}),
    'weights of doubles': changed('model_pos', to=lambda value: {name: entry.double() for name, entry in value.items()}),
    'no critic': changed('model_d3d', to={})}
HARMLESS_GROUPS = {'fused': NAN, 'betas': ('a', 'b'), 'foreach': 5, 'eps': None, 'params': 'x', 'amsgrad': True, 'another': {}}


@pytest.mark.parametrize('name', NOT_CONTINUED)
def test_what_no_run_has_written_is_not_continued(continuable, continuing, name):
    message = continuing(NOT_CONTINUED[name](continuable.content))
    assert isinstance(message, str) and not fault_of_message(message, continuable.run / LAST)


def test_only_the_rate_of_an_optimizer_is_taken_from_a_file(continuable, continuing):
    for name, value in HARMLESS_GROUPS.items():
        state, args = continuing(changed(*GROUP, name, to=value)(continuable.content))
        assert state.optimizers.augmentor.param_groups[0].get(name) == args_of_adam(state).get(name)
        assert goes_on(state, args)


def args_of_adam(state):
    return adam(state.game.augmentor, 1e-4).param_groups[0]


def test_mutants_of_what_a_run_continues_from(continuable, continuing):
    refusals, jobs = 0, list(itertools.product(sorted(continuable.content.keys() - {'environment'}), SEEDS[:8]))
    for part, seed in jobs:
        place, content = mutants.resumable_strange(continuable.content, part, np.random.default_rng(seed))
        try:
            outcome = continuing(content)
            fault = (fault_of_message(outcome, continuable.run / LAST) if isinstance(outcome, str)
                     else None if goes_on(*outcome) else 'it cannot go on')
        except Exception:
            fault = traceback.format_exc(limit=-4)
        assert not fault, f'{place}, seed {seed}: {fault}'
        refusals += isinstance(outcome, str)
    assert len(jobs) // 2 < refusals < len(jobs)


@pytest.mark.parametrize('name', ['moment of another shape', 'an epoch after the last', 'weights of NaN'])
def test_a_run_that_cannot_be_continued_is_left_as_it_is(continuable, refused, tmp_path, name):
    run = shutil.copytree(continuable.run, tmp_path / 'run')
    torch.save(NOT_CONTINUED[name](continuable.content), run / LAST)
    (run / 'log.txt').write_text('longer than the checkpoint says' * 99)
    before = {file.name: file.read_bytes() for file in run.iterdir()}
    assert str(run) in refused(run_poseaug, '--resume', run)
    assert {file.name: file.read_bytes() for file in run.iterdir()} == before


if __name__ == '__main__':
    if sys.argv[1] == 'serve':
        serve(sys.argv[2])
    else:
        with tempfile.TemporaryDirectory() as folder:
            worker = Worker(folder)
            print(json.dumps(worker.ask(sys.argv[1], sys.argv[2], int(sys.argv[3])), indent=1))
            worker.stop()
