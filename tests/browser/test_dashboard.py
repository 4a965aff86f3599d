"""The dashboard, as a person meets it: in a real browser, over real experiments."""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from written import write_experiment

from maggy.brain.events import Interrupted, StopAsked
from maggy.journal import ExperimentFolder, read
from maggy.journal.lock import Lock

if TYPE_CHECKING:
    from playwright.sync_api import Page

PATIENCE_MS = 60_000
TRAINING = Path(__file__).parent / "training.py"


@pytest.fixture(autouse=True)
def _patient(page: Page) -> None:
    page.set_default_timeout(PATIENCE_MS)


class Search:
    """A real search in a process of its own: two of its trials return, the others run until they are stopped."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._process = subprocess.Popen([sys.executable, str(TRAINING), str(folder)], start_new_session=True)

    def kill(self) -> None:
        """All of it at once, as a machine that goes down: no last word."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Search]:
    search = Search(tmp_path / "live" / "1")
    yield search
    search.kill()


def rows(page: Page) -> list[list[str]]:
    """The table of the page, as text."""
    return page.locator("main tbody tr").evaluate_all(
        "rows => rows.map(row => [...row.cells].map(c => c.innerText.trim()))"
    )


def open_experiment(page: Page, name: str) -> None:
    page.get_by_role("link", name=name, exact=True).click()
    page.get_by_role("heading", level=1, name=name).wait_for()


def tab(page: Page, name: str) -> None:
    page.get_by_role("navigation", name="Parts of the experiment").get_by_role("link", name=name).click()


def axe(page: Page) -> list[str]:
    """What axe finds wrong with the page."""
    from axe_playwright_python.sync_playwright import Axe

    violations = Axe().run(page).response["violations"]
    return [f"{each['id']}: {node['target']} {node['failureSummary']}" for each in violations for node in each["nodes"]]


def reasons(folder: Path, kind: type) -> list[str]:
    return [record.event.reason for record in read(ExperimentFolder.open(folder)) if isinstance(record.event, kind)]


def test_a_running_search_is_watched_and_a_trial_and_then_all_of_it_is_stopped(page, served, running, tmp_path):
    served_ = served(tmp_path)
    page.goto(served_.link)
    assert "token" not in page.url
    page.get_by_text("No experiment yet").or_(page.get_by_role("table")).first.wait_for()
    page.get_by_role("link", name="watched", exact=True).wait_for()  # it appears by itself
    page.locator(".badge.running").wait_for()
    open_experiment(page, "watched")
    page.get_by_text("2 of 6").wait_for()  # two have returned
    page.locator("[data-plot=history] .main-svg").first.wait_for()
    tab(page, "Trials")
    page.get_by_role("row").filter(has_text="running").first.get_by_role("link").click()
    number = int(re.search(r"trial/(\d+)", page.url)[1])
    page.get_by_role("heading", name=f"Trial {number}").wait_for()
    log = page.get_by_role("region", name="Log")
    log.get_by_text("step 30").wait_for()  # the log grows as the trial prints
    assert page.get_by_role("img", name="Learning curve of trial").locator(".main-svg").count()

    stop = page.get_by_role("button", name="Stop trial")
    stop.click()
    dialog = page.get_by_role("dialog", name=f"Stop trial {number}?")
    dialog.get_by_role("button", name="Keep running").click()
    dialog.wait_for(state="hidden")
    assert not (running.folder / "control").exists() and stop.is_enabled()
    stop.click()
    dialog.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_text("stopped early", exact=True).wait_for()
    assert stop.is_disabled()
    (reason,) = reasons(running.folder, StopAsked)
    assert reason.endswith("in the dashboard")
    assert page.get_by_text(reason).count()

    page.get_by_role("navigation", name="Where you are").get_by_role("link", name="live/1").click()
    page.get_by_role("button", name="Stop experiment").click()
    page.get_by_role("dialog").get_by_role("button", name="Stop", exact=True).click()
    page.get_by_text("stopped by hand", exact=True).wait_for()
    assert page.get_by_role("button", name="Stop experiment").is_disabled()
    assert reasons(running.folder, Interrupted)[0].endswith("in the dashboard")


def test_an_experiment_whose_driver_was_killed_is_shown_as_it_was_left(page, served, running, tmp_path):
    page.goto(served(tmp_path).link)
    open_experiment(page, "watched")
    page.get_by_text("2 of 6").wait_for()
    running.kill()
    page.get_by_text("crashed", exact=True).wait_for()
    assert page.get_by_role("button", name="Stop experiment").is_disabled()
    page.get_by_text("No driver is alive that could stop it").wait_for()
    tab(page, "Trials")
    page.get_by_role("table").wait_for()
    assert [row[1] for row in rows(page)[:2]] == ["finished", "finished"]


def test_a_stop_that_no_driver_has_obeyed_can_be_asked_for_again(page, served, tmp_path):
    lock = Lock(write_experiment(tmp_path / "deaf" / "1", 16, planned=50, name="deaf"))  # its driver never looks
    page.clock.install()
    page.goto(served(tmp_path).link)
    open_experiment(page, "deaf")
    stop = page.get_by_role("button", name="Stop experiment")
    stop.click()
    page.get_by_role("dialog").get_by_role("button", name="Stop", exact=True).click()
    page.get_by_text("Asked to stop; the driver obeys").wait_for()
    assert stop.is_disabled()
    page.clock.fast_forward("01:00")
    page.get_by_text("Asked to stop; the driver obeys").wait_for(state="hidden")
    assert stop.is_enabled()
    lock.release()


def test_without_the_right_link_there_is_nothing_to_see(page, served, tmp_path):
    write_experiment(tmp_path / "digits" / "1", 8)
    link = served(tmp_path).link
    for wrong in (link.partition("?")[0], f"{link[:-3]}abc"):
        assert page.goto(wrong).status == 403
        assert "needs the link that `maggy ui` printed" in page.locator("body").inner_text()
    assert page.goto(link).status == 200


def test_trials_are_sorted_filtered_and_turned_and_the_address_remembers(page, served, tmp_path):
    write_experiment(tmp_path / "digits" / "1", 130, name="digits")
    page.goto(served(tmp_path).link)
    open_experiment(page, "digits")
    tab(page, "Trials")
    page.get_by_text("Page 1 of 3").wait_for()
    page.get_by_role("button", name="Next").click()
    page.get_by_text("Page 2 of 3").wait_for()
    assert rows(page)[0][0] == "50"

    page.get_by_role("button", name="accuracy").click()
    page.locator("th[aria-sort=ascending]", has_text="accuracy").wait_for()
    page.get_by_role("button", name="accuracy").click()
    page.locator("th[aria-sort=descending]", has_text="accuracy").wait_for()
    assert "best" in rows(page)[0][2]

    page.get_by_label("Filter").fill("state:stopped kind=b")
    page.get_by_text("13 of 130 trials").wait_for()
    assert {(row[1], row[5]) for row in rows(page)} == {("stopped early", "b")}
    shown = rows(page)
    page.reload()
    page.get_by_text("13 of 130 trials").wait_for()
    assert page.get_by_label("Filter").input_value() == "state:stopped kind=b" and rows(page) == shown

    page.get_by_role("link", name=shown[0][0], exact=True).click()
    page.get_by_role("heading", name=f"Trial {shown[0][0]}").wait_for()
    page.go_back()
    page.get_by_text("13 of 130 trials").wait_for()
    page.get_by_label("Filter").fill("nothing-like-that")
    page.get_by_text("No trial fits this filter.").wait_for()


def test_a_trial_that_failed_shows_its_error_and_one_that_was_stopped_its_reason(page, served, tmp_path):
    write_experiment(tmp_path / "digits" / "1", 40, name="digits")
    page.goto(served(tmp_path).link)
    open_experiment(page, "digits")
    address = page.url
    page.goto(f"{address}/trial/5")
    page.get_by_role("region", name="Traceback").get_by_text("ValueError: no such thing").wait_for()
    page.get_by_text("It has reported nothing yet.").wait_for()
    page.goto(f"{address}/trial/9")
    page.get_by_text("stopped: median rule: worse than others").wait_for()
    page.get_by_text("It has printed nothing.").wait_for()
    page.goto(f"{address}/trial/99")
    page.get_by_role("alert").get_by_text("There is no trial 99").wait_for()


def test_every_plot_is_drawn_with_its_words_and_its_numbers(page, served, tmp_path):
    write_experiment(tmp_path / "digits" / "1", 60, name="digits")
    page.goto(served(tmp_path).link)
    open_experiment(page, "digits")
    tab(page, "Plots")
    names = page.get_by_role("navigation", name="Plots").get_by_role("link")
    names.first.wait_for()
    labels = names.all_inner_texts()
    assert len(labels) == 6
    for label in labels:
        page.get_by_role("navigation", name="Plots").get_by_role("link", name=label).click()
        drawing = page.get_by_role("img", name=label)
        drawing.locator(".main-svg").first.wait_for()
        assert "60 of at most 60 trials have ended. The best accuracy is" in drawing.get_attribute("aria-label")
        assert "WebGL" not in drawing.inner_text()
    page.get_by_role("link", name="Course of the search").click()
    page.get_by_text("Numbers", exact=True).click()
    page.get_by_role("table", name="Numbers of Course of the search").wait_for()
    assert len(rows(page)) >= 60


def test_experiments_are_compared_side_by_side(page, served, tmp_path):
    for number in (1, 2, 3):
        write_experiment(tmp_path / "digits" / str(number), 20 * number, name="digits", seed=number)
    page.goto(served(tmp_path).link)
    page.get_by_label("Compare digits/1").check()
    assert page.get_by_role("link", name="Compare").get_attribute("aria-disabled") == "true"
    page.get_by_label("Compare digits/3").check()
    page.get_by_role("link", name="Compare 2").click()
    page.get_by_role("heading", name="What differs in their configurations").wait_for()
    page.get_by_role("img", name="Best so far: digits/").locator(".main-svg").first.wait_for()
    table = page.get_by_role("table", name="Differences")
    assert sorted(table.locator("tbody tr").evaluate_all("rows => rows.map(row => row.cells[0].innerText)")) == [
        "num_trials",
        "seed",
    ]
    page.get_by_label("Best so far over").select_option("time")
    page.get_by_text("seconds since the start").wait_for()
    assert "by=seconds" in page.url


def test_damage_in_one_experiment_leaves_the_others_alone(page, served, tmp_path):
    write_experiment(tmp_path / "digits" / "1", 16, name="digits")
    journal = write_experiment(tmp_path / "hurt" / "1", 16, name="hurt") / "journal" / "00000000-00000000.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b'"trial":7', b'"trial":8', 1))
    page.goto(served(tmp_path).link)
    page.locator(".badge.complete").wait_for()
    assert page.locator(".badge.damaged").count() == 1
    open_experiment(page, "hurt")
    page.get_by_role("alert").get_by_text("is damaged: its checksum does not match").wait_for()


def test_the_keyboard_is_enough(page, served, tmp_path):
    write_experiment(tmp_path / "digits" / "1", 60, name="digits")
    page.goto(served(tmp_path).link)
    page.get_by_role("link", name="digits", exact=True).wait_for()

    def tab_to(name: str) -> None:
        for _ in range(60):
            page.keyboard.press("Tab")
            focused = page.evaluate(
                "document.activeElement.getAttribute('aria-label') || document.activeElement.innerText"
            )
            visible = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert visible != "none", f"nobody sees that {focused!r} has the focus"
            if focused.strip() == name:
                return
        raise AssertionError(f"{name!r} cannot be reached")

    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.innerText") == "Skip to the content"
    tab_to("digits")
    page.keyboard.press("Enter")
    page.get_by_role("heading", level=1, name="digits").wait_for()
    page.wait_for_function("document.activeElement.id === 'main'")
    tab_to("Trials")
    page.keyboard.press("Enter")
    page.get_by_text("Page 1 of 2").wait_for()
    tab_to("accuracy")
    page.keyboard.press("Enter")
    page.locator("th[aria-sort=ascending]", has_text="accuracy").wait_for()
    page.keyboard.press("Space")  # the focus has stayed where it was
    page.locator("th[aria-sort=descending]", has_text="accuracy").wait_for()


def test_light_and_dark_follow_the_system_until_somebody_chooses(page, served, tmp_path):
    write_experiment(tmp_path / "digits" / "1", 8)
    ground = "getComputedStyle(document.body).backgroundColor"
    page.emulate_media(color_scheme="dark")
    page.goto(served(tmp_path).link)
    dark = page.evaluate(ground)
    page.emulate_media(color_scheme="light")
    light = page.evaluate(ground)
    assert dark == "rgb(13, 17, 23)" and light == "rgb(246, 248, 250)"
    page.get_by_role("button", name="Show the page in dark colours").click()
    assert page.evaluate(ground) == dark
    page.reload()
    assert page.evaluate(ground) == dark
    page.get_by_role("button", name="Show the page in light colours").click()
    assert page.evaluate(ground) == light
    page.evaluate("localStorage.clear()")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_that_bars_anybody_from_any_view(page, served, tmp_path, scheme):
    write_experiment(tmp_path / "digits" / "1", 130, name="digits")
    write_experiment(tmp_path / "digits" / "2", 40, planned=60, name="digits")
    page.emulate_media(color_scheme=scheme)
    dashboard = served(tmp_path)
    page.goto(dashboard.link)
    page.get_by_role("table").wait_for()
    found = {"list": axe(page)}
    ids = [each["id"] for each in dashboard.get("experiments")["experiments"]]
    base = page.url.partition("#")[0]
    for view, ready in {
        f"e/{ids[0]}": "[data-plot=timeline] .main-svg",
        f"e/{ids[1]}": ".badge.crashed, .badge.complete",
        f"e/{ids[0]}/trials?sort=metric": "th[aria-sort]",
        f"e/{ids[0]}/plots/slices": ".main-svg",
        f"e/{ids[0]}/workers": "tbody tr",
        f"e/{ids[0]}/decisions": ".feed li",
        f"e/{ids[0]}/config": ".pairs",
        f"e/{ids[0]}/trial/5": "[aria-label=Traceback]",
        f"e/{ids[0]}/trial/9": ".main-svg",
        f"compare?ids={','.join(ids)}": ".main-svg",
    }.items():
        page.goto(f"{base}#/{view}")
        page.locator(ready).first.wait_for()
        found[view] = axe(page)
    page.set_viewport_size({"width": 400, "height": 800})
    found["narrow"] = axe(page)
    for view in (f"e/{ids[0]}", f"e/{ids[0]}/trials", "", f"e/{ids[0]}/trial/9"):
        page.goto(f"{base}#/{view}")
        page.get_by_role("heading", level=1).wait_for()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (
            f"{view!r} is too wide for 400 pixels"
        )
    page.set_viewport_size({"width": 1280, "height": 800})
    assert not {view: violations for view, violations in found.items() if violations}


def test_behind_a_proxy_with_a_path_everything_works_as_well(page, served, tmp_path):
    write_experiment(tmp_path / "digits" / "1", 60, name="digits")
    with Proxy("/user/me/proxy/8787") as proxy:
        dashboard = served(tmp_path, base_url=f"http://127.0.0.1:{proxy.port}/user/me/proxy/8787/")
        proxy.target = dashboard.port
        page.goto(dashboard.link)
        assert page.url == f"http://127.0.0.1:{proxy.port}/user/me/proxy/8787/"
        open_experiment(page, "digits")
        page.locator("[data-plot=history] .main-svg").first.wait_for()
        page.reload()
        page.get_by_role("heading", level=1, name="digits").wait_for()
    assert proxy.others == []


def test_a_hundred_thousand_trials_stay_usable(page, served, tmp_path):
    write_experiment(tmp_path / "large" / "1", 100_000, name="large")
    page.goto(served(tmp_path).link)
    open_experiment(page, "large")
    page.get_by_text("The journal is being read").first.wait_for()
    tab(page, "Trials")  # while it is read
    page.get_by_role("table", name="Trials").wait_for()
    page.get_by_text("complete", exact=True).wait_for()
    page.get_by_text("100,000 of 100,000").wait_for()
    page.get_by_text("Page 1 of 2,000").wait_for()
    page.get_by_role("button", name="Last").click()
    page.get_by_text("Page 2,000 of 2,000").wait_for()
    assert rows(page)[-1][0] == "99999" and len(rows(page)) == 50
    page.get_by_label("Filter").fill("state:failed")
    page.get_by_text("1,000 of 100,000 trials").wait_for()
    page.goto(f"{page.url.partition('/trials')[0]}")
    page.locator("[data-plot=history] .main-svg").first.wait_for()
    marks = page.locator("[data-plot=history] path.point").count()
    assert 0 < marks < 10_000


class Proxy(ThreadingHTTPServer):
    """A reverse proxy that shows another server below a path, as those of notebooks do: the path is cut off.

    target  port of the server
    others  requests for anything outside the path
    """

    daemon_threads = True

    def __init__(self, prefix: str) -> None:
        super().__init__(("127.0.0.1", 0), PassingOn)
        self.prefix, self.target, self.port = prefix, 0, self.server_address[1]
        self.others: list[str] = []
        self._thread = threading.Thread(target=self.serve_forever)
        self._thread.start()

    def __exit__(self, *_: Any) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class PassingOn(BaseHTTPRequestHandler):
    server: Proxy

    def do_GET(self) -> None:
        if not self.path.startswith(f"{self.server.prefix}/"):
            self.server.others.append(self.path)
            self.send_error(404)
            return
        connection = http.client.HTTPConnection("127.0.0.1", self.server.target, timeout=30)
        connection.request("GET", self.path.removeprefix(self.server.prefix), headers=dict(self.headers))
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None: ...
