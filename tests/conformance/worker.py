"""Runs some tests of brian2, or brian2cuda, in this process.

The command line is ``python -m tests.conformance.worker JOB``.

`JOB` is a JSON file with `configuration`, `phase`, `tests` (empty: only collect) and
`output`. Preferences are those of ``brian2.tests.run()``. Every fact is appended to
`output` as one JSON line at once, so that what happened before a crash is known.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import brian2
import pytest
from brian2.core.preferences import prefs
from brian2.devices.device import all_devices
from brian2.tests import PreferencePlugin
from brian2.utils.logger import LOG_LEVELS, BrianLogger

from . import toolkit
from .plan import CONFIGURATIONS, Configuration

BRIAN = Path(brian2.__file__).parent
INI = BRIAN / "tests" / "pytest.ini"


class Journal:
    """Appends JSON lines to a file; also usable from forked children."""

    def __init__(self, path: Path) -> None:
        self.descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self.test = ""

    def write(self, event: str, **fields: Any) -> None:
        """Append one line with the current test's ID."""
        line = json.dumps({"event": event, "test": self.test, **fields}) + "\n"
        os.write(self.descriptor, line.encode())


def watch_processes(journal: Journal) -> None:
    """Note when brian2's compiled program is started.

    An audit hook sees every `subprocess` call without changing brian2.
    """

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event != "subprocess.Popen" or not journal.test:
            return
        command = args[1]
        words = [command] if isinstance(command, str | bytes | os.PathLike) else list(command)
        name = Path(os.fsdecode(words[0])).name if words else ""
        if name in ("main", "main.exe"):
            journal.write("binary")

    sys.addaudithook(hook)


def watch_gpurun(journal: Journal) -> None:
    """Note when gpurun runs a model."""
    from gpurun import events

    def observe(event: events.Event) -> None:
        if journal.test and isinstance(event, events.RunStarted):
            journal.write("session_run")
        elif journal.test and isinstance(event, events.BuildFinished):
            journal.write("build", cached=event.cached, compile_time=event.compile_time)

    events.subscribe(observe)


class Recorder:
    """A pytest plugin that writes each test's outcome to the journal."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.reports: list[pytest.TestReport] = []
        self.started = 0.0
        self.collected: list[str] = []

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.collected = [self.identify(item.nodeid) for item in session.items]

    @staticmethod
    def identify(nodeid: str) -> str:
        """The test ID relative to the test folder, whatever pytest's root is."""
        file, separator, name = nodeid.partition("::")
        return file.rsplit("/", 1)[-1] + separator + name

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.journal.test = self.identify(nodeid)
        self.reports = []
        self.started = time.perf_counter()
        self.journal.write("start")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.reports.append(report)

    def pytest_runtest_logfinish(self) -> None:
        outcome, detail = summarise(self.reports)
        seconds = round(time.perf_counter() - self.started, 3)
        self.journal.write("finish", outcome=outcome, seconds=seconds, detail=detail)
        self.journal.test = ""


def summarise(reports: list[pytest.TestReport]) -> tuple[str, str]:
    """One outcome, and the text that belongs to it, from a test's three reports."""
    for report in reports:
        if report.failed:
            outcome = "failed" if report.when == "call" else "error"
            return outcome, report.longreprtext[-6000:]
    for report in reports:
        if report.skipped:
            reason = getattr(report, "wasxfail", None)
            return ("skipped" if reason is None else "xfailed"), report.longreprtext[-1000:]
    if any(hasattr(report, "wasxfail") for report in reports):
        return "xpassed", ""
    return "passed", ""


def prepare(configuration: Configuration) -> None:
    """Import gpurun where the configuration says so; set what brian2's run() sets."""
    if configuration.gpurun:
        import gpurun  # noqa: F401  # registers the device
    if configuration.stands_in_for:
        stand_in(configuration)
    from brian2.units import fundamentalunits

    prefs.reset_to_defaults()
    fundamentalunits.user_unit_register = fundamentalunits.UnitRegistry()
    if BrianLogger.console_handler is not None:
        BrianLogger.console_handler.setLevel(LOG_LEVELS["WARNING"])
    prefs["codegen.cpp.extra_compile_args_gcc"].extend(["-w", "-O0"])
    prefs["logging.warn_for_unused_objects"] = False
    if configuration.cuda:
        from brian2cuda.tests import conftest  # noqa: F401  # "random" numbers for brian2's tests

        if not configuration.gpurun:
            prepare_emulated()
        elif toolkit.emulated():
            # Results must not depend on the order, and host code stays out of the card's memory
            toolkit.use_emulated("order=random:7 strict=on")


def stand_in(configuration: Configuration) -> None:
    """Let gpurun stand in for other devices, and for no more than the configuration says."""
    from gpurun.brian import takeover

    with suppress(ImportError):
        import brian2cuda.device  # noqa: F401  # registers `cuda_standalone`
    own = dict(all_devices)
    takeover.install(device="cuda" if configuration.cuda else "cpu", directory=None, seed=None)
    for name in set(takeover.TAKEN_OVER).difference(configuration.stands_in_for):
        all_devices[name] = own[name]


def prepare_emulated() -> None:
    """Set what brian2cuda's run() sets, and where the emulated toolkit is."""
    from tests.emulated import upstream

    own = ["-w", "-use_fast_math", '-Xcudafe "--diag_suppress=declared_but_not_referenced"']
    for name, value in upstream.PREFERENCES.items():
        prefs[name] = value
    prefs["devices.cuda_standalone.cuda_backend.extra_compile_args_nvcc"] = own
    jobs = len(os.sched_getaffinity(0))
    prefs["devices.cpp_standalone.extra_make_args_unix"] = [f"-j{jobs}"]
    # Thread 0 comes last, as if the lanes of a warp went in step: brian2cuda relies on it
    toolkit.use_emulated("order=reverse")


def main(job_file: str) -> int:
    """Do the job and return pytest's exit status."""
    job = json.loads(Path(job_file).read_text(encoding="utf-8"))
    configuration = CONFIGURATIONS[job["configuration"]]
    selected = configuration.phase(job["phase"])
    journal = Journal(Path(job["output"]))
    recorder = Recorder(journal)
    prepare(configuration)
    if job["tests"]:
        watch_processes(journal)
        if configuration.gpurun:
            watch_gpurun(journal)

    # brian2cuda's run() counts what the device refuses as skipped
    is_brian2cuda = configuration.cuda and not configuration.gpurun
    plugin = PreferencePlugin(prefs, fail_for_not_implemented=not is_brian2cuda)
    plugin.device = configuration.device
    plugin.device_options = {"directory": None, "with_output": False}
    if configuration.gpurun and configuration.cuda:
        plugin.device_options["backend"] = "cuda"
    if not selected.build_on_run:
        plugin.device_options["build_on_run"] = False

    package = Path(importlib.import_module(configuration.suite).__file__ or "").parent
    arguments = [str(package / "tests" / test) for test in job["tests"]]
    options = ["-c", str(INI), "--quiet", "-m", selected.markers]
    # As brian2cuda's run(): outside of its root pytest loses the names of files
    options += ["--rootdir", str(package.parent)] if configuration.suite != "brian2" else []
    options += ["--confcutdir", str(package), "-p", "no:cacheprovider", "-p", "no:randomly"]
    # The thread method also ends a test that hangs in compiled code (it ends the process).
    options += ["--timeout", str(job["timeout"]), "--timeout-method", "thread"]
    if not job["tests"]:
        options.append("--collect-only")
    arguments = arguments or [str(package)]
    status = int(pytest.main([*arguments, *options], plugins=[plugin, recorder]))
    if not job["tests"]:
        journal.write("collected", tests=recorder.collected)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
