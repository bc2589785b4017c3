"""Figures of where the cameras stand around the body (spheres and maps), and histograms of pose statistics.

Directions are unit vectors (N, 3) from body to camera, in the body's frame (left, up, front); densities are
SphereDensity. Both come from function_poseaug.statistics.
"""
import numpy as np

from common.skeleton import H36M_16
from utils.pictures.drawing import SERIES, STAGE_COLOURS, bone_colours, bone_segments, new_figure, side_legend

DOTS = 1000            # number of directions drawn on a sphere
BODY_SCALE = .75       # scale of the body inside the sphere of radius 1
SPHERE_VIEW = dict(elev=18, azim=40)


def views_figure(panels, body, skeleton=H36M_16):
    """Figure with a sphere of camera directions and a map of their density for each set of poses.

    `panels` is {title: (directions, density, share)}; `share` is the part of the sphere's area that holds nine tenths
    of the density. `body` (16, 3), body frame in metres, is drawn inside the spheres. All maps use one colour scale.
    """
    figure = new_figure(figsize=(4.2 * len(panels), 7))
    top = max(float(density.relative.max()) for _, density, _ in panels.values())
    for column, (title, (directions, density, share)) in enumerate(panels.items()):
        left, width = column / len(panels), 1 / len(panels)
        sphere = figure.add_axes((left, .46, width, .44), projection='3d')
        draw_sphere(sphere, np.asarray(directions), body, skeleton)
        figure.text(left + width / 2, .97, title, ha='center', va='center', fontsize=11, weight='bold')
        figure.text(left + width / 2, .935, f'9 in 10 views lie on {100 * share:.0f} % of the sphere', ha='center',
                    va='center', fontsize=9)
        mesh = draw_map(figure.add_axes((left + .12 * width, .19, .82 * width, .26), projection='mollweide'), density,
                        top)
    bar = figure.colorbar(mesh, cax=figure.add_axes((.3, .14, .4, .02)), orientation='horizontal')
    bar.set_label('density of camera directions (1 = uniform on the sphere)', fontsize=9)
    bar.set_ticks(_density_ticks(top))
    side_legend(figure, note=f'Spheres: up to {DOTS:,} of the cameras around a mean body; pale dots are on the far side. '
                             'Maps: all cameras, as seen from the body.')
    return figure


def draw_sphere(axes, directions, body, skeleton=H36M_16):
    """Draw a sphere around `body` with a dot for each camera direction (N, 3); dots on the far side are pale."""
    from mpl_toolkits.mplot3d.art3d import Line3DCollection
    axes.set_proj_type('ortho')
    towards_us = _unit_vector(**SPHERE_VIEW)
    for pole in (*np.eye(3), towards_us):
        axes.plot(*_great_circle(pole), color='0.75', linewidth=.8)
    axes.add_collection3d(Line3DCollection(bone_segments(upright(body) * BODY_SCALE, skeleton),
                                           colors=bone_colours(skeleton), linewidths=2))
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
    """(3,) unit vector towards the viewer, for matplotlib's view angles in degrees."""
    elev, azim = np.deg2rad([elev, azim])
    return np.array([np.cos(elev) * np.cos(azim), np.cos(elev) * np.sin(azim), np.sin(elev)])


def _great_circle(pole):
    """(3, 73) points on the unit circle around the axis `pole` (3,)."""
    _, _, (_, first, second) = np.linalg.svd(pole[None])
    turns = np.linspace(0, 2 * np.pi, 73)
    return np.outer(first, np.cos(turns)) + np.outer(second, np.sin(turns))


def upright(vectors):
    """(..., 3) as (left, up, front) -> (front, left, up), for matplotlib's right-handed axes with z up."""
    return np.asarray(vectors)[..., [2, 0, 1]]


def draw_map(axes, density, top):
    """Draw a SphereDensity as a Mollweide (equal-area) map, coloured from 0 to `top`; returns its mesh.

    The map is seen from the body: its left is on the left. The colour scale is the square root of the density, so that
    rare directions remain visible.
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
    """Figure with a histogram per panel; `panels` is {title: Quantity of function_poseaug.statistics}.

    Values outside the range are counted in the outermost bins.
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
    figure.supxlabel('Share of the poses, or of their bones or joints. The outermost bins include values outside the range.',
                     fontsize=8)
    return figure


def draw_histogram(axes, values, edges, name, colour):
    """Draw the share of `values` (N,) per bin, in percent, as a filled step curve."""
    counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), bins=edges)
    percent = 100 * counts / len(values)
    axes.stairs(percent, edges, fill=True, color=colour, alpha=.25)
    axes.stairs(percent, edges, color=colour, linewidth=1.6, label=name)
