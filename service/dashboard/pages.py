"""The pages and what they load: static files of this package, put together once. Nothing foreign."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiohttp import web

_ASSETS: Final = Path(__file__).parent / "assets"
_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_TITLES: Final = {"now": "Now", "meetings": "Meetings", "letters": "Dead letters"}
PATHS: Final = {"now": "/", "meetings": "/meetings", "letters": "/dead-letters"}
OPEN_ASSETS: Final = ("/assets/page.css", "/assets/icon.svg")
"""What the page for signing in loads."""
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
_WRONG: Final = '<p class="wrong" role="alert">{}</p>'


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """Everything that is served as it is.

    Attributes:
        by_name: whole pages, by name.
        login: the page for signing in, with a place for what went wrong.
        assets: file name -> content type and content.
    """

    by_name: dict[str, bytes]
    login: str
    assets: dict[str, tuple[str, bytes]]

    def show(self, name: str) -> web.Response:
        """Give one page."""
        return _page(self.by_name[name])

    def show_login(self, wrong: str = "", *, status: int = 200) -> web.Response:
        """Give the page for signing in; `wrong` is a sentence of ours."""
        text = self.login.replace("<!--wrong-->", _WRONG.format(wrong) if wrong else "")
        return _page(text.encode(), status=status)

    def show_asset(self, name: str) -> web.Response:
        """Give a file that a page loads; 404 where there is none of that name."""
        if name not in self.assets:
            return web.Response(status=404)
        content_type, body = self.assets[name]
        return web.Response(body=body, content_type=content_type, charset="utf-8")


def load_pages(*, can_sign_out: bool) -> Pages:
    """Read all files once.

    Args:
        can_sign_out: there is a token, and so something to sign out of.
    """
    shell = (_ASSETS / "shell.html").read_text(encoding="utf-8")
    return Pages(
        by_name={name: _assemble(shell, name, can_sign_out=can_sign_out).encode() for name in PATHS},
        login=(_ASSETS / "login.html").read_text(encoding="utf-8"),
        assets={
            path.name: (_TYPES[path.suffix], path.read_bytes())
            for path in sorted(_ASSETS.iterdir())
            if path.suffix in _TYPES
        },
    )


def _assemble(shell: str, name: str, *, can_sign_out: bool) -> str:
    main = (_ASSETS / f"{name}.html").read_text(encoding="utf-8")
    text = shell.replace("<!--main-->", main).replace("{title}", _TITLES[name]).replace("{name}", name)
    text = text.replace(f'href="{PATHS[name]}" data-page', f'href="{PATHS[name]}" aria-current="page"')
    text = text.replace(" data-page", "")
    return text if can_sign_out else text.replace('<button id="sign-out"', '<button id="sign-out" hidden')


def _page(body: bytes, *, status: int = 200) -> web.Response:
    # With `no-referrer` a form would be sent with `Origin: null`, which could be anybody's.
    headers = {"Content-Security-Policy": _POLICY, "Referrer-Policy": "same-origin"}
    return web.Response(body=body, content_type="text/html", charset="utf-8", status=status, headers=headers)
