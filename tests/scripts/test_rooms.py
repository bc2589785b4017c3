"""The rooms of the project and what each may know: imports point down this table, never up."""
import ast
import re
import subprocess

from places import ROOT

# room -> the rooms it may import, beside itself. Each stands below all that may import it.
ROOMS = {
    'common': (),
    'common/files': ('common',),
    'common/datasets': ('common', 'common/files'),
    'models_baseline': ('common',),
    'models_poseaug': ('common',),
    'utils': ('common', 'common/files'),
    'utils/runs': ('common', 'common/files', 'models_baseline', 'utils'),
    'utils/pictures': ('common',),
    'function_baseline': ('common', 'common/files', 'common/datasets', 'models_baseline', 'utils', 'utils/runs',
                          'utils/pictures'),
    'function_poseaug': ('common', 'common/files', 'common/datasets', 'models_baseline', 'models_poseaug', 'utils',
                         'utils/runs', 'utils/pictures', 'function_baseline'),
    'function_inference/readers': ('common', 'common/files', 'common/datasets'),
    'function_inference': ('common', 'common/files', 'common/datasets', 'models_baseline', 'utils', 'utils/runs',
                           'utils/pictures', 'function_baseline', 'function_inference/readers'),
    'sweeps': ('common', 'common/files', 'common/datasets', 'models_baseline', 'utils', 'utils/runs', 'utils/pictures',
               'function_baseline', 'function_poseaug'),
    'data_extra': ('common', 'common/files', 'common/datasets', 'utils', 'function_inference'),
    'data/demo': ('common', 'common/datasets'),
    'data/mocap': ('common', 'common/files', 'common/datasets'),
    'data': ('common', 'common/files', 'common/datasets', 'utils', 'utils/pictures', 'data/demo', 'data/mocap', 'data_extra'),
}


def room_of(path):
    """'common/files/npz.py' -> 'common/files'; the scripts at the top have no room."""
    return '/'.join(path.split('/')[:-1])


def python_files():
    """Every file of Python that git tracks, as a path from the project's root."""
    listed = subprocess.run(['git', 'ls-files', '--cached', '--others', '--exclude-standard', '*.py'], cwd=ROOT,
                            capture_output=True, text=True, check=True)
    return [path for path in listed.stdout.split() if (ROOT / path).is_file()]


def imported_rooms(path):
    """Yield (line, room) for each import of ours, wherever in the file it stands."""
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.ImportFrom):
            modules = [f'{node.module}.{name.name}' for name in node.names]
        elif isinstance(node, ast.Import):
            modules = [name.name for name in node.names]
        else:
            continue
        for module in modules:
            place = module.replace('.', '/')
            fitting = [room for room in ROOMS if place == room or place.startswith(room + '/')]
            if fitting:
                yield node.lineno, max(fitting, key=len)


def test_no_import_points_up():
    wrong = [f'{path}:{line}: {room_of(path)} imports {room}' for path in python_files() if room_of(path) in ROOMS
             for line, room in imported_rooms(path) if room not in (room_of(path), *ROOMS[room_of(path)])]
    assert not wrong, '\n'.join(wrong)


def test_the_table_of_rooms_points_down_only():
    order = [*ROOMS]
    assert all(order.index(below) < order.index(room) for room, rooms in ROOMS.items() for below in rooms)


def test_the_page_for_contributors_has_this_table():
    rows = re.findall(r'^\| `([\w/]+)/` \|.*\| (.*) \|$', (ROOT / 'CONTRIBUTING.md').read_text(), re.MULTILINE)
    assert {room: {*re.findall(r'`([\w/]+)`', below)} for room, below in rows} == {
        room: {*below} for room, below in ROOMS.items()}


def test_every_room_is_in_the_table():
    rooms = {room_of(path) for path in python_files() if not path.startswith(('tests/', 'benchmarks/', 'examples/'))}
    assert rooms - {''} <= {*ROOMS}
