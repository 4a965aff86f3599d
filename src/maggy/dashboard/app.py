"""What the page asks for, and what it is answered."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from maggy.chronicle import Chronicle
from maggy.dashboard import answers
from maggy.dashboard.catalog import Catalog, Experiment
from maggy.dashboard.figures import Figures, names
from maggy.dashboard.reading import Reading
from maggy.dashboard.trials import chosen
from maggy.errors import MaggyError
from maggy.journal.control import Request as Wish
from maggy.journal.control import ask
from maggy.plots import PLOTS
from maggy.trial import Trial

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

_STATIC = Path(__file__).parent / "static"
_COMPARED = 8
_ORDERS = 4
_BODY = 10_000  # bytes of a question


class _Refused(Exception):  # noqa: N818  it is an answer
    def __init__(self, code: int, text: str) -> None:
        self.code, self.text = code, text
        super().__init__(text)


class Pages:
    """The answers, each from what is known of the experiments of a catalog.

    by  who asks drivers for something, for the journal
    """

    def __init__(self, catalog: Catalog, by: str) -> None:
        self._catalog, self._by, self._figures = catalog, by, Figures()
        self._orders: dict[tuple[str, str, str, bool], list[Trial]] = {}  # the last tables, for whoever turns pages
        self._ordering = threading.Lock()

    def experiments(self, request: Request) -> Response:
        """Every experiment there is."""
        return _json(request, answers.listing(self._catalog))

    def experiment(self, request: Request) -> Response:
        """The head of an experiment's page."""
        experiment, reading = self._open(request)
        body = answers.status(experiment, reading)
        with reading.lock:
            body["plots"] = [] if reading.book is None else names(reading.book)
        return _json(request, body)

    def trials(self, request: Request) -> Response:
        """A page of the table of trials."""

        def table(chronicle: Chronicle) -> Any:
            query = request.query_params
            words, sort, down = query.get("q", "")[:500], query.get("sort", "trial"), query.get("order") == "desc"
            key = (reading.tag, words, sort, down)
            with self._ordering:
                order = self._orders.pop(key, None) or chosen(chronicle, query=words, sort=sort, down=down)
                self._orders[key] = order
                if len(self._orders) > _ORDERS:
                    del self._orders[next(iter(self._orders))]
            number, size = _number(query.get("page"), 1), _number(query.get("size"), 50)
            return answers.trial_table(chronicle, order, number, size, answers.state_now(reading))

        _, reading = self._open(request)
        return self._of(request, table)

    def trial(self, request: Request) -> Response:
        """A trial's page."""
        _, reading = self._open(request)
        with reading.lock:
            if reading.book is None:
                raise _Refused(503, reading.error or "The journal is being read.")
            trial = reading.book.trials.get(request.path_params["trial"])
            if trial is None:
                raise _Refused(404, f"There is no trial {request.path_params['trial']} (yet).")
            state = answers.state_now(reading)
            return _json(request, answers.trial_page(reading.book, trial, state))

    def log(self, request: Request) -> Response:
        """What a trial has printed."""
        _, reading = self._open(request)
        if reading.folder is None:
            raise _Refused(503, reading.error or "The journal is being read.")
        start = request.query_params.get("start")
        return _json(
            request, answers.log(reading, request.path_params["trial"], None if start is None else _number(start, 0))
        )

    def workers(self, request: Request) -> Response:
        """The workers."""
        return self._of(request, answers.workers)

    def decisions(self, request: Request) -> Response:
        """The last reasons."""
        return self._of(request, answers.decisions)

    def config(self, request: Request) -> Response:
        """experiment.json."""
        _, reading = self._open(request)
        return self._of(request, lambda chronicle: answers.config(reading))

    def plot(self, request: Request) -> Response:
        """A plot."""
        from starlette.responses import Response

        _, reading = self._open(request)
        name = request.path_params["name"]
        if name not in PLOTS:
            raise _Refused(404, f"There is no plot {name!r}.")
        if reading.book is None:
            raise _Refused(503, reading.error or "The journal is being read.")
        body, tag = self._figures.of(reading, name, request.query_params.get("theme", "light"))
        tag = f'"{tag}"'
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"etag": tag})
        return Response(body, media_type="application/json", headers={"etag": tag, "cache-control": "no-cache"})

    def compare(self, request: Request) -> Response:
        """Several experiments side by side."""
        ids = list(dict.fromkeys(filter(None, request.query_params.get("ids", "").split(","))))[:_COMPARED]
        found = [experiment for id in ids if (experiment := self._catalog.find(id)) is not None]
        if not found:
            raise _Refused(404, "None of these experiments is here.")
        return _json(request, answers.compare([(experiment, self._catalog.open(experiment)) for experiment in found]))

    async def stop(self, request: Request) -> Response:
        """Ask a driver to stop a trial, or its experiment."""
        from starlette.concurrency import run_in_threadpool

        if request.headers.get("content-type", "").partition(";")[0] != "application/json":
            raise _Refused(415, "This has to be asked for in JSON.")
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > _BODY:
                raise _Refused(413, "That is too much.")
        try:
            wanted = msgspec.json.decode(bytes(body), type=dict[str, int | None])
        except msgspec.MsgspecError as error:
            raise _Refused(400, f"That cannot be understood: {error}") from error
        return await run_in_threadpool(self._stop, request, wanted.get("trial"))

    def _stop(self, request: Request, trial: int | None) -> Response:
        _, reading = self._open(request)
        with reading.lock:
            if reading.book is None or reading.folder is None:
                raise _Refused(503, reading.error or "The journal is being read.")
            state, folder = answers.state_now(reading), reading.folder
            allowed = answers.may_stop(state)
            if trial is not None and allowed["ok"]:
                found = reading.book.trials.get(trial)
                gone = {"ok": False, "why": f"Trial {trial} does not run."}
                allowed = gone if found is None or found.state.final else answers.may_stop_trial(found, state)
        if not allowed["ok"]:
            raise _Refused(409, allowed["why"])
        try:
            ask(folder, Wish(do="stop", trial=trial, by=self._by))
        except Exception as error:  # each file system has errors of its own
            raise _Refused(500, f"The request cannot be written into {folder.url}: {error}") from error
        return _json(request, {"asked": True})

    def _open(self, request: Request) -> tuple[Experiment, Reading[Chronicle]]:
        experiment = self._catalog.find(request.path_params["id"])
        if experiment is None:
            raise _Refused(404, "This experiment is not here, or no more.")
        return experiment, self._catalog.open(experiment)

    def _of(self, request: Request, make: Callable[[Chronicle], Any]) -> Response:
        """An answer that changes only with the journal."""
        from starlette.responses import Response

        _, reading = self._open(request)
        with reading.lock:
            if reading.book is None:
                raise _Refused(503, reading.error or "The journal is being read.")
            tag = f'"{reading.tag}"'
            if request.headers.get("if-none-match") == tag:
                return Response(status_code=304, headers={"etag": tag})
            try:
                return _json(request, make(reading.book), tag)
            except MaggyError as error:
                raise _Refused(400, str(error)) from error


def build(catalog: Catalog, by: str) -> Starlette:
    """The application, which trusts whoever asks; see `maggy.dashboard.guard`."""
    from starlette.applications import Starlette
    from starlette.responses import FileResponse
    from starlette.routing import Mount, Route
    from starlette.staticfiles import StaticFiles

    pages = Pages(catalog, by)

    def home(request: Request) -> Response:
        return FileResponse(_STATIC / "index.html", headers={"cache-control": "no-cache"})

    def plotly(request: Request) -> Response:
        return FileResponse(_plotly_js(), headers={"cache-control": "private, max-age=86400"})

    def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, _Refused)
        return _json(request, {"error": error.text}, code=error.code)

    one = "/api/experiments/{id}"
    return Starlette(
        routes=[
            Route("/", home),
            Route("/plotly.js", plotly),
            Mount("/static", StaticFiles(directory=_STATIC)),
            Route("/api/experiments", pages.experiments),
            Route("/api/compare", pages.compare),
            Route(one, pages.experiment),
            Route(f"{one}/trials", pages.trials),
            Route(one + "/trials/{trial:int}", pages.trial),
            Route(one + "/trials/{trial:int}/log", pages.log),
            Route(f"{one}/workers", pages.workers),
            Route(f"{one}/decisions", pages.decisions),
            Route(f"{one}/config", pages.config),
            Route(one + "/plots/{name}", pages.plot),
            Route(f"{one}/stop", pages.stop, methods=["POST"]),
        ],
        exception_handlers={_Refused: refused},
    )


def _plotly_js() -> Path:
    import plotly

    return Path(plotly.__file__).parent / "package_data" / "plotly.min.js"


def _json(request: Request, value: Any, tag: str | None = None, code: int = 200) -> Response:
    """JSON; NaN and infinity become null. Nothing is sent where the page has it already."""
    from starlette.responses import Response

    body = msgspec.json.encode(value, enc_hook=str)
    tag = tag or f'"{hashlib.blake2s(body, digest_size=8).hexdigest()}"'
    headers = {"etag": tag, "cache-control": "no-cache"}
    if code == 200 and request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(body, status_code=code, media_type="application/json", headers=headers)


def _number(text: str | None, otherwise: int) -> int:
    return int(text) if text is not None and text.isdecimal() and len(text) < 16 else otherwise
