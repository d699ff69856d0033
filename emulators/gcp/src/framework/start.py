"""Starts the functions-framework, which makes a log entry of whatever is written at a time (`LOG_EXECUTION_ID`).

Python's own `print` writes piece by piece: here what it is given is written at once, and so is one entry.
"""

import builtins
import io
import os
import runpy
import sys

piece_by_piece = builtins.print


def print_at_once(*values, file=None, flush=False, **how):
    text = io.StringIO()
    piece_by_piece(*values, file=text, **how)
    stream = sys.stdout if file is None else file
    if stream is None:
        return
    stream.write(text.getvalue())
    if flush:
        stream.flush()


builtins.print = print_at_once
# As `python -m` has it.
sys.path[0] = os.getcwd()
runpy.run_module("functions_framework", run_name="__main__", alter_sys=True)
