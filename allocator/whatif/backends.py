"""Who computes: threads, processes, a Dask cluster, Ray, or whatever joblib is told of.

The one call of joblib is in `sweep`; here is only what must be ready before it.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

from allocator.models.errors import ConfigError, StaleError
from allocator.whatif.document import suggest

NAMES: Final = {
    "serial": "sequential",
    "threads": "threading",
    "processes": "loky",
    "dask": "dask",
    "ray": "ray",
}
"""Our names of joblib's back ends; another name is one that joblib was told of by its caller."""

EXTRAS: Final = {"dask": ("distributed", "pip install 'allocator[dask]'"), "ray": ("ray", "")}
WAIT_S = 30
"""How long a cluster may take to answer."""

IDLE_S = 20
"""How long a process without work stays."""

LOOK_S = 0.5
"""How often a process looks whether the one that it works for is there."""

WARNINGS = "PYTHONWARNINGS"


@contextmanager
def ready(
    backend: str, jobs: int, cluster: str | None, shared: object
) -> Generator[dict[str, Any]]:
    """Prepare a back end.

    Parameters
    ----------
    backend
        One of `NAMES`, or a name that was registered with joblib.
    jobs
        Workers.
    cluster
        Address of a Dask scheduler, such as ``tcp://127.0.0.1:8786``, or of a Ray cluster; None:
        one of as many processes as jobs is started on the loopback interface for the time of the
        sweep.
    shared
        What every task is given: a cluster sends it to each worker once, not with each task.

    Yields
    ------
    What `joblib.parallel_config` is given.

    Raises
    ------
    ConfigError
        When nobody knows it, or what it needs is not installed.
    StaleError
        When the cluster does not answer.
    """
    if backend in EXTRAS:
        name, remedy = EXTRAS[backend]
        if find_spec(name) is None:
            remedy = remedy or f"pip install {name}"
            raise ConfigError(f"{backend}: {name} is not installed: {remedy}")
    elif backend not in NAMES and backend not in (known := _told_to_joblib()):
        names = sorted({*NAMES, *known})
        hint = suggest(backend, names) or f"; there are {', '.join(names)}"
        raise ConfigError(f"no back end is called {backend!r}{hint}")
    if cluster is not None and backend not in EXTRAS:
        raise ConfigError(f"a cluster's address goes with dask or ray, not with {backend}")
    name = NAMES.get(backend, backend)
    if backend == "dask":
        with _dask(jobs, cluster) as client:
            yield {"backend": name, "client": client, "n_jobs": -1, "scatter": [shared]}
        return
    if backend == "ray":
        with _ray(jobs, cluster):
            yield {"backend": name, "n_jobs": jobs if cluster is None else -1}
        return
    more: dict[str, Any] = {}
    if name == "loky":
        _start_trackers()
        end = {"initializer": end_with, "initargs": (os.getpid(),)}
        more = {"idle_worker_timeout": IDLE_S, **end}
    yield {"backend": name, "n_jobs": 1 if backend == "serial" else jobs, **more}


@contextmanager
def deaf_to_interrupts() -> Generator[None]:
    """Start workers that no interrupt reaches, not even before `end_with` has run in them.

    The mask is inherited by every process and thread that is started meanwhile; an interrupt that
    comes meanwhile is answered at the end.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_trackers() -> None:
    """Start the processes that clear away the semaphores that are left over, without their words.

    A sweep that is interrupted or killed may leave some; they remove them all and warn of each, on
    the standard error of a command that has said already how far it came. Python's own, which is
    started with the first worker, would let interrupts through again as it is started.
    """
    trackers: list[Any] = [
        import_module("joblib.externals.loky.backend.resource_tracker"),
        import_module("multiprocessing.resource_tracker"),
    ]
    before = os.environ.get(WARNINGS)
    quiet = "ignore:resource_tracker:UserWarning"
    os.environ[WARNINGS] = quiet if before is None else f"{before},{quiet}"
    try:
        for tracker in trackers:
            tracker.ensure_running()
    finally:
        if before is None:
            del os.environ[WARNINGS]
        else:
            os.environ[WARNINGS] = before


def _told_to_joblib() -> set[str]:
    """Name the back ends that joblib has, those of its caller included."""
    return set(import_module("joblib.parallel").BACKENDS)


def end_with(parent: int) -> None:
    """End this process soon after its parent, and by nothing that the parent answers.

    A worker that waits for the rest of a message when the sweep is killed would wait for ever:
    workers themselves keep the pipe open. An interrupt at the terminal reaches the whole group: the
    sweep ends its workers, which would each tell of it in lines of their own.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK_S)
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()


@contextmanager
def _dask(jobs: int, cluster: str | None) -> Generator[Any]:
    distributed: Any = import_module("distributed")

    for name in ("distributed", "distributed.nanny", "distributed.scheduler"):
        logging.getLogger(name).setLevel(logging.WARNING)
    if cluster is not None:
        try:
            client = distributed.Client(cluster, timeout=WAIT_S, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            raise StaleError(f"no Dask scheduler answers at {cluster}: {error}") from error
        with client:
            yield client
        return
    # Workers would sample their stacks all the time, and keep hours of it.
    quiet = {"distributed.worker.profile.enabled": False}
    with (
        import_module("dask.config").set(quiet),
        distributed.LocalCluster(
            n_workers=jobs,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address=None,
            worker_dashboard_address=None,
        ) as made,
        distributed.Client(made, set_as_default=False) as client,
    ):
        yield client


@contextmanager
def _ray(jobs: int, cluster: str | None) -> Generator[None]:
    """Use the cluster that the caller has joined already, else the one asked for."""
    ray: Any = import_module("ray")
    register: Any = import_module("ray.util.joblib")
    register.register_ray()
    if ray.is_initialized():
        yield
        return
    own = {"num_cpus": jobs, "include_dashboard": False, "_node_ip_address": "127.0.0.1"}
    try:
        ray.init(log_to_driver=False, **(own if cluster is None else {"address": cluster}))
    except ConnectionError as error:
        raise StaleError(f"no Ray cluster answers at {cluster}: {error}") from error
    try:
        yield
    finally:
        ray.shutdown()
