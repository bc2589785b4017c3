"""Layouts: the shapes and types that the arrays of a file must have."""
import numpy as np
import pytest

from common.errors import InputError
from common.files.layout import require_layout


def test_a_layout_binds_its_sizes_by_name():
    layout = dict(one=(('n', 2), 'f'), other=(('n',), 'i'))
    require_layout(dict(one=np.zeros((3, 2)), other=np.zeros(3, int)), layout, 'here', 'go')
    with pytest.raises(InputError, match=r"^here: 'other' has shape \(4,\) and type int64 where \(3\) is needed; go$"):
        require_layout(dict(one=np.zeros((3, 2)), other=np.zeros(4, int)), layout, 'here', 'go')
