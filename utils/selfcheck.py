"""`python3 -m utils.selfcheck` is `python3 run_selfcheck.py`, under the name that a user may look for."""
import runpy

if __name__ == '__main__':
    runpy.run_module('run_selfcheck', run_name='__main__')
