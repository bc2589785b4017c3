"""What a rank that writes nothing has in place of a RunDirectory (utils/ranks.py)."""
from utils.runs.run_directory import plain_arguments


class NoDirectory:
    """Its methods are called like those of RunDirectory, and none of them does anything."""
    path = None

    def __init__(self, args, *_, **__):
        self.args = plain_arguments(args)

    @classmethod
    def reopen(cls, path, args, *_):
        return cls(args)

    def __getattr__(self, name):
        return lambda *_, **__: None
