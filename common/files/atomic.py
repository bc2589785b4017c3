"""Files that are there whole or not at all."""
import os
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_whole(path):
    """Gives a name beside `path` to write to, and renames it to `path` at the end: there is no half-written file.

    The name ends as `path` does, for writers that go by it. (Checkpoints are flushed to the disk too: utils/checkpoint.py.)
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f'{path.stem}.partial{path.suffix}')
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
