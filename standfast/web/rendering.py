"""Templates and static files, read once at start; texts are escaped wherever they come from."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse

from projections.texts import seconds_text

if TYPE_CHECKING:
    from starlette.requests import Request

_TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file as it is served."""

    content: bytes
    media_type: str
    digest: str


def _static_files() -> dict[str, StaticFile]:
    found = {}
    for entry in files("standfast.web").joinpath("static").iterdir():
        suffix = entry.name.rpartition(".")[2]
        if suffix in _TYPES:
            content = entry.read_bytes()
            digest = sha256(content).hexdigest()[:16]
            found[entry.name] = StaticFile(content, _TYPES[suffix], digest)
    return found


STATIC = _static_files()


def _static_url(name: str) -> str:
    return f"/static/{name}?v={STATIC[name].digest}"


def _clock(text: str | None) -> str:
    """Give a stored moment as people read it; the page puts it into the reader's own zone."""
    return "" if not text else f"{text[:10]} {text[11:19]} UTC"


def _moment(text: str | None, form: str = "clock") -> Markup:
    """Give a moment as an element that a script may put into the reader's zone and words."""
    if not text:
        return Markup("")
    template = '<time datetime="{}" data-form="{}">{}</time>'
    return Markup(template).format(text, form, _clock(text))  # noqa: S704  (format escapes)


def _sentence(text: str) -> str:
    """Give a reason as a sentence of its own."""
    plain = text.strip()
    return plain[:1].upper() + plain[1:] + ("" if plain.endswith((".", "!", "?")) else ".")


def _environment() -> Environment:
    folder = files("standfast.web").joinpath("templates")
    sources = {e.name: e.read_text("utf-8") for e in folder.iterdir() if e.name.endswith(".html")}
    environment = Environment(
        loader=DictLoader(sources),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters.update(moment=_moment, seconds=seconds_text, sentence=_sentence)
    environment.globals.update(static=_static_url)
    return environment


_ENVIRONMENT = _environment()


def render(name: str, status: int = 200, **values: Any) -> HTMLResponse:
    """Give a page."""
    return HTMLResponse(_ENVIRONMENT.get_template(name).render(values), status)


def wants_page(request: Request) -> bool:
    """Say whether a person's browser asks for a page, not a program for data."""
    return "text/html" in request.headers.get("accept", "") and not request.url.path.startswith(
        "/api/"
    )
