"""Starts the functions-framework, which makes a log entry of whatever is written at a time (`LOG_EXECUTION_ID`).

Python's own `print` writes piece by piece, and so does the framework: an entry, then the end of its line. Here each is
written at once, so that one `print` is one entry and the lines of several requests never mix.
"""

import builtins
import io
import os
import runpy
import sys
import threading

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


class Entries:
    """Gathers what a thread writes until it flushes, which the framework does after every entry."""

    def __init__(self, stream):
        self.stream = stream
        self.gathered = threading.local()

    def write(self, text):
        self.gathered.text = getattr(self.gathered, "text", "") + text

    def flush(self):
        text, self.gathered.text = getattr(self.gathered, "text", ""), ""
        self.stream.write(text)
        self.stream.flush()


def entries_at_once():
    try:
        from functions_framework.execution_id import LoggingHandlerAddExecutionId as Handler
    except ImportError:
        # A version from before there were entries.
        return
    begin = Handler.__init__

    def begin_at_once(self, stream=sys.stdout):
        begin(self, Entries(stream))

    Handler.__init__ = begin_at_once


builtins.print = print_at_once
# As `python -m` has it.
sys.path[0] = os.getcwd()
entries_at_once()
runpy.run_module("functions_framework", run_name="__main__", alter_sys=True)
