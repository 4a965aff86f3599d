"""The process that writes an experiment to one tracking service: `Apart` starts it, and it follows the journal."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from functools import partial
from time import monotonic, sleep
from typing import BinaryIO, TypeVar

import msgspec

from maggy.chronicle import About
from maggy.journal import ExperimentFolder
from maggy.journal.follower import Follower
from maggy.tracking.apart import Begin, Word
from maggy.tracking.experiment_runs import ExperimentRuns, final_name
from maggy.tracking.words import without_secrets

_T = TypeVar("_T")

_NICENESS = 10  # training comes first
_FLUSH_S = 2.0  # what was seen is sent this often
_LOOK_S = 0.25  # the journal is looked at this often where nothing is new
_RECORDS = 1000  # of it that are read at once
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 10.0  # between two tries of a service that does not answer
_LONGEST_LAST_WAIT_S = 1.0  # the same once the experiment is over


class NoAnswerError(Exception):
    """The service does not answer, and nobody waits for it any more."""


class Patience:
    """Calls a service again and again where it does not answer: as long as the experiment runs, and a little longer.

    name     of the service
    say      called with a line for the user
    over     set when the experiment is over
    refuses  whether an error says that the service has understood what it was told, and does not want it
    after_s  for how much longer

    refused  how often that was so
    """

    def __init__(
        self,
        name: str,
        say: Callable[[str], None],
        over: threading.Event,
        refuses: Callable[[Exception], bool],
        after_s: float,
    ) -> None:
        self._after_s = after_s
        self._name, self._say, self._over, self._refuses = name, say, over, refuses
        self._said = False
        self._until: float | None = None
        self.refused = 0

    def __call__(self, write: Callable[[], _T]) -> _T | None:
        """Returns what the call returns; None where it was refused. Raises NoAnswerError."""
        wait_s = _FIRST_WAIT_S
        while True:
            try:
                return write()
            except Exception as error:  # a client raises whatever its libraries do
                shown = without_secrets(f"{type(error).__name__}: {error}".partition("\n")[0])[:300]
                if self._refuses(error):
                    self.refused += 1
                    if self.refused == 1:
                        self._say(f"{self._name} refuses a part of what it is told: {shown}")
                    return None
                if not self._said:
                    self._said = True
                    self._say(f"{self._name} does not answer, and is tried again; the experiment goes on ({shown})")
            if self._over.wait(wait_s):
                self._until = self._until or monotonic() + self._after_s
                if monotonic() > self._until:
                    raise NoAnswerError(shown)
                sleep(min(wait_s, _LONGEST_LAST_WAIT_S))
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)


class Service:
    """Reads the journal of an experiment while it is written, and writes it to a service.

    stream   what `Apart` sends
    channel  where it listens
    """

    def __init__(self, stream: BinaryIO, channel: BinaryIO) -> None:
        self._channel = channel
        begin = msgspec.json.decode(stream.readline(), type=Begin)
        self._name, self._place = begin.service, begin.place
        self._folder = ExperimentFolder(begin.url)
        self._about = About.of(begin.url, begin.about)
        self._over = threading.Event()
        self._patience = Patience(
            self._name, lambda line: self._tell(say=line), self._over, _refusal(self._name), begin.patience_s
        )
        self._mark = f"tracking/{self._name}.json"
        threading.Thread(target=self._read, args=(stream,), daemon=True).start()

    def run(self) -> int:
        """Until no record follows; the exit code of the process."""
        try:
            self._work()
        except NoAnswerError as error:
            self._tell(say=f"{self._name} has not answered to the end: {error}")
            return 1
        except Exception as error:
            self._tell(say=f"{self._name} failed: {type(error).__name__}: {error}")
            return 1
        if self._patience.refused:
            self._tell(
                say=f"{self._name} has refused {self._patience.refused:,} requests; their content is missing there"
            )
        return 0

    def _work(self) -> None:
        runs = self._runs(self._known())
        runs.begin(self._about)
        # On this machine, where the driver writes it; a store gets it later.
        follower = Follower(ExperimentFolder(self._folder.local))
        seen, flush_at = 0, monotonic() + _FLUSH_S
        while True:
            over = self._over.is_set()  # looked at first: then no record follows those that are found now
            records = follower.new(_RECORDS)
            for record in records:
                runs.see(record)
                seen = record.n + 1
                if monotonic() >= flush_at:
                    flush_at = self._flush(runs, seen)
            if not records:
                if over:
                    break
                if monotonic() >= flush_at:
                    flush_at = self._flush(runs, seen)
                self._over.wait(_LOOK_S)
        runs.end()
        self._note(seen)

    def _flush(self, runs: ExperimentRuns, seen: int) -> float:
        """Send what was seen, and note that; returns when to do so again."""
        runs.flush()
        self._note(seen)
        return monotonic() + _FLUSH_S

    def _read(self, stream: BinaryIO) -> None:
        stream.readline()
        self._over.set()  # also where the driver was killed: what it has written down is passed on

    def _runs(self, written: int) -> ExperimentRuns:
        about, identity = self._about, str(self._about.raw["id"])
        match self._name:
            case "mlflow":
                from maggy.tracking.mlflow import MlflowLogger

                return ExperimentRuns(
                    about,
                    partial(MlflowLogger.go_on, about.name, self._place, identity, self._patience),
                    written=written,
                )
            case "wandb":
                from maggy.tracking.wandb import WandbLogger

                return ExperimentRuns(
                    about, partial(WandbLogger.go_on, about.name, self._place, identity), written=written
                )
        from maggy.tracking.tensorboard import TensorBoardLogger

        key = about.objectives[0].key
        metrics = {final_name(key): f"final {key}", key: key}
        folder = self._folder.local
        make = partial(TensorBoardLogger.of_experiment, folder, about.space, metrics, about.started)
        return ExperimentRuns(about, make, written=written)

    def _known(self) -> int:
        """How many records were written down before."""
        try:
            mark = msgspec.json.decode(self._folder.read(self._mark), type=dict[str, object])
        except (OSError, msgspec.MsgspecError):
            return 0
        written = mark.get("written")
        return written if mark.get("place") == self._place and isinstance(written, int) else 0

    def _note(self, written: int) -> None:
        self._folder.write(self._mark, msgspec.json.encode({"place": self._place, "written": written}))
        self._tell(written=written)

    def _tell(self, *, written: int = -1, say: str = "") -> None:
        try:
            self._channel.write(msgspec.json.encode(Word(written, without_secrets(say))) + b"\n")
            self._channel.flush()
        except OSError:
            pass  # the driver is gone


def _refusal(name: str) -> Callable[[Exception], bool]:
    if name == "mlflow":
        from maggy.tracking.mlflow import is_refusal

        return is_refusal
    return lambda error: False


def main() -> None:
    """The process; it reads from standard input, and answers on what was its standard output."""
    channel = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a service's client prints is nothing for the driver
    os.nice(_NICENESS)
    for name, value in (("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1"), ("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")):
        os.environ.setdefault(name, value)  # its own patience is no use beside ours
    os.environ.pop("MLFLOW_RUN_ID", None)  # a run of the user's own program, which is not ours to go on with
    code = Service(sys.stdin.buffer, channel).run()
    os._exit(code) if code else sys.exit(0)


if __name__ == "__main__":
    main()
