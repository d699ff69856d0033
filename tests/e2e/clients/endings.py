"""Every way in which an invocation can end, as boto3 sees it."""

import base64
import json
import re

import boto3
from botocore.config import Config
from checks import matches, run, same

client = boto3.client("lambda", config=Config(retries={"max_attempts": 0}, read_timeout=120))

NUMBER = r"\d+\.\d\d"
ID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"


class Ended:
    def __init__(self, function, event):
        answer = client.invoke(FunctionName=function, Payload=json.dumps(event), LogType="Tail")
        self.headers = answer["ResponseMetadata"]["HTTPHeaders"]
        self.status = answer["StatusCode"]
        self.error = answer.get("FunctionError")
        self.version = answer.get("ExecutedVersion")
        self.body = answer["Payload"].read()
        self.document = json.loads(self.body)
        self.log = base64.b64decode(answer["LogResult"]).decode()
        self.id = self.headers["x-amzn-requestid"]

    def report(self):
        return next(line for line in self.log.split("\n") if line.startswith("REPORT"))


def good(function):
    """The next invocation works."""
    ended = Ended(function, {})
    same((ended.status, ended.error, ended.version), (200, None, "$LATEST"), ended.log)
    same(ended.document, "fine")
    same("x-amz-function-error" in ended.headers, False)


def bad(function, event):
    ended = Ended(function, event)
    same((ended.status, ended.error, ended.version), (200, "Unhandled", "$LATEST"), ended.log)
    same(ended.headers["x-amz-function-error"], "Unhandled")
    same(ended.headers["x-amz-executed-version"], "$LATEST")
    matches(ID, ended.id)
    check_log(ended)
    return ended


def check_log(ended):
    """START, END and REPORT in their order and exact form."""
    lines = ended.log.split("\n")
    kinds = [line.split(" ")[0] for line in lines if line.split(" ")[0] in ("START", "END", "REPORT")]
    same(kinds, ["START", "END", "REPORT"], ended.log)
    assert f"START RequestId: {ended.id} Version: $LATEST" in lines, ended.log
    assert f"END RequestId: {ended.id}" in lines, ended.log
    shape = (
        rf"REPORT RequestId: {ended.id}\tDuration: {NUMBER} ms\tBilled Duration: \d+ ms\tMemory Size: \d+ MB"
        rf"\tMax Memory Used: \d+ MB\t(Init Duration: {NUMBER} ms\t)?(Status: [^\n]+)?"
    )
    matches(shape, ended.report(), "the REPORT line")


def ends():
    for check in (raised, exited_3, exited_0, killed_itself, out_of_memory, crashed, too_large, unserialisable):
        ended = check()
        good("Ends")
        print(check.__name__, ended.report())


def raised():
    ended = bad("Ends", {"end": "raise"})
    same({key: ended.document[key] for key in ("errorMessage", "errorType", "requestId")},
         {"errorMessage": "told to", "errorType": "ValueError", "requestId": ended.id})
    assert any('raise ValueError("told to")' in line for line in ended.document["stackTrace"]), ended.document
    assert "[ERROR] ValueError: told to" in ended.log, ended.log
    assert "Status:" not in ended.report(), ended.report()
    return ended


def exit_error(end, why):
    ended = bad("Ends", {"end": end})
    same(ended.document, {"errorType": "Runtime.ExitError", "errorMessage": f"RequestId: {ended.id} Error: {why}"})
    assert f"RequestId: {ended.id} Error: {why}\nRuntime.ExitError\n" in ended.log, ended.log
    return ended


def exited_3():
    ended = exit_error("exit 3", "Runtime exited with error: exit status 3")
    assert "Status: error\tError Type: Runtime.ExitError" in ended.report(), ended.report()
    assert "said before the end" in ended.log, ended.log
    return ended


def exited_0():
    return exit_error("exit 0", "Runtime exited without providing a reason")


def killed_itself():
    return exit_error("kill", "Runtime exited with error: signal: killed")


def out_of_memory():
    ended = exit_error("memory", "Runtime exited with error: signal: killed")
    used = int(re.search(r"Max Memory Used: (\d+) MB", ended.report())[1])
    size = int(re.search(r"Memory Size: (\d+) MB", ended.report())[1])
    same((used, size), (128, 128), ended.report())
    assert "Status: error\tError Type: Runtime.OutOfMemory" in ended.report(), ended.report()
    return ended


def crashed():
    ended = exit_error("segfault", "Runtime exited with error: signal: segmentation fault")
    return ended


def too_large():
    ended = bad("Ends", {"end": "7 MB"})
    same(ended.document, {
        "errorType": "Function.ResponseSizeTooLarge",
        "errorMessage": "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
    })
    return ended


def unserialisable():
    ended = bad("Ends", {"end": "set"})
    same(ended.document["errorType"], "Runtime.MarshalError")
    same(ended.document["requestId"], ended.id)
    assert "set is not JSON serializable" in ended.document["errorMessage"], ended.document
    return ended


def timeouts():
    ended = bad("Waits", {"end": "wait"})
    same(ended.document, {
        "errorType": "Sandbox.Timedout",
        "errorMessage": f"RequestId: {ended.id} Error: Task timed out after 1.00 seconds",
    })
    assert re.search(rf"\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{3}}Z {ended.id} Task timed out after 1\.00 seconds\n",
                     ended.log), ended.log
    assert "Status: timeout" in ended.report(), ended.report()
    duration = float(re.search(r"Duration: ([\d.]+) ms", ended.report())[1])
    assert 1000 <= duration < 1500, ended.report()
    good("Waits")


def init_failures():
    for function, kind, message in (
        ("Missing", "Runtime.ImportModuleError",
         "Unable to import module 'missing': No module named 'nothing_of_this_name'"),
        ("Broken", "Runtime.UserCodeSyntaxError", None),
        ("Nameless", "Runtime.HandlerNotFound", "Handler 'nobody' missing on module 'app'"),
    ):
        for _ in range(2):  # the next one fails as well, and is told the same
            ended = Ended(function, {})
            same((ended.status, ended.error, ended.version), (200, "Unhandled", "$LATEST"), ended.log)
            same(ended.document["errorType"], kind, ended.body)
            same(ended.document["requestId"], "")
            if message:
                same(ended.document["errorMessage"], message)
            assert "stackTrace" in ended.document, ended.document
            # The init that failed before is repeated inside the invocation.
            assert f"Phase: invoke\tStatus: error\tError Type: {kind}" in ended.log, ended.log


def exits_at_init():
    ended = Ended("Leaves", {})
    same((ended.status, ended.error), (200, "Unhandled"), ended.log)
    same(ended.document, {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: {ended.id} Error: Runtime exited with error: exit status 7",
    })


def fine_answers():
    """What is no failure: null, text, numbers, unicode, 6 MB."""
    for event, expected in (
        ({"answer": None}, None),
        ({"answer": 1.5}, 1.5),
        ({"answer": "é\u2028\U0001f33c"}, "é\u2028\U0001f33c"),
        ({"answer": "x" * 6_000_000}, "x" * 6_000_000),
    ):
        ended = Ended("Ends", event)
        same((ended.status, ended.error), (200, None), ended.log)
        same(ended.document, expected)
        check_log(ended)


run({
    "ends": ends,
    "timeouts": timeouts,
    "init failures": init_failures,
    "exits at init": exits_at_init,
    "fine answers": fine_answers,
})
