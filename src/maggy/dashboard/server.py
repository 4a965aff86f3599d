"""The server of the page."""

from __future__ import annotations

import getpass
import secrets
import socket
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from maggy.dashboard.app import build
from maggy.dashboard.catalog import Catalog
from maggy.dashboard.guard import Guard
from maggy.errors import ConfigError

_FEWEST = 16  # letters of a token


class Dashboard:
    """The page over the experiments under a folder. `run` serves it; from another thread, `stop` ends that.

    root      an experiment's folder or one that holds some, a path or a URL
    host      address to listen on; only this machine can reach the default
    port      0: any that is free
    base_url  where a proxy shows the page, e.g. "https://hub.example.org/user/me/proxy/8787/"
    token     what opens the page, at least 16 letters, digits, - and _; None: a new one

    port, link  where it listens, and the link that opens it
    opener      a link that does so once, for a command line, which other users of the machine can read

    Raises ConfigError for an address that cannot be listened on, a token or a URL that will not do;
    ExperimentDirError if there is no such folder; ImportError where the libraries for it are not installed.
    """

    def __init__(
        self,
        root: str,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        base_url: str | None = None,
        token: str | None = None,
    ) -> None:
        try:
            import plotly  # noqa: F401
            import uvicorn
        except ImportError as error:
            raise ConfigError(f"the dashboard needs {error.name}: pip install 'maggy[ui]'") from error
        self.token = _token(token)
        base_url = _base_url(base_url)
        once = secrets.token_urlsafe(24)
        pages = build(Catalog(root), _who())
        app: Any = Guard(pages, token=self.token, once=once, base_url=base_url, host=host)
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            self._socket = socket.create_server((host, port), family=family)
        except OSError as error:
            raise ConfigError(f"cannot listen on {host} port {port}: {error.strerror}; name another --port") from error
        self.port: int = self._socket.getsockname()[1]
        shown = "127.0.0.1" if host in ("0.0.0.0", "::", "") else f"[{host}]" if ":" in host else host
        address = base_url or f"http://{shown}:{self.port}/"
        self.link, self.opener = f"{address}?token={self.token}", f"{address}?token={once}"
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                log_level="warning",
                access_log=False,  # the first request of a browser holds the token
                server_header=False,
                proxy_headers=False,
                lifespan="off",
                ws="none",
                timeout_graceful_shutdown=1,
            )
        )

    def run(self) -> None:
        """Serve until `stop`, or Ctrl-C."""
        try:
            with suppress(KeyboardInterrupt):
                self._server.run(sockets=[self._socket])
        finally:
            self._socket.close()

    def stop(self) -> None:
        """End `run` soon."""
        self._server.should_exit = True


def _token(token: str | None) -> str:
    if token is None:
        return secrets.token_urlsafe(24)
    if len(token) < _FEWEST or not token.isascii() or not token.replace("-", "").replace("_", "").isalnum():
        raise ConfigError(f"a token has at least {_FEWEST} letters, digits, - or _, so that nobody can guess it")
    return token


def _base_url(url: str | None) -> str | None:
    if url is None:
        return None
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
        raise ConfigError(
            f"--base-url is the whole address at which the proxy shows the page, such as "
            f"'https://hub.example.org/user/me/proxy/8787/', not {url!r}"
        )
    return url.rstrip("/") + "/"


def _who() -> str:
    try:
        return f"{getpass.getuser()} in the dashboard"
    except (KeyError, OSError):  # an account without a name
        return "somebody in the dashboard"
