"""``device.delete()``: removes what a build and its runs left in the project directory."""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from brian2.utils.logger import get_logger

# The warnings keep the names they have in brian2, so that filters still work.
_logger = get_logger("brian2.devices.cpp_standalone.device")


def temporary_project() -> str:
    """Make a project directory that is removed when this process ends."""
    directory = tempfile.mkdtemp(prefix="gpurun-project-")
    pid = os.getpid()

    def remove() -> None:
        if os.getpid() == pid:  # not in a forked child
            shutil.rmtree(directory, ignore_errors=True)

    atexit.register(remove)
    return directory


def _data_files(device: Any) -> list[Path]:
    results = Path(device.results_dir)
    names = ["random_generator_state", "last_run_info.txt", "stdout.txt"]
    if device.profiled_codeobjects:
        names.append("profiling_info.txt")
    names += [device.get_array_filename(variable) for variable in device.arrays]
    names += [
        f"{pathway.name}_queue" for synapses in device.synapses for pathway in synapses._pathways
    ]
    return [results / name for name in names]


def _code_files(device: Any) -> list[Path]:
    project = Path(device.project_dir)
    files: list[Path] = []
    if device.writer is not None:
        files += [project / name for name in device.writer.header_files]
        # Sources that the user added lie elsewhere and are theirs
        files += [
            project / name for name in device.writer.source_files if not Path(name).is_absolute()
        ]
    files += [project / "static_arrays" / name for name in device.static_arrays]
    return files


def delete_project(
    device: Any, *, code: bool, data: bool, run_args: bool, directory: bool, force: bool
) -> None:
    """Delete files of the project directory of `device`; see `brian2.devices.device.Device.delete`.

    The compiled library is in gpurun's cache and stays there (``gpurun cache``).

    Raises
    ------
    ValueError
        `directory` is true but not all of the others are.
    """
    if device.project_dir is None:
        return
    if directory and not all((code, data, run_args)):
        raise ValueError(
            "Deleting the directory deletes code and data as well; set code, data and run_args "
            "to True, or directory to False."
        )
    project = Path(device.project_dir)
    files = [*(_data_files(device) if data else []), *(_code_files(device) if code else [])]
    if run_args:
        files += [project / "static_arrays" / name for name in device.run_args_arrays]
    for path in files:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
    if directory:
        _delete_directories(project, Path(device.results_dir), force=force)


def _delete_directories(project: Path, results: Path, *, force: bool) -> None:
    known = [project / n for n in ("brianlib", "code_objects", "static_arrays", "results")]
    folders = [*known, *([results] if results not in known else []), project]
    for folder in folders:
        if not folder.exists():
            continue
        try:
            folder.rmdir()
        except OSError:
            if force:
                shutil.rmtree(folder, ignore_errors=True)
                continue
            foreign = sorted(path.name for path in folder.iterdir() if path not in folders)
            if foreign:
                _logger.warn(
                    f"Not deleting the '{folder}' directory, because it contains files or "
                    f"directories not added by Brian: {', '.join(foreign)}",
                    name_suffix="delete_skips_directory",
                )
