"""A daemon of our own, that cannot outlive us."""

import json
import os
import shutil
import subprocess
import sys
from typing import Dict, Optional

# Runs inside of `mlemu exec`: tells its environment, and stays for as long as somebody holds its input.
_HOLD = "import json, os, sys; print(json.dumps(dict(os.environ)), flush=True); sys.stdin.read()"


class NoMlemu(Exception):
    """The program is missing, or did not get ready."""


class Daemon:
    """`mlemu exec` around a process that holds it. When this process ends, however it does, so does that."""

    def __init__(self, project: str):
        program = os.environ.get("MLEMU_BIN") or shutil.which("mlemu")
        if program is None:
            raise NoMlemu("the program `mlemu` is not in PATH, and MLEMU_BIN does not name it")
        command = [program, "exec", "--project", project, "--", sys.executable, "-c", _HOLD]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        line = self._process.stdout.readline()
        if not line:
            said = self._process.communicate()[1]
            raise NoMlemu(f"mlemu did not get ready:\n{said.strip()}")
        self.environment: Dict[str, str] = json.loads(line)

    def stop(self) -> None:
        self._process.communicate()


class Environment:
    """What a daemon's environment changes in this process, until it is taken back."""

    def __init__(self, wanted: Dict[str, str]):
        self._before: Dict[str, Optional[str]] = {}
        ours = {name: value for name, value in wanted.items() if os.environ.get(name) != value}
        gone = [name for name in os.environ if name not in wanted]
        for name in [*ours, *gone]:
            self._before[name] = os.environ.get(name)
        os.environ.update(ours)
        for name in gone:
            del os.environ[name]

    def take_back(self) -> None:
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
