"""Where things lie that several tests look for."""
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / 'shared'          # not part of the project: tests that need it skip where it is missing
GOLDEN_FOLDER = ROOT / 'tests' / 'golden'
