"""What the driver scripts have in common: cases by name, and words when something is not as on AWS."""

import os
import re
import sys

from pytest_mlemu import Mlemu


def same(actual, expected, what=""):
    assert actual == expected, f"{what}\n  expected {expected!r}\n  but got  {actual!r}"


def matches(pattern, text, what=""):
    assert re.fullmatch(pattern, text, re.DOTALL), f"{what}\n  expected {pattern!r}\n  but got  {text!r}"


def refused(code, status, call, **arguments):
    """The error of a call that AWS refuses with this code and status; returns its message."""
    from botocore.exceptions import ClientError

    try:
        answer = call(**arguments)
    except ClientError as error:
        same(error.response["Error"]["Code"], code, str(error))
        same(error.response["ResponseMetadata"]["HTTPStatusCode"], status, str(error))
        return error.response["Error"]["Message"]
    raise AssertionError(f"expected {code}, but got {answer!r}")


def settled():
    """Returns when nothing is under way; raises with a diagnosis when that takes too long."""
    Mlemu(dict(os.environ)).wait_idle(timeout=120)


def run(cases):
    """Runs the case that the command line names."""
    cases[sys.argv[1]]()
