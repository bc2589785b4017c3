"""What a script imports when it starts: nothing heavy that it may not use."""
import os
import subprocess
import sys

import pytest

from places import ROOT

NEVER = ('matplotlib', 'h5py', 'sympy', 'torch._dynamo', 'torch._inductor', 'torchvision', 'PIL', 'cv2', 'onnx', 'pandas')
EVENTS = ('tensorboardX', 'google.protobuf')
ABSENT = {'run_evaluate': (*NEVER, *EVENTS, 'scipy'), 'run_baseline': (*NEVER, 'scipy'), 'run_poseaug': (*NEVER, 'scipy'),
          'run_inference': (*NEVER, *EVENTS, 'scipy')}
IMPORTS = '''
import os, sys
import torch
for script, absent in ABSENT.items():
    if not os.fork():
        __import__(script)
        print(script, *[name for name in absent if name in sys.modules], flush=True)
        os._exit(0)
    os.wait()
'''


@pytest.mark.slow
def test_a_script_imports_nothing_heavy_that_it_may_not_use():
    done = subprocess.run([sys.executable, '-c', f'ABSENT = {ABSENT}{IMPORTS}'], cwd=ROOT, capture_output=True, text=True,
                          check=True, env={**os.environ, 'OMP_NUM_THREADS': '1'})
    assert done.stdout.splitlines() == list(ABSENT)
