"""Who may see the page, and from where it may be asked for something."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_HEADERS = {
    # Plotly sets styles as it draws. Scripts are files of ours.
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
_REFUSED = "This page needs the link that `maggy ui` printed when it started, with its token.\n"
_ELSEWHERE = "The page is not known by this address: start `maggy ui` with --base-url and the address that you use.\n"


class Guard:
    """Lets a request through that brings the token and comes from the page itself, and strips the base path.

    token     what the link holds
    once      opens the page as well, but only the first time
    base_url  where a proxy shows the page, "https://host/some/path/"; None without one
    host      the address that the server listens on
    """

    def __init__(self, app: ASGIApp, *, token: str, once: str, base_url: str | None, host: str) -> None:
        self._app, self._token, self._once = app, token.encode(), once.encode()
        base = urlsplit(base_url or "")
        self._base_path, self._secure = base.path.rstrip("/"), base.scheme == "https"
        self._base_host = base.netloc.lower()
        self._host = host.lower()
        self._cookie = f"maggy-ui-{hashlib.sha256(self._token).hexdigest()[:8]}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if not self._is_ours(headers.get("host", "")):
            await _answer(send, 421, _ELSEWHERE)
            return
        scope = self._without_base(scope)
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        if scope["path"] == "/" and scope["method"] in ("GET", "HEAD") and self._opens(query.get("token", "")):
            del query["token"]
            await _answer(
                send, 303, "", [("location", f"./?{urlencode(query)}" if query else "./"), self._set_cookie()]
            )
            return
        by_header = self._is_token(headers.get("authorization", "").removeprefix("Bearer "))
        if not by_header and not self._is_token(_cookie(headers.get("cookie", ""), self._cookie)):
            await _answer(send, 403, _REFUSED)
            return
        if scope["method"] not in ("GET", "HEAD") and not self._comes_from_page(headers, by_header):
            await _answer(send, 403, "This has to be asked for from the page itself.\n")
            return
        await self._app(scope, receive, _with_headers(send))

    def _without_base(self, scope: Scope) -> Scope:
        """Some proxies send the path that they were asked for, others only what follows the base path."""
        path = scope["path"]
        if self._base_path and (path == self._base_path or path.startswith(f"{self._base_path}/")):
            path = path.removeprefix(self._base_path) or "/"
        return {**scope, "path": path, "raw_path": path.encode(), "root_path": ""}

    def _opens(self, text: str) -> bool:
        if self._once and hmac.compare_digest(text.encode(), self._once):
            self._once = b""
            return True
        return self._is_token(text)

    def _is_token(self, text: str) -> bool:
        return hmac.compare_digest(text.encode(), self._token)

    def _is_ours(self, host: str) -> bool:
        """Whether the browser was led here by a name of ours: other names may be made to point here (DNS rebinding)."""
        if self._base_host and host.lower() == self._base_host:
            return True
        name = (_parts(f"//{host}").hostname or "").lower()
        return name in ("localhost", self._host) or _is_address(name)

    def _comes_from_page(self, headers: dict[str, str], by_header: bool) -> bool:
        origin = headers.get("origin")
        if origin is None:
            return by_header  # no browser: those send it with every request that changes something
        return _parts(origin).netloc.lower() in (headers.get("host", "").lower(), self._base_host or None)

    def _set_cookie(self) -> tuple[str, str]:
        path, secure = self._base_path or "/", "; Secure" if self._secure else ""
        return "set-cookie", f"{self._cookie}={self._token.decode()}; Path={path}; HttpOnly; SameSite=Lax{secure}"


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _cookie(header: str, name: str) -> str:
    """A cookie of ours. Those of other pages on this host come along, and not all are as a standard would have them."""
    pairs = (pair.strip().partition("=") for pair in header.split(";"))
    return next((value for key, _, value in pairs if key == name), "")


def _parts(address: str) -> SplitResult:
    try:
        return urlsplit(address)
    except ValueError:
        return urlsplit("")


def _with_headers(send: Send) -> Callable[[Any], Awaitable[None]]:
    async def wrapped(message: Any) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *((k.encode(), v.encode()) for k, v in _HEADERS.items())]
        await send(message)

    return wrapped


async def _answer(send: Send, code: int, text: str, headers: list[tuple[str, str]] | None = None) -> None:
    """Answer for the application."""
    pairs = [("content-type", "text/plain; charset=utf-8"), ("content-length", str(len(text))), *(headers or [])]
    pairs += [("cache-control", "no-store")]
    start = {
        "type": "http.response.start",
        "status": code,
        "headers": [(name.encode(), value.encode()) for name, value in pairs],
    }
    await _with_headers(send)(start)
    await send({"type": "http.response.body", "body": text.encode()})
