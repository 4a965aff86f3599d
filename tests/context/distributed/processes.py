"""A gang of real processes without a driver: the parent passes their parts on."""

from __future__ import annotations

import multiprocessing
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from typing import Any

import cloudpickle

from maggy.errors import PeerLostError

_LIMIT_S = 120.0


class PipeGang:
    """A rank's view; the parent is at the other end of the pipe."""

    host = "127.0.0.1"

    def __init__(self, rank: int, size: int, pipe: Connection) -> None:
        self.rank = self.local_rank = rank
        self.size = self.local_size = size
        self._pipe = pipe

    def gather(self, what: str, *part: float | str) -> list[list[float | str]]:
        self._pipe.send(("gather", what, list(part)))
        if not self._pipe.poll(_LIMIT_S):
            raise PeerLostError(f"nobody came to {what!r}")
        parts: list[list[float | str]] = self._pipe.recv()
        return parts


def run_gang(
    function: Callable[..., Any],
    size: int,
    *args: Any,
    environment: dict[str, str] | None = None,
    may_die: bool = False,
) -> list[Any]:
    """What `function(gang, *args)` returns on each rank, each in a fresh process. Raises AssertionError if one fails.

    environment  variables that are set before anything is imported
    may_die      a rank whose process dies has returned None
    """
    context = multiprocessing.get_context("spawn")
    pipes = [context.Pipe() for _ in range(size)]
    packed = cloudpickle.dumps((function, args))
    processes = [
        context.Process(target=_rank, args=(rank, size, pipes[rank][1], packed, environment or {}), daemon=True)
        for rank in range(size)
    ]
    for process, (_, theirs) in zip(processes, pipes, strict=True):
        process.start()
        theirs.close()
    try:
        results = _pass_on([ours for ours, _ in pipes], may_die)
        for process in processes:
            process.join(_LIMIT_S)
        return results
    finally:
        for process in processes:
            process.kill()


def _pass_on(pipes: list[Connection], may_die: bool) -> list[Any]:
    results: dict[int, Any] = {}
    waiting: dict[int, tuple[str, list[float | str]]] = {}
    while len(results) < len(pipes):
        open_ = [pipe for rank, pipe in enumerate(pipes) if rank not in results]
        ready = wait(open_, _LIMIT_S)
        assert ready, "the ranks say nothing any more"
        for pipe in ready:
            rank = pipes.index(pipe)  # type: ignore[arg-type]
            try:
                kind, *said = pipe.recv()  # type: ignore[union-attr]
            except EOFError:
                assert may_die, f"rank {rank} died"
                results[rank] = None
                continue
            assert kind != "failed", f"rank {rank} failed:\n{said[0]}"
            if kind == "gather":
                waiting[rank] = (said[0], said[1])
            else:
                results[rank] = cloudpickle.loads(said[0])
        if len(waiting) == len(pipes):
            assert len({what for what, _ in waiting.values()}) == 1, f"the ranks are at different places: {waiting}"
            parts = [waiting[rank][1] for rank in range(len(pipes))]
            waiting.clear()
            for pipe in pipes:
                pipe.send(parts)
    return [results[rank] for rank in range(len(pipes))]


def _rank(rank: int, size: int, pipe: Connection, packed: bytes, environment: dict[str, str]) -> None:
    import os

    os.environ.update({"OMP_NUM_THREADS": "1", **environment})
    try:
        function, args = cloudpickle.loads(packed)
        answer = ("done", cloudpickle.dumps(function(PipeGang(rank, size, pipe), *args)))
    except BaseException:
        answer = ("failed", traceback.format_exc())  # type: ignore[assignment]
    pipe.send(answer)
    os._exit(0)
