"""Where cameras stand around the body, and how far, as spheres, maps and histograms.

Directions are (N, 3) in the body's frame, left, up, front, and densities SphereDensity, both of
function_poseaug.statistics.
"""
import numpy as np

from utils.pictures.drawing import SERIES, STAGE_COLOURS, bone_colours, bone_segments, new_figure, side_legend

DOTS = 1000            # directions shown on a sphere
BODY_SCALE = .75       # of a person in the middle of a sphere of radius 1
SPHERE_VIEW = dict(elev=18, azim=40)


def views_figure(panels, body):
    """The sphere of views and its map for each set of poses: `panels` title -> (directions, density, share).

    `share` of the sphere holds nine tenths of the density. `body` (16, 3) metres, in the body's frame, is drawn in the
    middle of the spheres. All maps have one scale.
    """
    figure = new_figure(figsize=(4.2 * len(panels), 7))
    # the root of the density keeps what is rare in sight
    top = max(float(density.relative.max()) for _, density, _ in panels.values())
    for column, (title, (directions, density, share)) in enumerate(panels.items()):
        left, width = column / len(panels), 1 / len(panels)
        sphere = figure.add_axes((left, .46, width, .44), projection='3d')
        draw_sphere(sphere, np.asarray(directions), body)
        figure.text(left + width / 2, .97, title, ha='center', va='center', fontsize=11, weight='bold')
        figure.text(left + width / 2, .935, f'9 in 10 views lie on {100 * share:.0f} % of the sphere', ha='center',
                    va='center', fontsize=9)
        mesh = draw_map(figure.add_axes((left + .12 * width, .19, .82 * width, .26), projection='mollweide'), density,
                        top)
    bar = figure.colorbar(mesh, cax=figure.add_axes((.3, .14, .4, .02)), orientation='horizontal')
    bar.set_label('density of camera directions (1 = all directions alike)', fontsize=9)
    bar.set_ticks(_density_ticks(top))
    side_legend(figure, note=f'Spheres: up to {DOTS:,} of the cameras about a mean body; pale ones stand on the far side. '
                             'Maps: all cameras, as seen by the body.')
    return figure


def draw_sphere(axes, directions, body):
    """A sphere about the body, a dot where each camera stood: strong on the near side of the sphere, else pale."""
    from mpl_toolkits.mplot3d.art3d import Line3DCollection
    axes.set_proj_type('ortho')
    towards_us = _unit_vector(**SPHERE_VIEW)
    for pole in (*np.eye(3), towards_us):
        axes.plot(*_great_circle(pole), color='0.75', linewidth=.8)
    axes.add_collection3d(Line3DCollection(bone_segments(upright(body) * BODY_SCALE), colors=bone_colours(),
                                           linewidths=2))
    dots = upright(directions[:DOTS])
    near = dots @ towards_us > 0
    for side, alpha in ((~near, .2), (near, .8)):
        axes.scatter(*dots[side].T, s=5, color=SERIES[1], alpha=alpha, linewidths=0, depthshade=False)
    for name, place in (('front', (1.3, 0, 0)), ('left', (0, 1.2, 0)), ('above', (0, 0, 1.12))):
        axes.text(*place, name, ha='center', va='center', fontsize=9,
                  bbox=dict(facecolor='white', edgecolor='none', alpha=.8, pad=.5))
    axes.set(xlim=(-1, 1), ylim=(-1, 1), zlim=(-1, 1))
    axes.set_box_aspect((1, 1, 1), zoom=1.45)
    axes.set_axis_off()
    axes.view_init(**SPHERE_VIEW)


def _unit_vector(elev, azim):
    """(3,) towards the eye that matplotlib's angles, degrees, stand for."""
    elev, azim = np.deg2rad([elev, azim])
    return np.array([np.cos(elev) * np.cos(azim), np.cos(elev) * np.sin(azim), np.sin(elev)])


def _great_circle(pole):
    """(3, 73): points of the unit circle about the axis `pole` (3,)."""
    _, _, (_, first, second) = np.linalg.svd(pole[None])
    turns = np.linspace(0, 2 * np.pi, 73)
    return np.outer(first, np.cos(turns)) + np.outer(second, np.sin(turns))


def upright(vectors):
    """(..., 3) left, up, front -> front, left, up, the way matplotlib draws: z up, right-handed."""
    return np.asarray(vectors)[..., [2, 0, 1]]


def draw_map(axes, density, top):
    """A SphereDensity as a map of equal areas, coloured from 0 to `top`; returns what a colour bar needs.

    Seen from the body: its left is on the left of the map.
    """
    from matplotlib.colors import PowerNorm
    azimuths, elevations = (np.deg2rad(np.asarray(values)) for values in (density.azimuths_deg, density.elevations_deg))
    mesh = axes.pcolormesh(-azimuths, elevations, np.asarray(density.relative), cmap='viridis', shading='nearest',
                           norm=PowerNorm(.5, 0, top), rasterized=True)
    places = {120: '120°', 60: '60°', 0: 'front', -60: '-60°', -120: '-120°'}
    axes.set_xticks(np.deg2rad([-place for place in places]), list(places.values()), color='white', fontsize=8)
    axes.set_yticks(np.deg2rad([-60, -30, 0, 30, 60]), ['-60°', '-30°', '0°', '30°', '60°'], fontsize=8)
    axes.grid(color='white', alpha=.35, linewidth=.6)
    axes.set_xlabel('azimuth, positive to the left', fontsize=9)
    axes.set_ylabel('elevation', fontsize=9)
    return mesh


def _density_ticks(top):
    return [0] + [tick for tick in (1, 5, 10, 20, 50, 100, 200) if tick <= top]


def histograms_figure(panels):
    """A histogram per panel; `panels` title -> Quantity of function_poseaug.statistics.

    What lies beyond the edges is counted in the outermost bins.
    """
    from matplotlib.ticker import MultipleLocator
    down = -(-len(panels) // 2)
    figure = new_figure(figsize=(9, 2.7 * down), layout='constrained')
    for place, (title, (label, edges, tick, series)) in enumerate(panels.items(), start=1):
        axes = figure.add_subplot(down, 2, place)
        for name, values in series.items():
            draw_histogram(axes, np.asarray(values), edges, name, STAGE_COLOURS[name])
        axes.set_title(title, fontsize=10, weight='bold', loc='left')
        axes.set(xlabel=label, ylabel='share, %', xlim=(edges[0], edges[-1]), ylim=(0, None))
        axes.xaxis.set_major_locator(MultipleLocator(tick))
        axes.spines[['top', 'right']].set_visible(False)
        axes.legend(frameon=False, fontsize=8)
    figure.supxlabel('Share of the poses, or of their bones or joints. The outermost bins also hold what lies beyond.',
                     fontsize=8)
    return figure


def draw_histogram(axes, values, edges, name, colour):
    """The share of `values` (N,) per bin, in percent, as steps over a pale ground."""
    counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), bins=edges)
    percent = 100 * counts / len(values)
    axes.stairs(percent, edges, fill=True, color=colour, alpha=.25)
    axes.stairs(percent, edges, color=colour, linewidth=1.6, label=name)
