"""What the server of the dashboard answers, and whom."""

from __future__ import annotations

import http.client
import shutil
import signal
import subprocess
import sys

import pytest
from written import BEGAN, WORKERS, write_experiment

from maggy.brain.events import WorkerLost
from maggy.dashboard import Dashboard
from maggy.errors import ConfigError, ExperimentDirError
from maggy.journal import ExperimentFolder
from maggy.journal.lock import Lock
from maggy.journal.record import Record, to_line

TOKEN = "a-token-for-tests"


@pytest.fixture
def root(tmp_path):
    write_experiment(tmp_path / "digits" / "1", 40, name="digits")
    return tmp_path


def test_the_list_has_every_experiment_and_says_how_it_stands(root, served):
    write_experiment(root / "crashed" / "1", 16, planned=50, name="crashed")
    damaged = write_experiment(root / "damaged" / "1", 16, name="damaged")
    journal = damaged / "journal" / "00000000-00000000.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([*lines[:20], b"00000000 {}\n", *lines[21:]]))
    write_experiment(root / "empty" / "1", 1).joinpath("experiment.json").write_bytes(b"")

    listed = {each["path"]: each for each in served(root).get("experiments")["experiments"]}

    assert {path: each["state"] for path, each in listed.items()} == {
        "digits/1": "complete",
        "crashed/1": "crashed",
        "damaged/1": "damaged",
        "empty/1": "damaged",
    }
    digits = listed["digits/1"]
    assert (digits["ended"], digits["num_trials"], digits["stopped"], digits["failed"]) == (40, 40, 4, 1)
    assert (digits["metric"], digits["started"], digits["error"]) == ("accuracy", BEGAN, None)
    assert "record 20 is damaged" in listed["damaged/1"]["error"]
    assert "killed before it began" in listed["empty/1"]["error"]


def test_an_experiments_own_folder_may_be_served(root, served):
    assert served(root / "digits" / "1").get("experiments")["experiments"][0]["path"] == "1"


def test_a_new_experiment_appears_and_its_new_records_too(root, served):
    dashboard = served(root)
    dashboard.only()
    journal = write_experiment(root / "digits" / "2", 40, name="later") / "journal" / "00000000-00000000.jsonl"
    whole = journal.read_bytes()
    journal.write_bytes(whole[: len(whole) // 2])  # its last record by half
    two = dashboard.wait("experiments", lambda found: len(found["experiments"]) == 2)["experiments"]
    later = f"experiments/{next(each['id'] for each in two if each['name'] == 'later')}"
    half = dashboard.get(later)
    assert half["state"] == "crashed" and 10 < half["ended"] < 30

    with journal.open("ab") as file:
        file.write(whole[len(whole) // 2 :])
    assert dashboard.wait(later, lambda found: found["ended"] == 40)["state"] == "complete"
    assert dashboard.get(f"{later}/trials")["all"] == 40


def test_another_experiment_in_the_place_of_one_that_was_removed_is_shown_instead(root, served):
    dashboard = served(root)
    path = f"experiments/{dashboard.only()}"
    assert dashboard.get(f"{path}/trials")["all"] == 40
    shutil.rmtree(root / "digits" / "1")
    write_experiment(root / "digits" / "1", 16, name="anew", seed=8)

    dashboard.wait(path, lambda found: found["name"] == "anew" and found["ended"] == 16)
    assert dashboard.get(f"{path}/trials")["all"] == 16
    assert dashboard.get(f"{path}/config")["seed"] == 8
    dashboard.wait("experiments", lambda found: [each.get("ended") for each in found["experiments"]] == [16])

    shutil.rmtree(root / "digits" / "1")
    assert "no folder" in dashboard.wait(path, lambda found: found["error"])["error"]


def test_an_experiment_that_is_being_made_is_not_damaged(root, served):
    folder = ExperimentFolder.create(root / "digits" / "2", "digits")  # its data is being written, say
    dashboard = served(root)
    listed = {each["path"]: each for each in dashboard.get("experiments")["experiments"]}
    new = f"experiments/{listed['digits/2']['id']}"
    assert [(each["state"], each["error"]) for each in (listed["digits/2"], dashboard.get(new))] == [
        ("reading", None)
    ] * 2
    folder.write("experiment.json", (root / "digits" / "1" / "experiment.json").read_bytes())
    assert dashboard.wait(new, lambda found: found["state"] != "reading")["state"] == "running"
    folder.close()


def test_the_table_is_sorted_filtered_and_cut_by_the_server(root, served):
    dashboard = served(root)
    path = f"experiments/{dashboard.only()}/trials"

    first = dashboard.get(f"{path}?size=15")
    assert [each["trial"] for each in first["rows"]] == list(range(15))
    assert (first["found"], first["all"], first["page"]) == (40, 40, 1)
    last = dashboard.get(f"{path}?size=15&page=99")
    assert [each["trial"] for each in last["rows"]] == list(range(30, 40)) and last["page"] == 3

    down = dashboard.get(f"{path}?sort=metric&order=desc")["rows"]
    metrics = [each["metric"] for each in down[:-1]]
    assert metrics == sorted(metrics, reverse=True)
    assert (down[0]["trial"], down[-1]["trial"], down[-1]["metric"]) == (first["best"], 5, None)

    units = dashboard.get(f"{path}?sort=units&q=units%3C100+kind=a")["rows"]
    assert units and all(each["params"]["units"] < 100 and each["params"]["kind"] == "a" for each in units)
    assert [each["trial"] for each in dashboard.get(f"{path}?q=state:stopped")["rows"]] == [9, 19, 29, 39]
    assert [each["trial"] for each in dashboard.get(f"{path}?q=no+such+thing")["rows"]] == [5]
    status, answer, _ = dashboard.ask(f"/api/{path}?sort=colour")
    assert status == 400 and "no column 'colour'; columns: trial, state, metric" in answer["error"]


def test_a_trial_has_its_curve_its_story_and_the_end_of_its_log(root, served):
    folder = root / "digits" / "1" / "trials" / "9"
    folder.mkdir(parents=True)
    line = "a line of the log, é\n"
    (folder / "output.log").write_text(line * 10_000)
    dashboard = served(root)
    path = f"experiments/{dashboard.only()}/trials/9"

    trial = dashboard.get(path)
    assert trial["state"] == "stopped" and trial["reason"] == "median rule: worse than others"
    assert trial["curve"]["steps"] == [0, 1] and trial["curve"]["values"][1] == trial["metric"]
    assert [(each["attempt"], each["worker"], each["state"]) for each in trial["attempts"]] == [
        (0, trial["worker"], "stopped")
    ]
    assert trial["may_stop"] == {"ok": False, "why": "It has ended."}
    assert "no such thing" in dashboard.get(path.replace("/9", "/5"))["traceback"]

    tail = dashboard.get(f"{path}/log")
    assert tail["text"] == line * (len(tail["text"]) // len(line)) and 60_000 < len(tail["text"].encode()) <= 65_536
    with (folder / "output.log").open("ab") as log:
        log.write("and é".encode()[:-1])
    assert dashboard.get(f"{path}/log?start={tail['end']}")["text"] == "and "
    with (folder / "output.log").open("ab") as log:
        log.write("é".encode()[-1:])
    assert dashboard.get(f"{path}/log?start={tail['end'] + 4}")["text"] == "é"
    assert dashboard.get(path.replace("/9", "/3") + "/log") == {"text": "", "start": 0, "end": 0, "size": 0}
    assert dashboard.ask(f"/api/{path.replace('/9', '/99')}")[0] == 404


def test_a_line_that_is_longer_than_what_is_shown_at_first_is_shown_all_the_same(root, served):
    log = root / "digits" / "1" / "trials" / "9" / "output.log"
    log.parent.mkdir(parents=True)
    log.write_text("short\n" + "é" * 50_000 + "\n")
    dashboard = served(root)
    told = dashboard.get(f"experiments/{dashboard.only()}/trials/9/log")
    assert told["text"].endswith("é\n") and len(told["text"]) > 30_000 and told["end"] == told["size"]


def test_what_ran_when_the_driver_died_has_run_until_then_and_waits_for_nobody(root, served):
    path = write_experiment(root / "crashed" / "1", 16, planned=50, name="crashed")
    journal = path / "journal" / "00000000-00000000.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:12]))  # eight workers, and three trials that have just begun
    dashboard = served(root)
    ids = {each["name"]: each["id"] for each in dashboard.get("experiments")["experiments"]}
    one = f"experiments/{ids['crashed']}"
    assert dashboard.get(one)["state"] == "crashed"
    assert [each["duration"] < 1 for each in dashboard.get(f"{one}/trials")["rows"]] == [True] * 3
    assert dashboard.get(f"{one}/trials/0")["duration"] < 1


def test_a_trial_that_waits_for_a_worker_cannot_be_asked_to_stop(root, served):
    path = write_experiment(root / "running" / "1", 16, planned=50, name="running")
    journal = path / "journal" / "00000000-00000000.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    gone = [Record(10 + n, BEGAN + 1, WorkerLost(worker=WORKERS - 1 - n, reason="it is gone")) for n in range(WORKERS)]
    journal.write_bytes(b"".join([*lines[:10], *map(to_line, gone)]))  # a trial has begun, and then nobody is there
    lock = Lock(path)  # as its driver has it
    dashboard = served(root)
    ids = {each["name"]: each["id"] for each in dashboard.get("experiments")["experiments"]}
    one = f"experiments/{ids['running']}"
    trial = dashboard.get(f"{one}/trials/0")
    assert (trial["state"], trial["may_stop"]["ok"]) == ("pending", False)
    assert dashboard.ask(f"/api/{one}/stop", "POST", {"trial": 0})[:2] == (
        409,
        {"error": "It waits for a worker; it can be stopped once it runs."},
    )
    lock.release()


def test_nothing_outside_the_experiments_can_be_read(root, served):
    (root / "secret.log").write_text("secret")
    dashboard = served(root)
    one = dashboard.only()
    for path in (
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static//etc/passwd",
        f"/api/experiments/{one}/trials/../../secret.log",
        f"/api/experiments/{one}/trials/..%2f..%2fsecret/log",
        f"/api/experiments/{one}/trials/-1/log",
        "/api/experiments/..%2f..",
        f"/api/experiments/{one}/plots/__class__",
    ):
        assert dashboard.ask(path)[0] == 404, path


def test_workers_reasons_configuration_and_plots_are_there(root, served):
    dashboard = served(root)
    path = f"experiments/{dashboard.only()}"
    workers = dashboard.get(f"{path}/workers")["rows"]
    assert [each["worker"] for each in workers] == list(range(8)) and sum(each["done"] for each in workers) == 40
    assert {each["trial"] for each in dashboard.get(f"{path}/decisions")["rows"]} == {9, 19, 29, 39}
    assert dashboard.get(f"{path}/config")["config"]["name"] == "digits"
    names = [each["name"] for each in dashboard.get(path)["plots"]]
    assert names == ["history", "curves", "slices", "parallel", "importance", "timeline"]
    for name in ("history", "curves", "parallel", "slices", "timeline"):
        plot = dashboard.get(f"{path}/plots/{name}?theme=dark")
        assert plot["figure"]["data"], name
        assert not {trace["type"] for trace in plot["figure"]["data"]} & {"scattergl", "parcoords"}, (
            "the page has no WebGL"
        )
        assert "40 of at most 40 trials have ended. The best accuracy is 0." in plot["said"]["summary"]


def test_experiments_are_compared_by_their_course_and_their_configurations(root, served):
    write_experiment(root / "digits" / "2", 24, name="digits", seed=8)
    dashboard = served(root)
    ids = [each["id"] for each in dashboard.get("experiments")["experiments"]]
    told = dashboard.get(f"compare?ids={','.join(ids)},unknown")
    assert [each["id"] for each in told["experiments"]] == ids
    for each in told["experiments"]:
        course = each["course"]
        assert course["best"] == sorted(course["best"]) and course["best"][-1] == each["best"]
        assert course["trials"][-1] == each["ended"]
    assert {each["name"] for each in told["differences"]} == {"num_trials", "seed"}
    assert dashboard.ask("/api/compare?ids=unknown")[0] == 404


def test_what_has_not_changed_is_not_sent_again(root, served):
    dashboard = served(root)
    path = f"/api/experiments/{dashboard.only()}"
    for each in (path, f"{path}/trials", f"{path}/workers", f"{path}/plots/history", "/api/experiments"):
        status, _, headers = dashboard.ask(each)
        again, body, _ = dashboard.ask(each, If_None_Match=headers["etag"])
        assert (status, again, body) == (200, 304, "")


def test_without_the_token_nothing_is_told(root, served):
    dashboard = served(root, token=TOKEN)
    for path in ("/", "/static/app.js", "/plotly.js", "/api/experiments", "/?token=a-token-for-guess"):
        for authorization in ("", "Bearer a-token-for-guess", TOKEN[:-1]):
            status, text, headers = dashboard.ask(path, Authorization=authorization)
            assert status == 403 and "needs the link that `maggy ui` printed" in text
            assert "set-cookie" not in headers
    assert dashboard.ask("/api/experiments", "HEAD", Authorization="")[0] == 403


def test_the_link_becomes_a_cookie_and_leaves_the_address(root, served):
    dashboard = served(root, token=TOKEN)
    assert dashboard.link == f"http://127.0.0.1:{dashboard.port}/?token={TOKEN}"
    status, _, headers = dashboard.ask(f"/?token={TOKEN}", Authorization="")
    assert (status, headers["location"]) == (303, "./")
    cookie, *flags = headers["set-cookie"].split("; ")
    assert flags == ["Path=/", "HttpOnly", "SameSite=Lax"]
    status, page, headers = dashboard.ask("/", Authorization="", Cookie=f"other=1; {cookie}")
    assert status == 200 and "<title>Maggy</title>" in page
    policy = headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self';" in policy and "frame-ancestors 'none'" in policy
    assert "http" not in policy and "unsafe-eval" not in policy
    assert headers["referrer-policy"] == "no-referrer" and headers["x-content-type-options"] == "nosniff"


def test_the_link_on_the_command_line_of_a_browser_works_once_and_does_not_hold_the_token(root, served):
    dashboard = served(root, token=TOKEN)
    opener = dashboard.dashboard.opener
    assert TOKEN not in opener
    query = opener.removeprefix(f"http://127.0.0.1:{dashboard.port}")
    status, _, headers = dashboard.ask(query, Authorization="")
    assert (status, headers["location"]) == (303, "./")
    assert dashboard.ask("/", Authorization="", Cookie=headers["set-cookie"].partition(";")[0])[0] == 200
    assert dashboard.ask(query, Authorization="")[0] == 403
    assert dashboard.ask("/?token=", Authorization="")[0] == 403


@pytest.mark.parametrize("other", ['seen={"a": [1, 2]}', "a[b]=c; d", 'name="2|1:0|10"', "é=1"])
def test_cookies_of_other_pages_on_this_machine_do_no_harm(root, served, other):
    dashboard = served(root, token=TOKEN)
    ours = dashboard.ask(f"/?token={TOKEN}", Authorization="")[2]["set-cookie"].partition(";")[0]
    assert dashboard.ask("/", Authorization="", Cookie=f"{other}; {ours}")[0] == 200
    assert dashboard.ask("/", Authorization="", Cookie=f"{ours}; {other}")[0] == 200


def test_another_name_for_this_machine_is_refused(root, served):
    dashboard = served(root)
    for host, expected in (
        ("evil.example", 421),
        ("[::1", 421),
        ("[::1]", 200),
        (f"localhost:{dashboard.port}", 200),
        (f"127.0.0.1:{dashboard.port}", 200),
    ):
        assert dashboard.ask("/api/experiments", Host=host)[0] == expected


def test_a_stop_is_asked_for_from_the_page_itself_only_and_of_a_driver_that_is_alive(root, served):
    running = write_experiment(root / "running" / "1", 16, planned=50, name="running")
    dashboard = served(root, token=TOKEN)
    listed = dashboard.get("experiments")["experiments"]
    ids = {each["name"]: each["id"] for each in listed}
    path = f"/api/experiments/{ids['running']}/stop"
    cookie = dashboard.ask(f"/?token={TOKEN}", Authorization="")[2]["set-cookie"].partition(";")[0]
    here = f"http://127.0.0.1:{dashboard.port}"

    assert dashboard.ask(path, "POST", {"trial": None})[:2] == (
        409,
        {"error": "No driver is alive that could stop it; maggy resume goes on with it."},
    )
    lock = Lock(running)  # as its driver has it
    asks = [
        (403, {"Authorization": "", "Cookie": cookie}),
        (403, {"Authorization": "", "Cookie": cookie, "Origin": "http://evil.example"}),
        (403, {"Authorization": "", "Cookie": cookie, "Origin": "null"}),
        (403, {"Authorization": "", "Cookie": cookie, "Origin": "http://["}),
        (403, {"Authorization": "", "Origin": here}),
        (415, {"Authorization": "", "Cookie": cookie, "Origin": here, "Content_Type": "text/plain"}),
    ]
    for expected, headers in asks:
        assert dashboard.ask(path, "POST", {"trial": None}, **headers)[0] == expected, headers
    assert dashboard.ask(path, "GET", Authorization="", Cookie=cookie)[0] == 405
    assert dashboard.ask(path, "POST", {"trial": "x"})[0] == 400
    assert dashboard.ask(path, "POST", {"trial": 3})[:2] == (409, {"error": "Trial 3 does not run."})
    assert not (running / "control").exists()

    assert dashboard.ask(path, "POST", {"trial": None}, Authorization="", Cookie=cookie, Origin=here)[0] == 200
    (asked,) = (running / "control").iterdir()
    assert '"do":"stop"' in asked.read_text() and "in the dashboard" in asked.read_text()
    lock.release()


def test_a_proxy_may_show_the_page_below_a_path_whether_or_not_it_strips_it(root, served):
    base = "https://hub.example.org/user/me/proxy/8787/"
    dashboard = served(root, token=TOKEN, base_url=base.rstrip("/"))
    assert dashboard.link == f"{base}?token={TOKEN}"
    for prefix in ("", "/user/me/proxy/8787"):
        status, _, headers = dashboard.ask(f"{prefix}/?token={TOKEN}", Authorization="", Host="hub.example.org")
        assert (status, headers["location"]) == (303, "./")
        assert headers["set-cookie"].endswith("Path=/user/me/proxy/8787; HttpOnly; SameSite=Lax; Secure")
        assert dashboard.ask(f"{prefix}/api/experiments", Host="hub.example.org")[0] == 200
    assert dashboard.ask("/api/experiments", Host="other.example.org")[0] == 421


def test_a_connection_is_kept_for_the_next_question(root, served):
    dashboard = served(root)
    connection = http.client.HTTPConnection("127.0.0.1", dashboard.port, timeout=30)
    for method in ("GET", "HEAD", "GET"):
        connection.request(method, "/api/experiments", headers={"Authorization": f"Bearer {dashboard.token}"})
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 200 and bool(body) == (method == "GET")
    connection.close()


def test_what_cannot_be_served_is_said_before_anything_starts(root, served):
    with pytest.raises(ExperimentDirError, match=r"there is no folder .*: run an experiment first"):
        Dashboard(str(root / "nowhere"))
    with pytest.raises(ConfigError, match="a token has at least 16 letters"):
        Dashboard(str(root), token="short")
    with pytest.raises(ConfigError, match="--base-url is the whole address"):
        Dashboard(str(root), base_url="/user/me/proxy/8787/")
    with pytest.raises(ConfigError, match=r"cannot listen on 127\.0\.0\.1 port"):
        Dashboard(str(root), port=served(root).port)


def test_nothing_is_written_into_a_folder_that_is_looked_at(root, served):
    def files():
        return sorted((str(path), path.stat().st_mtime_ns) for path in root.rglob("*"))

    before = files()
    dashboard = served(root)
    dashboard.get(f"experiments/{dashboard.only()}/trials")
    dashboard.get(f"experiments/{dashboard.only()}/plots/history")
    assert files() == before
    ExperimentFolder.open(root / "digits" / "1")


def test_the_command_prints_a_link_serves_it_and_ends_with_ctrl_c(root):
    command = [sys.executable, "-m", "maggy", "ui", str(root), "--no-open"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        link, warning = process.stdout.readline().strip(), process.stdout.readline()
        address, _, token = link.removeprefix("http://").partition("/?token=")
        connection = http.client.HTTPConnection(address, timeout=30)
        for path, expected in (("/", 403), (f"/?token={token}", 303)):
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == expected
        connection.close()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")
    assert "stop experiments. Ctrl-C ends it" in warning and len(token) >= 32
