"""What TensorBoard shows of a PoseAug run: the augmentation, besides what function_baseline/dashboard.py shows."""
from tensorboardX import summary

from function_baseline.dashboard import (ERRORS, JOINTS, SAMPLE, SET_NAMES, figure_summary, hardness_image,
                                         joint_errors, merged, scalars, score_tags)
from function_poseaug.statistics import captions, quantities, sample_augmentations
from function_poseaug.steps import HEALTH, KEPT_SHARE, inside_image
from models_baseline.temporal import is_temporal
from utils.pictures.sheets import NARROW, augmentation_figure
from utils.runs.score_names import TAGS

SHOWN = 2          # poses whose augmentation is drawn
BEFORE_REAL = {f'{SET_NAMES[place]}, MPJPE before the real pairs': ['Multiline', [f'{tag}/p1score_fake']]
               for place, tag in TAGS.items()}
LAYOUT = {
    'Errors, mm': {**ERRORS, **BEFORE_REAL},
    'Errors of joints, mm': JOINTS,
    'Augmentor': {
        'whole loss': ['Multiline', ['train_G_iter/gen_loss']],
        'against the critics': ['Multiline', ['train_G_iter_PoseAug/g[23]d_adv_loss']],
        'angles and lengths off their bands': ['Multiline', ['train_G_iter_diff_loss/']],
        'turn of each bone, degrees': ['Multiline', ['train_G_iter_diff_log/log_angle_bone']]},
    'Critics': {
        'losses': ['Multiline', ['train_G_iter_PoseAug/d[23]d_dis_loss']],
        'right about real poses': ['Multiline', ['train_G_iter_PoseAug/d[23]d_real_acc']],
        'right about augmented poses': ['Multiline', ['train_G_iter_PoseAug/d[23]d_fake_acc']]},
    "Lifter's feedback": {
        'errors: source, BA, RT': ['Multiline', ['train_G_iter_posenet_feedback/[123]__']],
        'how much harder: BA': ['Multiline', ['train_G_iter_posenet_feedback/ba_hard_(mean|std)$']],
        'how much harder: RT': ['Multiline', ['train_G_iter_posenet_feedback/rt_hard_(mean|std)$']]},
    'Health of the game': {
        'differences between the augmented poses': ['Multiline', [f'{HEALTH}/.*_spread']],
        'share of poses kept': ['Multiline', [KEPT_SHARE]], 'norms of the gradients': ['Multiline', [f'{HEALTH}/gradient']]}}


def epoch_summary(game, training, templates, tests, row, draws, symmetric_filter=False):
    """The Summary of an epoch: SAMPLE augmented poses, their statistics, and the hardest and easiest for the lifter.

    `templates` (S, 15) metres; `row`: the four scores of the log, mm; `draws`: a generator on the game's device. The
    hardest and easiest poses are chosen among those that pass the filter and train the lifter.
    """
    sample = sample_augmentations(game.augmentor, training, templates, SAMPLE, draws)
    pose2d, pose3d_cam = sample.pose2d['RT'], sample.pose3d_cam['RT']
    kept = inside_image(pose2d, symmetric_filter) & (not is_temporal(game.lifter))      # these are no clips
    return merged(scalars(dict(zip(score_tags(tests.names), row))), scalars(joint_errors(game.lifter, tests, draws.device)),
                  augmentation_image(sample), histograms(sample),
                  hardness_image('augmentation/hardest_and_easiest', game.lifter, pose2d[kept], pose3d_cam[kept],
                                 training.skeleton))


def augmentation_image(sample):
    """Summary with a picture of the first poses of an AugmentedSample after each stage."""
    pose3d_cam, pose2d = ({stage: poses[:SHOWN].cpu().numpy() for stage, poses in stages.items()}
                          for stages in (sample.pose3d_cam, sample.pose2d))
    return figure_summary('augmentation/source_BA_BL_RT',
                          augmentation_figure(pose3d_cam, pose2d, captions(sample)[:SHOWN], 1, NARROW, sample.skeleton))


def histograms(sample):
    """Histograms of an AugmentedSample: <quantity>/<stage>; values beyond the bins are counted in the outermost ones."""
    return merged(*(summary.histogram(f'{name}/{stage}'.replace(' ', '_'),
                                      values.clamp(edges[0], edges[-1]).cpu().numpy(), bins=edges)
                    for name, (_, edges, _, series) in quantities(sample).items() for stage, values in series.items()))
