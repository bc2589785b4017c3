"""run_visualize.py on a tiny run: which files each kind of picture leaves, and what is refused."""
import pytest
import torch

import run_visualize
from common.bones import bone_vectors, unit_bones
from function_poseaug.arguments import poseaug_parser
from models_baseline import build_lifter
from models_poseaug.augmentor import Augmentor
from utils.runs.checkpoint import BASELINE_BEST, LAST
from utils.runs.run_directory import plain_arguments


def write_run(folder, content):
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(content, folder / LAST)
    return folder


@pytest.fixture(scope='module')
def runs(tiny_root, tmp_path_factory):
    """A folder with a PoseAug run, as its last checkpoint, and a baseline's checkpoint."""
    folder = tmp_path_factory.mktemp('runs')
    torch.manual_seed(0)
    lifter = build_lifter('mlp', 1, 0.)
    arguments = plain_arguments(poseaug_parser('').parse_args(['--data_root', str(tiny_root), '--posenet_name', 'mlp',
                                                               '--stages', '1']))
    write_run(folder / 'poseaug', {'model_pos': lifter.state_dict(), 'model_g': Augmentor().state_dict(), 'epoch': 1,
                                   'arguments': arguments})
    torch.save({'state_dict': lifter.state_dict(), 'epoch': 1}, folder / BASELINE_BEST)
    return folder


def visualize(*flags):
    return [path.name for path in run_visualize.main([str(flag) for flag in flags])]


@pytest.mark.slow
@pytest.mark.parametrize('kind, names', [
    ('views', ['views.png']), pytest.param('histograms', ['histograms.png'], marks=pytest.mark.slow),
    pytest.param('gallery', ['gallery.png', 'gallery.pdf'], marks=pytest.mark.slow)])
def test_pictures_of_a_run_lie_in_its_directory(kind, names, runs):
    formats = [name.split('.')[1] for name in names]
    assert visualize(kind, '--run', runs / 'poseaug', '--poses', 3, '--format', *formats) == names
    assert all((runs / 'poseaug' / name).stat().st_size > 5000 for name in names)


@pytest.mark.slow
def test_errors_of_checkpoints_side_by_side(runs, tiny_root, tmp_path, capsys):
    written = visualize('errors', '--evaluate', runs / BASELINE_BEST, runs / 'poseaug' / LAST, '--data_root', tiny_root,
                        '--device', 'cpu', '--output', tmp_path)
    assert written == ['errors_joints.png', 'errors_actions.png']
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(written)
    assert str(tmp_path / 'errors_joints.png') in capsys.readouterr().out
    assert [run_visualize.name_of(path) for path in (runs / BASELINE_BEST, runs / 'poseaug' / LAST)] == [
        'baseline', 'PoseAug']


@pytest.mark.slow
def test_the_seed_chooses_the_poses_and_the_run_the_data(runs):
    def sample(*flags):
        args = run_visualize.parser().parse_args(['gallery', '--run', str(runs / 'poseaug'), *flags])
        return run_visualize.sample_of_run(args)[0].pose3d_cam['RT']

    first = sample()
    assert torch.equal(first, sample()) and not torch.equal(first, sample('--random_seed', '1'))
    assert len(first) == 4
    assert torch.equal(sample('--poses', '2'), first[:2])       # the augmentor normalises over more than are shown


@pytest.mark.slow
def test_what_cannot_be_drawn_is_refused_in_a_line(runs, tiny_root, tmp_path, capsys):
    wrong = Augmentor().state_dict()
    wrong['rotation.w2.weight'] = torch.zeros(4, 256)
    arguments = torch.load(runs / 'poseaug' / LAST)['arguments']
    no_run = write_run(tmp_path / 'baseline', {'state_dict': {}, 'arguments': {}})
    misshapen = write_run(tmp_path / 'misshapen', {'model_g': wrong, 'arguments': arguments})
    twice = ['--evaluate', runs / BASELINE_BEST, runs / BASELINE_BEST, '--data_root', tiny_root]
    for flags, message in ((['views', '--run', tmp_path / 'nowhere'], 'is no file'),
                           (['views', '--run', no_run], 'holds no augmentor'),
                           (['gallery', '--run', misshapen], 'of another shape'),
                           (['errors', *twice], 'give --names'),
                           (['errors', *twice, '--names', 'one'], 'give --names'),
                           (['gallery', '--run', runs / 'poseaug', '--poses', '0'], 'whole number'),
                           (['errors', '--evaluate', runs / BASELINE_BEST, '--s1only', 'true'], 'unrecognized arguments'),
                           (['gallery', '--run', runs / 'poseaug', '--format', 'gif'], 'invalid choice'),
                           ([], 'KIND')):
        with pytest.raises(SystemExit) as end:
            visualize(*flags)
        said = capsys.readouterr().err
        assert end.value.code == 2 and message in said and said.count('\n') == 1, said


@pytest.mark.slow
def test_a_gallery_of_chosen_poses_shows_these(runs):
    """Their captions come from the sample, whose first poses are the chosen ones with other bone lengths."""
    args = run_visualize.parser().parse_args(['gallery', '--run', str(runs / 'poseaug'), '--numbers', '3', '0'])
    sample, _ = run_visualize.sample_of_run(args)
    other, _ = run_visualize.sample_of_run(run_visualize.parser().parse_args(
        ['gallery', '--run', str(runs / 'poseaug'), '--numbers', '3', '0', '--random_seed', '5']))
    directions = [unit_bones(bone_vectors(part.pose3d_cam['source'])) for part in (sample, other)]
    assert len(directions[0]) == 2
    torch.testing.assert_close(*directions, rtol=0, atol=1e-5)
