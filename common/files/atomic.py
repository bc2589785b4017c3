"""Writing files so that they exist completely or not at all."""
import os
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_whole(path):
    """Gives a temporary path beside `path` to write to, and renames it to `path` at the end: no half-written file is left.

    It has the suffix of `path`, by which some writers choose the format. (utils/runs/checkpoint.py also flushes to the disk.)
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f'{path.stem}.partial{path.suffix}')
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
