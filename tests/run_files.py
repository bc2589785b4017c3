"""Small run directories with known scores, as our trainers and the reference leave them."""
from tensorboardX import SummaryWriter

from function_baseline import scores
from function_baseline.evaluate import PoseErrors
from utils.runs.events import EventFile
from utils.runs.score_names import TAGS


def errors(mpjpe_mm):
    """PoseErrors whose figures all follow from one."""
    return PoseErrors(mpjpe_mm, mpjpe_mm * .75, 100 - mpjpe_mm / 8, 60 - mpjpe_mm / 8, 99 - mpjpe_mm / 8,
                      59 - mpjpe_mm / 8, 100, {})


def write_run(path, epochs, more=()):
    """Event files as the trainers write them; `epochs`: (epoch, suffix, MPJPE on Human3.6M, on 3DHP)."""
    path.mkdir(parents=True, exist_ok=True)
    file = EventFile(path)
    for step, figures in more:
        file.scalars(figures, step)
    for epoch, suffix, h36m, dhp in epochs:
        file.scalars(scores.tagged(errors(h36m), errors(dhp), suffix), epoch)
    file.close()
    return path


BASELINE = [(1, '', 90, 140), (2, '', 70, 120), (3, '', 75, 110)]
POSEAUG = [(0, '_fake', 70, 120), (0, '_real', 70, 120), (3, '_fake', 99, 95), (3, '_real', 66, 105),
           (4, '_fake', 60, 118), (4, '_real', 64, 100), (5, '_fake', 88, 97), (5, '_real', 65, 102)]


def make_runs(folder):
    """A baseline and a PoseAug run of mlp on gt, as ours leave them; returns the folder."""
    write_run(folder / 'pretrain_baseline/mlp/gt/0101000000_pretrain', BASELINE,
              more=[(epoch, {'train/loss': 1 / epoch}) for epoch in (1, 2, 3)])
    write_run(folder / 'poseaug/mlp/gt/2026-01-02T00:00:00_poseaug', POSEAUG,
              more=[(step, {'train_G_iter/gen_loss': 9. - step / 1000}) for step in range(3000)])
    return folder


def make_runs_of_the_reference(folder):
    """gcn on hr as the reference leaves them: a baseline with a log alone, PoseAug with one event per figure."""
    log = folder / 'pretrain_baseline/gcn/hr/0101000000_pretrain/log.txt'
    log.parent.mkdir(parents=True)
    columns = 'epoch lr loss_train error_h36m_p1 error_h36m_p2 error_3dhp_p1 error_3dhp_p2'.split()
    rows = [[epoch, 1e-3, .1, *scores.columns(errors(h36m), errors(dhp))] for epoch, _, h36m, dhp in BASELINE]
    log.write_text('\n'.join(['lr: 0.001', 'posenet_name: gcn', ''.join(f'{name}\t' for name in columns),
                              *(''.join(f'{value:.6f}\t' for value in row) for row in rows), '']))
    with SummaryWriter(str(folder / 'poseaug/gcn/hr/2021-01-01T00:00:00_poseaug')) as writer:
        writer.add_scalar('train_G_iter_diff_log/log_angle@bone_00', 1., 0)
        for epoch, suffix, h36m, dhp in POSEAUG:
            for place, error in zip(TAGS.values(), (h36m, dhp)):
                writer.add_scalar(f'{place}/p1score{suffix}', error, epoch)
                writer.add_scalar(f'{place}/p2score{suffix}', error * .75, epoch)
    return folder
