"""What Datasette asks of a plugin: our pages, the documented queries, links into the pages, errors that read well.

Datasette's plugins are modules and serve all sites of a process; these answer for ours only.
"""

import base64
import logging
import re
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Any

from datasette import Response, hookimpl
from datasette.utils.asgi import Base400
from datasette.views.base import DatasetteError
from markupsafe import Markup

from aggregator.errors import StoreError
from aggregator.store.schema_doc import examples
from aggregator.web.guard import PAGE_POLICY
from aggregator.web.pages import ROUTES, Asked, Page, View
from aggregator.web.site import DATABASE, Site
from aggregator.web.wording import web_link

__all__ = [
    "canned_queries",
    "extra_template_vars",
    "handle_exception",
    "menu_links",
    "prepare_jinja2_environment",
    "register_routes",
    "render_cell",
    "site_policy",
]

log = logging.getLogger(__name__)

_PAGE_OF = {
    "item_id": "/item/{}", "similar_item_id": "/item/{}", "lead_item_id": "/item/{}", "first_item_id": "/item/{}",
    "nearest_item_id": "/item/{}", "reprint_of": "/item/{}", "story_id": "/story/{}", "merged_into": "/story/{}",
}  # fmt: skip
_MENU = {"Top stories": "/", "Search": "/search", "Feeds": "/feeds", "Tables": f"/{DATABASE}"}
_HEADERS = {"cache-control": "no-cache", "content-security-policy": PAGE_POLICY}
_UNAVAILABLE = 503


@hookimpl
def register_routes(datasette: Any) -> list[tuple[str, Callable[..., Awaitable[Any]]]]:
    """Our pages."""
    return [(pattern, _shows(view)) for pattern, view in ROUTES] if isinstance(datasette, Site) else []


def _shows(view: View) -> Callable[..., Awaitable[Any]]:
    async def show(request: Any, datasette: Any) -> Any:
        asked = Asked(dict(request.url_vars), {key: request.args.get(key) for key in request.args}, datasette.clock())
        page = await datasette.file.read(lambda reader: view(reader, asked))
        return await _answer(datasette, request, page)

    return show


async def _answer(site: Site, request: Any, page: Page) -> Any:
    if page.redirect:
        return Response.redirect(page.redirect, headers=_HEADERS)
    text = await site.render_template(page.template, page.values, request=request, view_name=page.template)
    return Response.html(text, status=page.status, headers=_HEADERS)


@hookimpl
def prepare_jinja2_environment(env: Any) -> None:
    """What templates of ours may use: `text | web_link`."""
    env.filters["web_link"] = web_link


@hookimpl
def extra_template_vars(datasette: Any) -> dict[str, Any]:
    """What every template of ours needs."""
    return {"style_url": datasette.style_url} if isinstance(datasette, Site) else {}


@hookimpl
def canned_queries(datasette: Any, database: str) -> dict[str, dict[str, str]]:
    """The queries that docs/schema.md shows, ready to run."""
    if not isinstance(datasette, Site) or database != DATABASE:
        return {}
    return {_slug(f"{e.view} {e.question}"): {"title": f"{e.view}: {e.question}", "sql": e.sql} for e in examples()}


def _slug(text: str) -> str:
    return "-".join(re.findall(r"[a-z0-9_]+", text.lower()))


@hookimpl
def menu_links(datasette: Any) -> list[dict[str, str]]:
    """From Datasette's own pages back to ours."""
    if not isinstance(datasette, Site):
        return []
    return [{"href": datasette.urls.path(path), "label": label} for label, path in _MENU.items()]


@hookimpl
def render_cell(value: Any, column: str, datasette: Any) -> Any:
    """Numbers of items and stories in Datasette's tables lead to their pages."""
    if isinstance(datasette, Site) and isinstance(value, int) and column in _PAGE_OF:
        return Markup('<a href="{}">{}</a>').format(_PAGE_OF[column].format(value), value)
    return None


@hookimpl
def handle_exception(datasette: Any, request: Any, exception: Exception) -> Any:
    """An error as a page, or as JSON where JSON was asked for; what nobody expected goes to the log."""
    if not isinstance(datasette, Site):
        return None

    async def answered() -> Any:
        status, title, message = _explained(exception)
        if request.path.endswith(".json"):
            return Response.json({"ok": False, "error": message, "status": status, "title": title}, status=status)
        values = {"status": status, "title": title, "error": message}
        text = await datasette.render_template("error.html", values, request=request, view_name="error")
        return Response.html(text, status=status, headers=_HEADERS)

    return answered


def _explained(exception: Exception) -> tuple[int, str | None, str]:
    if isinstance(exception, Base400):  # NotFound among them
        return exception.status, None, str(exception)
    if isinstance(exception, DatasetteError):
        message = Markup(exception.message) if exception.message_is_html else exception.message  # noqa: S704 - Datasette's own
        return exception.status, exception.title, message
    if isinstance(exception, StoreError):
        log.warning("the database cannot be read: %s", exception)
        return _UNAVAILABLE, "The database cannot be read", str(exception)
    log.error("a page failed", exc_info=exception)
    return 500, None, "This page failed; the reason is in the log of the web server."


def site_policy(site: Site) -> str:
    """The Content-Security-Policy of Datasette's own pages: its scripts by their digests, none that data could bring."""
    scripts = {"DATASETTE_ALLOW_FACET = true;", "DATASETTE_ALLOW_FACET = false;"}  # the one that a template fills in
    for name in site.jinja_env.list_templates(filter_func=lambda name: not name.startswith("default:")):
        text = site.jinja_env.loader.get_source(site.jinja_env, name)[0]
        scripts.update(s for s in re.findall(r"<script>(.*?)</script>", text, re.DOTALL) if "{{" not in s)
    digests = " ".join(f"'sha256-{base64.b64encode(sha256(s.encode()).digest()).decode()}'" for s in sorted(scripts))
    # Datasette writes a style for each table and sets colours in attributes; style from data cannot run.
    return (
        f"default-src 'none'; script-src 'self' {digests}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
