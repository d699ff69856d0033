"""A client of the daemon's control API, with the standard library alone."""

import json
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional

# A wait ends by itself; this only guards against a daemon that is gone without a word.
_PATIENCE = 3600
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class MlemuError(Exception):
    """The daemon refused, and says why."""

    def __init__(self, status: int, why: str):
        super().__init__(why)
        self.status = status


class NotSettled(AssertionError):
    """What was waited for did not come; ``diagnosis`` is what the daemon knows of why."""

    def __init__(self, diagnosis: Dict[str, Any]):
        super().__init__(_in_words(diagnosis))
        self.diagnosis = diagnosis


@dataclass
class Answer:
    """How an invocation ended."""

    id: str
    status: str
    result: Any
    log: List[str] = field(default_factory=list)
    report: Optional[Dict[str, Any]] = None

    @property
    def ok(self) -> bool:
        return self.status in ("ok", "queued")


class Mlemu:
    """One daemon. ``environment`` points SDKs at it."""

    def __init__(self, environment: Dict[str, str]):
        self.environment = environment
        self.url = environment["MLEMU_URL"]
        self._token = environment["MLEMU_TOKEN"]
        self._scope = environment.get("MLEMU_SCOPE")
        self.clock = Clock(self)

    # Scopes

    def scope(self, name: str) -> "Mlemu":
        """The same project in a scope of its own: own objects, queues, clock and invocations."""
        made = self._json("PUT", f"/_mlemu/scopes/{_part(name)}")
        functions = {_variable(function): url for function, url in made["functions"].items()}
        return Mlemu({**self.environment, **made["environment"], **functions, "MLEMU_SCOPE": made["name"]})

    def end_scope(self, name: str) -> None:
        """Ends a scope with everything in it."""
        self._call("DELETE", f"/_mlemu/scopes/{_part(name)}")

    # Invocations

    def invoke(self, function: str, event: Any = None, *, check: bool = True, queue: bool = False) -> Answer:
        """Calls a function; with ``check`` a failure of it raises. ``queue`` does not wait for the outcome."""
        path = f"/_mlemu/functions/{_part(function)}/invoke?queue={str(queue).lower()}"
        answer = _answer(self._json("POST", path, {} if event is None else event))
        if check and not answer.ok:
            log = "\n".join(answer.log)
            raise AssertionError(f"{function} failed: {json.dumps(answer.result)}\n{log}")
        return answer

    def invocations(self, **filters: Any) -> List[Dict[str, Any]]:
        """Those that are known, oldest first; filters: function, status, trace, since, limit."""
        query = urllib.parse.urlencode({name: value for name, value in filters.items() if value is not None})
        return self._json("GET", f"/_mlemu/invocations?{query}")["invocations"]

    def invocation(self, id: str = "last") -> Dict[str, Any]:
        """Everything that is known of one: event, result, log, phases, memory."""
        return self._json("GET", f"/_mlemu/invocations/{_part(id)}")

    def replay(self, id: str = "last", event: Any = None) -> Answer:
        """Runs one again, with another event if one is given."""
        return _answer(self._json("POST", f"/_mlemu/invocations/{_part(id)}/replay", event))

    def cold(self, function: str) -> None:
        """Makes the next call of a function a cold start."""
        self._call("POST", f"/_mlemu/functions/{_part(function)}/cold")

    # Waiting

    def wait_idle(self, timeout: float = 30) -> None:
        """Returns when nothing is under way that anything could come of."""
        self.wait({"idle": True}, timeout=timeout)

    def wait_trace(self, trace: str, timeout: float = 30) -> None:
        """Returns when nothing is under way of what one request caused; ``trace`` is the request's id."""
        self.wait({"trace": trace}, timeout=timeout)

    def wait_invocations(
        self, function: str, count: int = 1, status: Optional[str] = None, timeout: float = 30
    ) -> List[Dict[str, Any]]:
        """Returns so many ended invocations; fails as soon as nothing is under way that could bring them."""
        wanted: Dict[str, Any] = {"function": function, "count": count}
        if status is not None:
            wanted["status"] = status
        return self.wait({"invocations": wanted}, timeout=timeout, while_busy=True)["invocations"]

    def wait_object(self, bucket: str, key: str, timeout: float = 30) -> None:
        """Returns when an object is there; fails as soon as nothing is under way that could write it."""
        self.wait({"object": {"bucket": bucket, "key": key}}, timeout=timeout, while_busy=True)

    def wait(self, until: Dict[str, Any], timeout: float = 30, **more: Any) -> Dict[str, Any]:
        """The control API's own ``wait``."""
        asked = {"until": until, "timeout_ms": int(timeout * 1000), **more}
        try:
            return self._json("POST", "/_mlemu/wait", asked)
        except _TimedOut as late:
            raise NotSettled(late.diagnosis) from None

    # Faults

    def fault(self, effect: str, **rule: Any) -> int:
        """Something goes wrong from now on, e.g. ``fault("oom", function="Resize", times=1)``; the rule's number.

        ``service``, ``operation``, ``resource`` and ``function`` say where; ``nth``, ``times``, ``after``,
        ``probability`` and ``window`` when.
        """
        places = ("service", "operation", "resource", "function")
        matching = {name: rule.pop(name) for name in places if name in rule}
        asked = {"match": matching, "effect": effect, **rule}
        return self._json("POST", "/_mlemu/faults", asked)["numbers"][0]

    def faults(self) -> List[Dict[str, Any]]:
        """The rules, and how often each struck."""
        return self._json("GET", "/_mlemu/faults")

    def clear_faults(self) -> None:
        self._call("DELETE", "/_mlemu/faults")

    # Queues

    def messages(self, queue: str, limit: int = 100) -> List[Dict[str, Any]]:
        """What is in a queue, without taking it."""
        return self._json("GET", f"/_mlemu/queues/{_part(queue)}/messages?limit={limit}")

    def send(self, queue: str, body: bytes) -> str:
        """Sends a message to a queue, or publishes it to a topic; the answer is for ``wait_trace``."""
        return json.loads(self._send_bytes("POST", f"/_mlemu/queues/{_part(queue)}/messages", body))["trace"]

    def wait_queue_empty(self, queue: str, timeout: float = 30) -> None:
        """Returns when nothing is left in a queue, hidden messages included."""
        self.wait({"queue_empty": queue}, timeout=timeout)

    def pause_triggers(self) -> None:
        """Nothing starts a function by itself until ``resume_triggers``."""
        self._call("POST", "/_mlemu/triggers/pause")

    def resume_triggers(self) -> None:
        self._call("POST", "/_mlemu/triggers/resume")

    # State

    def reset(self, scope: str = "all", cold: bool = False) -> None:
        """Everything as it was when the project was ready; ``scope``: all, state, buckets, queues, functions, journal."""
        self._call("POST", "/_mlemu/reset", {"scope": scope, "cold": cold})

    def snapshot(self, name: str) -> None:
        """Keeps this moment under a name."""
        self._call("POST", f"/_mlemu/snapshots/{_part(name)}")

    def restore(self, name: str) -> None:
        """Goes back to a moment that was kept."""
        self._call("POST", f"/_mlemu/snapshots/{_part(name)}/restore")

    # Objects, for tests that have no SDK at hand

    def put(self, bucket: str, key: str, body: bytes) -> str:
        """Puts an object, in whichever cloud the bucket is; the answer is for ``wait_trace``."""
        return json.loads(self._send_bytes("PUT", _object(bucket, key), body))["trace"]

    def get(self, bucket: str, key: str) -> bytes:
        return self._call("GET", _object(bucket, key))

    def objects(self, bucket: str, prefix: str = "") -> List[str]:
        """The keys of a bucket that begin so, at most a thousand."""
        until = {"object": {"bucket": bucket, "prefix": prefix, "count": 0}}
        return [found["key"] for found in self.wait(until)["objects"]]

    # The wire

    def _json(self, method: str, path: str, body: Any = None) -> Any:
        return json.loads(self._call(method, path, body))

    def _call(self, method: str, path: str, body: Any = None) -> bytes:
        return self._send_bytes(method, path, b"" if body is None else json.dumps(body).encode())

    def _send_bytes(self, method: str, path: str, data: bytes) -> bytes:
        request = urllib.request.Request(self.url + path, data=data if method != "GET" else None, method=method)
        request.add_header("Authorization", f"Bearer {self._token}")
        return _send(self._in_scope(request)).read()

    def _in_scope(self, request: urllib.request.Request) -> urllib.request.Request:
        if self._scope:
            request.add_header("x-mlemu-scope", self._scope)
        return request


class Clock:
    """The emulated clouds' time. It does not govern what a function's own process reads."""

    def __init__(self, mlemu: Mlemu):
        self._mlemu = mlemu

    def now(self) -> str:
        return self._mlemu._json("GET", "/_mlemu/clock")["now"]

    def freeze(self, at: Optional[str] = None) -> None:
        """Time stands still, at ``at`` if it is given (RFC 3339)."""
        self._steer({"frozen": True, **({"now": at} if at else {})})

    def set(self, at: str) -> None:
        self._steer({"now": at})

    def advance(self, by: str) -> None:
        """Goes forward, e.g. by ``10m``; returns when everything that fell due on the way has settled."""
        self._steer({"advance": by})

    def rate(self, rate: float) -> None:
        self._steer({"rate": rate})

    def real(self) -> None:
        self._steer({"real": True})

    def _steer(self, steer: Dict[str, Any]) -> None:
        try:
            self._mlemu._call("POST", "/_mlemu/clock", steer)
        except _TimedOut as late:
            raise NotSettled(late.diagnosis) from None


class _TimedOut(Exception):
    def __init__(self, diagnosis: Dict[str, Any]):
        super().__init__()
        self.diagnosis = diagnosis


def _send(request: urllib.request.Request) -> Any:
    try:
        return _DIRECT.open(request, timeout=_PATIENCE)
    except urllib.error.HTTPError as error:
        text = error.read().decode(errors="replace")
        try:
            document = json.loads(text)
        except ValueError:
            document = {}
        if error.code == 408 and "under_way" in document:
            raise _TimedOut(document) from None
        raise MlemuError(error.code, document.get("error", text or str(error))) from None


def _object(bucket: str, key: str) -> str:
    return f"/_mlemu/buckets/{_part(bucket)}/objects/{_part(key)}"


def _variable(function: str) -> str:
    name = "".join(letter.upper() if letter.isascii() and letter.isalnum() else "_" for letter in function)
    return f"MLEMU_FUNCTION_{name}_URL"


def _part(text: str) -> str:
    return urllib.parse.quote(text, safe="")


def _answer(document: Dict[str, Any]) -> Answer:
    known = ("status", "result", "log", "report")
    return Answer(id=document["invocation"], **{name: document[name] for name in known if name in document})


def _in_words(diagnosis: Dict[str, Any]) -> str:
    lines = [diagnosis.get("error", "not settled")]
    lines += [f"under way: {json.dumps(open_['work'])}" for open_ in diagnosis.get("under_way", [])]
    failed = diagnosis.get("last_failed")
    if failed:
        lines += ["", *describe(failed)]
    return "\n".join(lines)


def describe(invocation: Dict[str, Any], lines: int = 40) -> List[str]:
    """An invocation for a person: how it ended, and the end of its log."""
    took = invocation.get("handler_ms")
    took = "" if took is None else f" in {took:.0f} ms"
    start = ", cold" if invocation.get("cold") else ""
    head = f"{invocation['function']}: {invocation['status']}{took}{start} ({invocation['id']})"
    log = [line["text"] for line in invocation.get("log", [])][-lines:]
    return [head, *(f"    {part}" for text in log for part in text.splitlines())]
