"""What the driver scripts have in common: cases by name, and words when something is not as on AWS."""

import json
import os
import re
import sys
import urllib.error
import urllib.request


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


def wait(**until):
    """Returns when it is so, by the control API; raises with its diagnosis when that takes too long."""
    body = json.dumps({"until": until, "timeout_ms": 120_000}).encode()
    headers = {"Authorization": "Bearer " + os.environ["CONTROL_TOKEN"], "Content-Type": "application/json"}
    request = urllib.request.Request(os.environ["CONTROL"] + "/_mlemu/wait", body, headers)
    try:
        urllib.request.urlopen(request).close()
    except urllib.error.HTTPError as stuck:
        raise AssertionError(f"{until}: {stuck.read().decode()}") from None


def run(cases):
    """Runs the case that the command line names."""
    cases[sys.argv[1]]()
