"""What stands before the page: who may ask, how much may be sent, and what the browser may do.

The page is for the person at this machine. Another site's page, open in the same browser, must not
ask through it: neither directly (the `Origin` is then another) nor under a name of its own that it
lets mean this machine (the `Host` is then that name).
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Guard:
    """Refuses requests from elsewhere, and adds `HEADERS` to every answer."""

    def __init__(self, app: ASGIApp, names: frozenset[str]) -> None:
        """`names` are the host names, lower-case, under which the page may be asked for."""
        self._app = app
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        reason = refusal(Headers(scope=scope), self._names)
        refused = JSONResponse({"error": reason}, status_code=403)

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await (self._app if reason is None else refused)(scope, receive, send_guarded)


def refusal(headers: Headers, names: frozenset[str]) -> str | None:
    """Why a request with these headers is refused, or None where it is let through.

    An address is let through whatever it is: a site can let its own name mean this machine, but not
    an address.
    """
    host = headers.get("host", "")
    name = _host_name(f"//{host}")
    if name is None or not (name in names or _is_address(name)):
        return f"this page is not known as {host!r}; open it under the address that it was given."
    origin = headers.get("origin")
    if origin is not None and origin != f"http://{host}":
        return f"the page of {origin!r} may not ask here."
    return None


def _host_name(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
