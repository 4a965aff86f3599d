"""`maggy ui`: the dashboard."""

from __future__ import annotations

import argparse
import os
import threading
from typing import TYPE_CHECKING

from maggy.cli.command import command

if TYPE_CHECKING:
    from maggy.cli.command import Commands


def add(commands: Commands) -> None:
    """Add it to the commands."""
    parser = command(
        commands,
        "ui",
        _ui,
        help="watch experiments in a browser, compare them, and stop trials",
        more="Prints a link that holds a token, opens it, and serves the page until Ctrl-C.",
        examples="maggy ui\nmaggy ui maggy-runs/MNIST/3 --port 8787 --no-open\n"
        "maggy ui --port 8787 --base-url https://hub.example.org/user/me/proxy/8787/",
        path=False,
        json=None,
    )
    parser.add_argument(
        "path", metavar="DIR", nargs="?", default="maggy-runs", help="a folder of experiments, or one (./maggy-runs)"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1: only this machine)")
    parser.add_argument("--port", type=_port, default=0, help="port to listen on (any that is free)")
    parser.add_argument("--base-url", metavar="URL", help="the whole address at which a proxy shows the page")
    parser.add_argument("--token", help="what the link holds (a new one; MAGGY_UI_TOKEN has it unseen by others)")
    parser.add_argument("--no-open", action="store_true", help="do not open a browser")


def _ui(options: argparse.Namespace) -> int:
    from maggy.dashboard import Dashboard

    dashboard = Dashboard(
        options.path,
        host=options.host,
        port=options.port,
        base_url=options.base_url,
        token=options.token or os.environ.get("MAGGY_UI_TOKEN"),
    )
    print(f"{dashboard.link}\nWhoever has this link may look, and stop experiments. Ctrl-C ends it.", flush=True)
    if not options.no_open:
        import webbrowser

        threading.Thread(target=webbrowser.open, args=(dashboard.opener,), daemon=True).start()
    dashboard.run()
    return 0


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port < 1 << 16:
        raise argparse.ArgumentTypeError(f"{port} is no port: 0 to 65535")
    return port
