"""Who may ask the page, and what the browser may do with it.

The page is for the person at this machine. Another site's page, open in the same browser, must not
ask through it: neither directly (the `Origin` is then another) nor under a name of its own that it
lets mean this machine (the `Host` is then that name).
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

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
    """Refuses requests from elsewhere.

    Starlette's `TrustedHostMiddleware` knows names alone, and this page every address too.
    """

    def __init__(self, app: ASGIApp, names: frozenset[str]) -> None:
        """`names` are the host names, lower-case, under which the page may be asked for."""
        self._app = app
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        reason = refusal(Headers(scope=scope), self._names)
        refused = JSONResponse({"error": reason}, status_code=403)
        await (self._app if reason is None else refused)(scope, receive, send)


def refusal(headers: Headers, names: frozenset[str]) -> str | None:
    """Why a request with these headers is refused, or None where it is let through.

    An address is let through whatever it is: a site can let its own name mean this machine, but not
    an address.
    """
    host = headers.get("host", "")
    if not _is_known(host, names):
        return f"this page is not known as {host!r}; open it under the address that it was given."
    origin = headers.get("origin")
    if origin is not None and origin != f"http://{host}":
        return f"the page of {origin!r} may not ask here."
    return None


def _is_known(host: str, names: frozenset[str]) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name in names or bool(ipaddress.ip_address(name))
    except ValueError:
        return False
