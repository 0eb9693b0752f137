"""What a script sees under the command, compared with plain Python where that is the rule."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from tests.unit.cli_fakes import CommandLine


@pytest.fixture
def gpurun(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path)


def plain_python(gpurun: CommandLine, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words],
        cwd=gpurun.directory,
        env=gpurun.environment,
        capture_output=True,
        text=True,
        check=False,
    )


INTROSPECTION = """
import sys, json, os, inspect
import neighbour
class Thing: pass
main = sys.modules["__main__"]
print(json.dumps({
    "argv": sys.argv, "path0": sys.path[0], "name": __name__, "file": __file__,
    "package": __package__, "spec": __spec__, "cached": __cached__,
    "main": main.__file__, "own": vars(main) is globals(), "doc": __doc__,
    "thing": Thing.__module__, "source": inspect.getsource(Thing),
    "names": sorted(set(globals()) - {"__annotations__"}), "builtins": type(__builtins__).__name__,
    "flags": Thing.__init__.__class__.__name__, "loader": type(__loader__).__name__,
    "loads": __loader__.name, "future": inspect.currentframe().f_code.co_flags,
}))
"""


@pytest.mark.parametrize("where", ["train.py", "./train.py", "sub/train.py", "link.py", "absolute"])
def test_a_script_sees_what_python_shows_it(gpurun: CommandLine, where: str) -> None:
    gpurun.script(
        INTROSPECTION, "sub/train.py" if where in ("sub/train.py", "link.py") else "train.py"
    )
    gpurun.script("", "neighbour.py")
    gpurun.script("", "sub/neighbour.py")
    if where == "link.py":
        (gpurun.directory / "link.py").symlink_to("sub/train.py")
    if where == "absolute":
        where = str(gpurun.directory / "train.py")
    words = (where, "--epochs", "3", "a b", "")
    ours, theirs = gpurun(*words), plain_python(gpurun, *words)
    assert ours.returncode == theirs.returncode == 0, ours.stderr
    assert json.loads(ours.stdout) == json.loads(theirs.stdout)


def test_device_is_removed_and_the_rest_is_left(gpurun: CommandLine) -> None:
    name = gpurun.script("import sys; print(sys.argv[1:])")
    done = gpurun(name, "--epochs", "3", "--device", "cpu", "--", "--device", "7")
    assert done.stdout == "['--epochs', '3', '--device', '7']\n"


def test_encoding_of_the_source(gpurun: CommandLine) -> None:
    (gpurun.directory / "latin.py").write_bytes(
        b"# -*- coding: latin-1 -*-\nprint(ascii('\xe9'))\n"
    )
    assert gpurun("latin.py").stdout == "'\\xe9'\n"


def test_options_reach_the_brian_layer(gpurun: CommandLine) -> None:
    text = "from gpurun.brian import takeover; print(takeover.installed)"
    name = gpurun.script(text)
    done = gpurun("--device", "cpu", "--seed", "5", "--directory", "out", name)
    expected = {"device": "cpu", "directory": str(gpurun.directory / "out"), "seed": 5}
    assert done.stdout == f"{expected}\n"
    done = gpurun(name, GPURUN_SEED="6", GPURUN_DEVICE="cpu")
    assert done.stdout == f"{ {'device': 'cpu', 'directory': None, 'seed': 6} }\n"


@pytest.mark.parametrize(
    "statement",
    [
        "pass",
        "sys.exit()",
        "sys.exit(None)",
        "sys.exit(0)",
        "sys.exit(3)",
        "sys.exit(True)",
        "sys.exit(-1)",
        "sys.exit(256)",
        "sys.exit('it went wrong')",
        "sys.exit([1, 2])",
        "raise SystemExit",
        "raise ValueError('no')",
        "import atexit; atexit.register(print, 'at exit', file=sys.stderr); sys.exit(4)",
        "os._exit(9)",
    ],
)
def test_exit_status_and_stderr_are_pythons(gpurun: CommandLine, statement: str) -> None:
    name = gpurun.script(f"import os, sys\n{statement}\n")
    ours, theirs = gpurun("-q", "--device", "cpu", name), plain_python(gpurun, name)
    assert (ours.returncode, ours.stdout, ours.stderr) == (
        theirs.returncode,
        theirs.stdout,
        theirs.stderr,
    )


TRACEBACKS = {
    "plain": "def f():\n    raise ValueError('no')\nf()\n",
    "chained": "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise KeyError('k') from e\n",
    "context": "try:\n    1 / 0\nexcept ZeroDivisionError:\n    undefined\n",
    "syntax": "x = = 1\n",
    "null": "import neighbour\n",
    "hook": "import sys\nsys.excepthook = lambda t, e, tb: print('HOOK', e, tb.tb_lineno)\n1 / 0\n",
    "group": "raise ExceptionGroup('several', [ValueError(1), TypeError(2)])\n",
    "base": "class Stop(BaseException): pass\nraise Stop('here')\n",
}


@pytest.mark.parametrize("kind", TRACEBACKS)
def test_tracebacks_are_pythons(gpurun: CommandLine, kind: str) -> None:
    name = gpurun.script(TRACEBACKS[kind])
    gpurun.script("import json\njson.loads('[')\n", "neighbour.py")
    ours, theirs = gpurun("-q", "--device", "cpu", name), plain_python(gpurun, name)
    assert ours.returncode == 1
    assert (ours.stdout, ours.stderr) == (theirs.stdout, theirs.stderr)


def test_gpuruns_own_errors_end_at_the_users_line(gpurun: CommandLine) -> None:
    name = gpurun.script("from gpurun.config import parse_device\nparse_device('tpu')\n")
    done = gpurun(name)
    assert done.returncode == 1
    assert "parse_device('tpu')" in done.stderr
    assert "ConfigError: device 'tpu' is not known" in done.stderr
    assert "config.py" not in done.stderr
    assert "config.py" in gpurun("--verbose", name).stderr


def test_an_unexpected_error_inside_gpurun_keeps_its_frames(gpurun: CommandLine) -> None:
    name = gpurun.script("from gpurun import events\nevents.subscribe(3)\nevents.emit(None)\n")
    done = gpurun(name)
    assert done.returncode == 1
    assert "events.py" in done.stderr
    assert f"cli{os.sep}" not in done.stderr


def test_finish_comes_after_the_scripts_own_end(gpurun: CommandLine) -> None:
    name = gpurun.script(
        """
        import atexit, sys, threading, time
        def late():
            time.sleep(0.3)
            print("thread", file=sys.stderr)
        atexit.register(lambda: print("atexit", file=sys.stderr))
        threading.Thread(target=late).start()
        raise SystemExit(5)
        """.replace("\n        ", "\n")
    )
    done = gpurun("--device", "cpu", name, FAKE_LOG="1")
    assert done.returncode == 5
    assert done.stderr.split() == ["thread", "atexit", "FINISHED"]


def test_finish_comes_after_an_error_too(gpurun: CommandLine) -> None:
    done = gpurun("--device", "cpu", gpurun.script("1 / 0"), FAKE_LOG="1")
    assert done.returncode == 1
    assert done.stderr.endswith("ZeroDivisionError: division by zero\nFINISHED\n")


RUNS = """
import os, sys, time
from gpurun import events
from gpurun.brian import takeover
def present(duration=0.35):
    events.emit(events.RunStarted(duration))
    events.emit(events.RunFinished(duration, 0.01, 1.0))
def build(cached=False):
    events.emit(events.BuildStarted())
    events.emit(events.BuildFinished("key", 2.0, 1.5, cached))
if __name__ == "__main__":
    takeover.current.standalone_used = True
"""


def test_closing_line(gpurun: CommandLine) -> None:
    name = gpurun.script(RUNS + "build()\nfor _ in range(100): present()\nprint('result')\n")
    done = gpurun("--device", "cpu", name)
    assert done.stdout == "result\n"
    building, built, closing = done.stderr.splitlines()
    assert building == "gpurun: building the model"
    assert built == "gpurun: model compiled in 2.0 s"
    assert closing.startswith("gpurun: 100 runs, 35.0 s of model time, ")
    assert closing.endswith("of wall time (1.0 s in runs), build 2.0 s")


def test_quiet(gpurun: CommandLine) -> None:
    name = gpurun.script(RUNS + "build()\npresent()\nprint('result')\n")
    done = gpurun("--quiet", name)
    assert (done.stdout, done.stderr) == ("result\n", "")


def test_interrupt(gpurun: CommandLine) -> None:
    name = gpurun.script(RUNS + "present()\nopen('kept', 'w').close()\ntime.sleep(60)\n")
    with subprocess.Popen(
        gpurun.command(["--device", "cpu", name]),
        cwd=gpurun.directory,
        env=gpurun.environment,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        deadline = time.monotonic() + 60
        while not (gpurun.directory / "kept").exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.startswith("gpurun: interrupted; 1 run, 0.350 s of model time, ")
    assert "Traceback" not in said


def test_a_script_that_handles_ctrl_c_has_its_own_status(gpurun: CommandLine) -> None:
    name = gpurun.script(
        "import os, signal, time\ntry:\n    os.kill(os.getpid(), signal.SIGINT)\n"
        "    time.sleep(60)\nexcept KeyboardInterrupt:\n    raise SystemExit(7)\n"
    )
    assert gpurun(name).returncode == 7


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_runs_of_a_pool_are_counted_and_children_are_taken_over(
    gpurun: CommandLine, method: str
) -> None:
    text = RUNS + textwrap.dedent(
        f"""
        import multiprocessing
        class Result:
            def __init__(self, value): self.value = value
        def work(number):
            present()
            return Result((number, takeover.installed["seed"], __file__))
        if __name__ == "__main__":
            build()
            with multiprocessing.get_context({method!r}).Pool(2) as pool:
                for result in pool.map(work, range(5)):
                    print(type(result).__name__, *result.value)
        """
    )
    done = gpurun("--device", "cpu", "--seed", "3", gpurun.script(text))
    file = gpurun.directory / "train.py"
    assert done.stdout == "".join(f"Result {i} 3 {file}\n" for i in range(5)), done.stderr
    assert "gpurun: 5 runs, 1.8 s of model time" in done.stderr


def test_a_forked_child_that_ends_like_a_script_says_nothing(gpurun: CommandLine) -> None:
    text = RUNS + "present()\nif os.fork() == 0:\n    sys.exit(0)\nos.wait()\n"
    done = gpurun("--device", "cpu", gpurun.script(text), FAKE_LOG="1")
    assert done.stderr.count("FINISHED") == 1
    assert done.stderr.count("1 run,") == 1


def test_auto_says_that_it_is_the_cpu(gpurun: CommandLine) -> None:
    name = gpurun.script("pass")
    (line,) = gpurun(name).stderr.splitlines()
    assert line.startswith("gpurun: running on the CPU (")
    assert gpurun(name, "--device", "cpu").stderr == ""


def test_cuda_without_a_card_is_refused_before_the_script_runs(gpurun: CommandLine) -> None:
    name = gpurun.script("print('ran')")
    for device in ("cuda", "0", "cuda:3"):
        done = gpurun(name, "--device", device, CUDA_VISIBLE_DEVICES="")
        assert done.returncode == 2
        assert done.stdout == ""
        assert f"--device {'cuda:0' if device == '0' else device} cannot be used" in done.stderr
        assert "gpurun doctor" in done.stderr


def test_bad_scripts(gpurun: CommandLine) -> None:
    gpurun.script("{}", "book.ipynb")
    for name, message in {
        "missing.py": "there is no script missing.py",
        ".": "is a directory",
        "book.ipynb": "jupyter nbconvert --to script book.ipynb",
    }.items():
        done = gpurun(name)
        assert done.returncode == 2
        assert message in done.stderr
        assert "Traceback" not in done.stderr


def test_bad_environment_variable_is_named(gpurun: CommandLine) -> None:
    done = gpurun(gpurun.script("print('ran')"), GPURUN_SEED="soon")
    assert (done.returncode, done.stdout) == (2, "")
    assert "GPURUN_SEED" in done.stderr


def test_a_script_that_chooses_runtime_mode_is_told(gpurun: CommandLine) -> None:
    name = gpurun.script("print('ran')")
    assert "set_device('runtime')" not in gpurun("--device", "cpu", name).stderr
    stderr = gpurun("--device", "cpu", name, FAKE_LEFT_ALONE="1").stderr
    assert "set_device('runtime')" in stderr
    assert "gpurun --take-over-runtime" in stderr
    # Not where there is something else to say
    for text in (RUNS, "1 / 0"):
        stderr = gpurun("--device", "cpu", gpurun.script(text), FAKE_LEFT_ALONE="1").stderr
        assert "--take-over-runtime" not in stderr


def test_runtime_mode_takes_nothing_over(gpurun: CommandLine) -> None:
    name = gpurun.script(
        "import sys\nfrom gpurun.brian import takeover\nprint(takeover.installed, sys.argv[1:])\n"
    )
    done = gpurun("--device", "runtime", name, "--epochs", "3")
    assert (done.returncode, done.stdout) == (0, "None ['--epochs', '3']\n")
    assert done.stderr == ""
    late = gpurun(name, "--device", "runtime")
    assert (late.returncode, late.stdout) == (0, "None []\n")
    failing = gpurun("--device", "runtime", gpurun.script("import sys\nsys.exit(3)"))
    assert failing.returncode == 3


def test_a_long_build_for_a_short_run_is_mentioned_once(gpurun: CommandLine) -> None:
    text = (
        "from gpurun import events\n"
        "events.emit(events.BuildFinished('name', 5.0, 5.0, cached={cached}))\n"
        "events.emit(events.RunStarted(0.1))\n"
        "events.emit(events.RunFinished(0.1, {loop}, 1.0))\n"
    )
    for cached, loop, runs, said in (
        (False, 0.1, "1", 1),
        (True, 0.1, "1", 0),
        (False, 4.0, "1", 0),
        (False, 0.1, "0", 0),
    ):
        name = gpurun.script(text.format(cached=cached, loop=loop))
        done = gpurun("--device", "cpu", name, FAKE_PLAIN_RUNS=runs)
        assert done.returncode == 0, done.stderr
        assert done.stderr.count("--device runtime") == said, (cached, loop, runs)
        if said:
            assert "building took 5.0 s for 0.100 s of simulation" in done.stderr


def test_clash_is_named_before_and_after_the_failure(gpurun: CommandLine) -> None:
    name = gpurun.script("print('ran')", "random.py")
    done = gpurun("--device", "cpu", name, FAKE_FAILURE="1")
    lines = done.stderr.splitlines()
    assert done.returncode == 1
    assert lines[0].startswith("gpurun: warning: the script random.py has the name of Python's own")
    assert "ImportError: random is not what it was" in lines[-2]
    assert lines[-1].startswith("gpurun: this may be because of random.py")


def test_scripts_called_like_a_subcommand(gpurun: CommandLine) -> None:
    for name in ("devices", "cache", "doctor"):
        gpurun.script(f"print('the script {name}')", name)
        assert gpurun("--device", "cpu", f"./{name}").stdout == f"the script {name}\n"
    done = gpurun("doctor", "fast")
    assert done.returncode == 2
    assert "gpurun ./doctor" in done.stderr


def test_help_and_version_are_quick_because_they_import_little(gpurun: CommandLine) -> None:
    code = (
        "import sys; from gpurun.cli import main; status = main(sys.argv[1:])\n"
        "heavy = {'brian2', 'sympy', 'rich', 'pynvml'} & set(sys.modules)\n"
        "sys.exit(f'{status} {heavy}' if status or heavy else 0)"
    )
    for option in ("--help", "--version"):
        done = subprocess.run([sys.executable, "-c", code, option], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert "gpurun" in done.stdout


def test_console_script() -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "gpurun", "--version"], capture_output=True, text=True
    )
    from importlib.metadata import version

    assert done.stdout == f"gpurun {version('gpurun')}\n"


# -- gpurun build --------------------------------------------------------------------

BUILDS = """
import atexit, sys
from gpurun import events
from gpurun.brian import takeover
print("argv", sys.argv[1:], takeover.installed["device"])
atexit.register(print, "at exit")
events.emit(events.BuildStarted("0123456789abcdef"))
events.emit(events.BuildFinished("0123456789abcdef", 2.0, 1.5, cached=False))
print("ran")
"""


def test_build_stops_when_the_model_is_there(gpurun: CommandLine) -> None:
    name = gpurun.script(BUILDS)
    done = gpurun("build", name, "x", "--arch", "sm_90,8.0")
    assert done.returncode == 0
    assert done.stdout == "argv ['x'] cuda\nat exit\n"
    assert "the model 0123456789ab is in the cache, built for cuda" in done.stderr
    assert "no run was finished" not in done.stderr
    quiet = gpurun("--quiet", "build", "--device", "cpu", name)
    assert (quiet.returncode, quiet.stderr) == (0, "")
    assert quiet.stdout == "argv [] cpu\nat exit\n"


def test_build_of_a_script_without_a_model(gpurun: CommandLine) -> None:
    done = gpurun("build", "--device", "cpu", gpurun.script("print('nothing')"))
    assert done.returncode == 1
    assert "ended without building a model" in done.stderr


def test_bad_architectures_are_refused_before_the_script_runs(gpurun: CommandLine) -> None:
    done = gpurun("build", gpurun.script(BUILDS), "--arch", "hopper")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "names such as sm_90" in done.stderr


@pytest.mark.parametrize("words", [["--resume"], ["--every", "5min"]])
def test_options_of_a_checkpoint_need_its_file(gpurun: CommandLine, words: list[str]) -> None:
    name = gpurun.script("print('ran')")
    done = gpurun(*words, name)
    assert done.returncode == 2
    assert f"gpurun: error: {words[0]} needs a file: --checkpoint FILE." in done.stderr
    assert done.stdout == ""
    assert gpurun(*words, name, GPURUN_CHECKPOINT="run.h5").returncode == 0
