"""One notebook, executed as a scheduler does: strict parameters, a kernel of its own, and the same bytes from the same inputs.

papermill only logs an unknown parameter and runs with the default, keeps times and machine paths in the notebook, and gives the cell it
injects a random id: each is mended here.
"""

from __future__ import annotations

import builtins
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reconlib import errors
from reconlib.errors import DISK_HINT, DataError, ReconError, SettingsError, nearest

WIDGET_MIME = "application/vnd.jupyter.widget-view+json"
_ERRORS: dict[str, type[ReconError]] = {
    name: value for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, ReconError)
}


def check_parameters(notebook: Path, parameters: Mapping[str, Any]) -> None:
    """Refuses a parameter the notebook does not declare: papermill would only log it and run with the default.

    Raises:
        SettingsError: an unknown name, with the nearest declared one; or there is no such notebook.
    """
    import papermill

    if not notebook.is_file():
        hint = "run inside the project's folder: its notebooks stand beside the folder that holds the params"
        raise SettingsError("there is no notebook", where=str(notebook), hint=hint)
    declared = papermill.inspect_notebook(str(notebook))
    for name in parameters:
        if name not in declared:
            raise SettingsError(f"no parameter {name!r}", where=notebook.name, hint=nearest(name, declared))


def execute_notebook(
    notebook: Path,
    output: Path,
    parameters: Mapping[str, Any],
    *,
    cwd: Path,
    log: Path,
    keep_open: Sequence[int] = (),
    environ: Mapping[str, str] | None = None,
) -> None:
    """Runs one notebook in a kernel of its own and writes it with its outputs, free of clock, machine paths and run ids.

    What the kernel process itself says on stderr (its transport warning, a crash) goes to ``log``. The kernel holds the files in
    ``keep_open`` too: a lock among them stays until the kernel of a killed run is gone. ``environ`` is added to the kernel's environment.

    Raises:
        ReconError: what stopped the notebook, as the class that was raised inside; the partial notebook stands at ``output``.
    """
    import papermill
    from jupyter_client.manager import AsyncKernelManager
    from nbclient.exceptions import DeadKernelError

    held = {"pass_fds": tuple(keep_open)} if keep_open and sys.platform != "win32" else {}

    class LoggedKernel(AsyncKernelManager):
        async def start_kernel(self, **kwargs: Any) -> None:  # type: ignore[override] # the base class types each keyword
            kwargs["env"] = {**(kwargs.get("env") or os.environ), **(environ or {})}
            await super().start_kernel(stderr=sink, **held, **kwargs)

    check_parameters(notebook, parameters)
    logging.getLogger("papermill").setLevel(logging.ERROR)
    try:
        with log.open("ab") as sink:
            papermill.execute_notebook(
                str(notebook),
                str(output),
                parameters=dict(parameters),
                kernel_name="python3",
                cwd=str(cwd),
                progress_bar=False,
                request_save_on_cell_execute=False,
                autosave_cell_every=0,
                record_timing=False,
                kernel_manager_class=LoggedKernel,
            )
    except papermill.PapermillExecutionError as error:
        raise restore_error(notebook.stem, error.ename, error.evalue) from None
    except DeadKernelError:
        hint = f"memory may have run out: set memory_limit in params; what the kernel said last stands in {log}"
        raise DataError("the notebook's kernel was ended from outside", where=notebook.stem, hint=hint) from None
    strip_run(output)


def restore_error(page: str, name: str, text: str) -> ReconError:
    """The error a notebook stopped with, as the class it was, so that the exit code says what to do."""
    what, _, hint = text.partition("\nHint: ")
    if name in _ERRORS:
        return _ERRORS[name](what, hint=hint)
    if issubclass(getattr(builtins, name, object), OSError):
        return DataError(text, where=page, hint=DISK_HINT)
    return ReconError(f"{name}: {text}", where=page, hint="this is a defect: open the partial notebook named above and report it")


def strip_run(notebook: Path) -> None:
    """Removes from an executed notebook what differs between two equal runs: times, paths, live widgets, a cell's random id."""
    import nbformat

    node = nbformat.read(notebook, as_version=4)  # type: ignore[no-untyped-call] # nbformat has no types
    for key in ("papermill", "widgets"):
        node.metadata.pop(key, None)
    for cell in node.cells:
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell["id"] = "injected-parameters"
        if "outputs" in cell:  # a widget lives in a kernel; a static table of the same rows stands beside it
            cell["outputs"] = [output for output in cell.outputs if WIDGET_MIME not in output.get("data", {})]
    nbformat.write(node, notebook)  # type: ignore[no-untyped-call] # nbformat has no types
