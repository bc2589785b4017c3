#!/usr/bin/env python3
"""Print the table of all experiments under a folder: python3 run_results.py checkpoint/ (README.md)."""
from utils.command_line import Parser, exits_cleanly
from utils.runs.results import find_runs, pairs
from utils.runs.results_table import markdown, require_csv_place, table, write_csv


@exits_cleanly
def main(argv=None):
    """Print the table as Markdown; returns its Rows."""
    args = parser().parse_args(argv)
    if args.csv:
        require_csv_place(args.csv, args.overwrite)
    rows = table(pairs(find_runs(args.folder), every=args.all))
    print(markdown(rows))
    if args.csv:
        write_csv(rows, args.csv)
    return rows


def parser():
    """The flags."""
    made = Parser(__doc__.partition(':')[0])
    made.add_argument('folder', nargs='?', default='checkpoint',
                      help='folder with runs at any depth (default: %(default)s)')
    made.add_argument('--all', action='store_true', help='show all runs of an experiment, not only the newest')
    made.add_argument('--csv', metavar='FILE', help='also write the table to this file; replaces an earlier table')
    made.add_argument('--overwrite', action='store_true', help='let --csv replace any existing file')
    return made


if __name__ == '__main__':
    main()
