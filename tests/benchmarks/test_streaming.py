"""The measurement of --poses_per_epoch runs to its end and reports what it says it does."""
import re

import pytest

from benchmarks import streaming


@pytest.mark.slow
def test_the_command_measures_reading_memory_and_speed(tmp_path, capsys):
    streaming.main(['--folder', str(tmp_path), '--device', 'cpu', *'--poses 36000 --per_epoch 4096 --resident 4096 --batches 1 '
                    '--turns 1'.split()])
    printed = capsys.readouterr().out
    assert '4,096 of 36,000 training poses in each epoch' in printed
    assert len(re.findall(r'^4,096 poses read, (?:cold|cached): .* s; anonymous memory .* MB$', printed, re.MULTILINE)) == 4
    assert re.search(r'^median ratio of time \d\.\d+, of time on the processor \d\.\d+$', printed, re.MULTILINE)
    assert {path.name for path in (tmp_path / 'data').iterdir()} >= {'mocap_streaming_benchmark.npz',
                                                                     'mocap_streaming_benchmark.cache'}
