"""The lifter that comes with the project (docs/model_card.md), used where no checkpoint is given."""
from pathlib import Path

from common.files.paths import PROJECT_ROOT

SHIPPED = PROJECT_ROOT / 'checkpoint' / 'shipped' / 'mlp_cmu.pth.tar'


def checkpoint_or_shipped(path):
    """`path`, or, where it is empty, that of the lifter in the box; says so on the screen."""
    if path:
        return Path(path)
    print(f'no --evaluate: using the lifter that comes with the project, {SHIPPED} (docs/model_card.md)')
    return SHIPPED
