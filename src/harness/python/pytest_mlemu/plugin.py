"""The fixtures, and what a failed test's report says."""

import itertools
import os
from typing import Callable, Iterator

import pytest

from .client import Clock, Mlemu, MlemuError, describe
from .daemon import Daemon, Environment, NoMlemu

_NUMBERS = itertools.count(1)
# Invocations that a failed test's report shows.
_SHOWN = 20


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("mlemu")
    group.addoption("--mlemu-project", metavar="PATH", help="the project whose functions are under test")
    parser.addini("mlemu_project", "the project whose functions are under test", default=None)


@pytest.fixture(scope="session")
def mlemu_session(pytestconfig: pytest.Config) -> Iterator[Mlemu]:
    """The daemon, for the whole session."""
    if "MLEMU_URL" in os.environ and "MLEMU_TOKEN" in os.environ:
        yield from _shared(Mlemu(dict(os.environ)))
        return
    project = pytestconfig.getoption("--mlemu-project") or pytestconfig.getini("mlemu_project")
    try:
        daemon = Daemon(os.path.join(str(pytestconfig.rootpath), project or "."))
    except NoMlemu as why:
        pytest.fail(str(why), pytrace=False)
    environment = Environment(daemon.environment)
    try:
        yield Mlemu(daemon.environment)
    finally:
        environment.take_back()
        daemon.stop()


def _shared(daemon: Mlemu) -> Iterator[Mlemu]:
    """A daemon that is there already. Workers of pytest-xdist have a scope each."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker is None:
        yield daemon
        return
    scope = daemon.scope(worker)
    environment = Environment(scope.environment)
    try:
        yield scope
    finally:
        environment.take_back()
        daemon.end_scope(worker)


@pytest.fixture
def mlemu_scope(mlemu_session: Mlemu, request: pytest.FixtureRequest) -> Iterator[Mlemu]:
    """A scope for this test alone, that no other test can reach; SDKs find it by the environment."""
    name = f"{os.environ.get('PYTEST_XDIST_WORKER', 'gw')}-{next(_NUMBERS)}"
    scope = mlemu_session.scope(name)
    request.node._mlemu = scope
    environment = Environment(scope.environment)
    try:
        yield scope
    finally:
        environment.take_back()
        mlemu_session.end_scope(name)


@pytest.fixture
def mlemu(mlemu_session: Mlemu, request: pytest.FixtureRequest) -> Mlemu:
    """The daemon, as it was when the project was ready."""
    mlemu_session.reset()
    request.node._mlemu = mlemu_session
    return mlemu_session


@pytest.fixture
def mlemu_clock(mlemu: Mlemu) -> Iterator[Clock]:
    """The emulated clouds' time; real again after the test."""
    yield mlemu.clock
    mlemu.clock.real()


@pytest.fixture
def mlemu_faults(mlemu: Mlemu) -> Iterator[Callable[..., int]]:
    """Makes things go wrong: ``mlemu_faults("oom", function="Resize", times=1)``; nothing does after the test."""
    yield mlemu.fault
    mlemu.clear_faults()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo) -> Iterator[None]:
    outcome = yield
    report = outcome.get_result()
    daemon = getattr(item, "_mlemu", None)
    if daemon is None or report.when != "call" or not report.failed:
        return
    try:
        known = daemon.invocations(limit=1000)[-_SHOWN:]
        lines = [line for one in known for line in describe(daemon.invocation(one["id"]))]
    except (MlemuError, OSError) as error:
        lines = [f"the daemon does not tell: {error}"]
    report.sections.append(("mlemu invocations", "\n".join(lines) or "none"))
