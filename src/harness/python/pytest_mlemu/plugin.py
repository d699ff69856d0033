"""The fixtures, and what a failed test's report says."""

import os
from typing import Iterator

import pytest

from .client import Clock, Mlemu, MlemuError, describe
from .daemon import Daemon, Environment, NoMlemu

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
        yield Mlemu(dict(os.environ))
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
