"""The journal, fed to the machine and the policies once more: a resume gets its state so, and a replay checks it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import msgspec

from maggy.brain import events as ev
from maggy.driver.decider import Decider
from maggy.errors import MaggyError, ResumeError
from maggy.journal import Record


@dataclass(frozen=True)
class Difference:
    """A decision that comes out otherwise than the journal has it.

    record     number of the record
    journalled what the journal says
    derived    what the policies say now; None where they are not even asked
    """

    record: int
    journalled: ev.AnyEvent
    derived: ev.AnyEvent | None

    def __str__(self) -> str:
        return f"record {self.record}: the journal has {_text(self.journalled)}, now it is {_text(self.derived)}"


@dataclass
class Replay:
    """What came of a journal.

    records      how many there were
    decisions    how many of them were answers of policies
    differences  answers that come out otherwise now; the state goes by the journal's
    open         answers that follow from the last record and that the journal does not have any more: a driver that
                 is killed can lose the end of a turn, of which nobody was told
    epoch        of the driver that wrote last
    """

    records: int = 0
    decisions: int = 0
    differences: list[Difference] = field(default_factory=list)
    open: list[ev.Answer] = field(default_factory=list)
    epoch: int = -1


def replay(decider: Decider, records: Iterable[Record]) -> Replay:
    """Bring a fresh decider to where the journal ends. The journal's answers stand; the policies are asked again too,
    so that whatever they keep is as it was. Only the draws of models are taken as they were, unless `Draws.checks`.

    Raises what `read` raises while `records` is read, and ResumeError where a policy raises.
    """
    told = Replay()
    expected: deque[ev.Answer] = deque()
    ahead = _Ahead(records)
    decider.advisor.recall, decider.advisor.draws.live = ahead.answer, False
    for record in ahead:
        event = record.event
        told.records += 1
        if isinstance(event, ev.Answer):
            told.decisions += 1
            derived = expected.popleft() if expected else None
            if derived != event:
                told.differences.append(Difference(record.n, event, derived))
        elif expected and not isinstance(event, ev.StudyStopped):  # else an answer comes next
            told.differences += [Difference(record.n, event, answer) for answer in expected]
            expected.clear()
        if isinstance(event, ev.DriverStarted):
            told.epoch = event.epoch
        try:
            _, answers = decider.learn(event, now=record.t, t=record.t)
        except MaggyError:
            raise
        except Exception as error:  # a policy may raise anything
            raise ResumeError(
                f"the policies cannot be brought to where they were: at record {record.n} one of them raised "
                f"{type(error).__name__}: {error}"
            ) from error
        expected.extend(answers)
    decider.advisor.recall = lambda ask: None
    decider.advisor.diverged = bool(told.differences)
    told.open = _renumbered(decider, expected)
    return told


class _Ahead:
    """Records in order, with a look ahead for the answer to an ask: it follows within the same turn."""

    def __init__(self, records: Iterable[Record]) -> None:
        self._records = iter(records)
        self._read: deque[Record] = deque()
        self._answers: dict[int, ev.Answer] = {}

    def __iter__(self) -> Iterator[Record]:
        while self._read or self._more():
            record = self._read.popleft()
            if isinstance(record.event, ev.Answer) and not isinstance(record.event, ev.Judged):
                self._answers.pop(record.event.ask, None)
            yield record

    def answer(self, ask: int) -> ev.Answer | None:
        """What the journal has as the answer to an ask; None if it ends before that."""
        while ask not in self._answers and self._more():
            pass
        return self._answers.get(ask)

    def _more(self) -> bool:
        record = next(self._records, None)
        if record is None:
            return False
        self._read.append(record)
        if isinstance(record.event, ev.Answer) and not isinstance(record.event, ev.Judged):
            self._answers[record.event.ask] = record.event
        return True


def _renumbered(decider: Decider, answers: Iterable[ev.Answer]) -> list[ev.Answer]:
    """Open answers with the trial numbers that come next, whatever numbers differing answers have used up."""
    trial = decider.brain.suggested
    numbered: list[ev.Answer] = []
    for answer in answers:
        if isinstance(answer, ev.Suggested):
            answer = msgspec.structs.replace(answer, trial=trial)
            trial += 1
        numbered.append(answer)
    decider.advisor.go_on_from(trial)
    return numbered


def _text(event: ev.AnyEvent | None) -> str:
    return "nothing" if event is None else msgspec.json.encode(event).decode()
