"""run.json: the lives of a run, that is, each start of it: when, where, how, and whether the run has finished.

A life may write to the run's directory only while it is the last one in run.json. This holds where locks do not: on a
shared disk without them, and for a process on a machine that everybody takes for dead.
"""
import json
import platform
import uuid
from datetime import datetime

from common.errors import InUse
from common.files.atomic import written_whole

RECORD, LOCK, LAST = 'run.json', '.lock', 'ckpt_last.pth.tar'      # files in a run's directory


def lives(directory):
    """The list in run.json, oldest first; an empty one if the file is missing or damaged."""
    try:
        content = json.loads((directory / RECORD).read_text())
    except (OSError, ValueError, RecursionError):
        return []
    return content if isinstance(content, list) and all(isinstance(life, dict) for life in content) else []


def begin_life(directory, **facts):
    """Append a life with these `facts` to run.json; returns its id."""
    life = dict(life=uuid.uuid4().hex, started=_now(), host=platform.node())
    _write(directory, [*lives(directory), {**facts, **life}])
    return life['life']


def require_last(directory, life):
    """InUse unless the life with this id is the last one in run.json."""
    if not _is_last(lives(directory), life):
        raise InUse(f'{directory} now belongs to another process, which continues this run; this one writes nothing more')


def end_life(directory, life):
    """Note in run.json that the run has finished. InUse unless this life is the last one."""
    require_last(directory, life)
    *earlier, last = lives(directory)
    _write(directory, [*earlier, {**last, 'finished': _now()}])


def has_finished(directory):
    """Whether run.json says that the run has finished."""
    return bool(lives(directory)) and 'finished' in lives(directory)[-1]


def _is_last(known, life):
    return bool(known) and known[-1].get('life') == life


def _now():
    return datetime.now().astimezone().isoformat(timespec='seconds')


def _write(directory, content):
    with written_whole(directory / RECORD) as partial:
        partial.write_text(json.dumps(content, indent=1) + '\n')
