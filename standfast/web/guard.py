"""The guard in front of every route: sizes, characters, host names, origins, scopes, headers."""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote_to_bytes, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse

from standfast.web.access import COOKIE, READING_METHODS, Identity, is_loopback, required_scope
from standfast.web.problems import Place, ProblemError, problem_response, shown

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from standfast.web.access import Access

BODY_BYTES_MAX = 64 * 1024
TARGET_BYTES_MAX = 8 * 1024
SAFE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
        " connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none';"
        " frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
FORM_PATHS = frozenset({"/login", "/logout"})


class Guard:
    """Lets through only what is sound and allowed, and marks every answer as safe to show."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        """Stand in front of an application."""
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Guard one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        safe_send = _with_safe_headers(scope["path"], send)
        headers = Headers(scope=scope)
        try:
            check_target(scope)
            check_size(headers)
            check_host(headers, self._access)
            check_origin(scope["method"], scope["path"], headers)
            identity = self._admit(scope, headers)
        except ProblemError as error:
            response = problem_response(error.content, error.headers)
            if error.status == 401 and _wants_page(scope, headers):  # noqa: PLR2004  (HTTP)
                response = RedirectResponse(f"/login?next={quote(scope['path'])}", 303)
            await response(scope, receive, safe_send)
            return
        scope.setdefault("state", {})["identity"] = identity
        await self._app(scope, receive, safe_send)

    def _admit(self, scope: Scope, headers: Headers) -> Identity | None:
        """Give who asks. Raises `ProblemError` where they may not."""
        identity = self._access.identify(
            headers.get("authorization", ""), session_cookie(headers.get("cookie", ""))
        )
        needed = required_scope(scope["method"], scope["path"])
        if needed is None:
            return identity
        if identity is None:
            raise ProblemError(
                401,
                "a token is needed: send `Authorization: Bearer TOKEN`",
                [Place("header", "Authorization", "missing, or its token is not known")],
                headers={"WWW-Authenticate": 'Bearer realm="standfast"'},
            )
        if identity.scope < needed:
            detail = f"this needs the scope {needed.name.lower()}"
            raise ProblemError(403, f"{detail}; yours is {identity.scope.name.lower()}")
        return identity


def check_target(scope: Scope) -> None:
    """Refuse a path or query that is too long or holds what no name can hold."""
    query = scope.get("query_string", b"")
    raw = scope.get("raw_path") or b""
    if len(raw) + len(query) > TARGET_BYTES_MAX:
        raise ProblemError(414, f"a path with its query has at most {TARGET_BYTES_MAX} bytes")
    for within, text in (("path", unquote_to_bytes(raw)), ("query", unquote_to_bytes(query))):
        try:
            decoded = text.decode("utf-8")
        except UnicodeDecodeError as error:
            place = Place(within, "", f"not UTF-8 at byte {error.start}")
            raise ProblemError(400, f"the {within} is not UTF-8", [place]) from None
        for index, character in enumerate(decoded):
            if ord(character) < 0x20 or ord(character) == 0x7F:  # noqa: PLR2004  (control codes)
                place = Place(within, "", f"{character!a} at character {index}")
                raise ProblemError(400, f"control characters in the {within}", [place])


def check_size(headers: Headers) -> None:
    """Refuse a body that says that it is too large; one that lies is refused while read."""
    length = headers.get("content-length", "0")
    if length.isascii() and length.isdigit() and int(length[:20]) > BODY_BYTES_MAX:
        raise too_large()


def too_large() -> ProblemError:
    """Give the problem of a body over the limit."""
    place = Place("body", "", f"more than {BODY_BYTES_MAX} bytes")
    return ProblemError(413, f"a body has at most {BODY_BYTES_MAX} bytes", [place])


def check_host(headers: Headers, access: Access) -> None:
    """Where no token guards, refuse other names for this machine: a page may have made them up."""
    host = host_name(headers.get("host", ""))
    if access.open and not is_loopback(host):
        place = Place("header", "Host", f"{shown(host)!r} is not localhost or a loopback address")
        raise ProblemError(403, "without tokens Standfast answers to loopback names only", [place])


def host_name(host: str) -> str:
    """Give a Host header's name or address without its port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def check_origin(method: str, path: str, headers: Headers) -> None:
    """Refuse writes that a page of somebody else's could have caused."""
    if method in READING_METHODS:
        return
    origin = headers.get("origin")
    if origin is not None and not _same_origin(origin, headers.get("host", "")):
        place = Place("header", "Origin", f"{shown(origin)!r} is not this page's")
        raise ProblemError(403, "a foreign page may not write here", [place])
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if path not in FORM_PATHS and kind != "application/json":
        place = Place("header", "Content-Type", f"{shown(kind)!r}; valid is application/json")
        raise ProblemError(415, "a write is sent as application/json", [place])


def _same_origin(origin: str, host: str) -> bool:
    try:
        return urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:
        return False


def session_cookie(header: str) -> str:
    """Give the session's secret from a Cookie header, or an empty text."""
    try:
        morsel = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return ""
    return "" if morsel is None else morsel.value


def _wants_page(scope: Scope, headers: Headers) -> bool:
    reads = scope["method"] == "GET" and not scope["path"].startswith("/api/")
    return reads and "text/html" in headers.get("accept", "")


def _with_safe_headers(path: str, send: Send) -> Send:
    stored = "public, max-age=3600" if path.startswith("/static/") else "no-store"

    async def safe(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in SAFE_HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", stored)
        await send(message)

    return safe
