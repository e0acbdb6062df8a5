"""The two apps of the local services: the issuer's, and the email service's, which wants a root of its own."""

from __future__ import annotations

from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route

from local.services import identity
from local.services.email import control
from local.services.email.api import Behaviour, EmailService
from local.services.email.captured import Captured
from local.services.email.page import page

IDENTITY_PATH = "/identity"


def issuer_url(port: int) -> str:
    """The `iss` of every token that the issuer on `port` signs."""
    return f"http://127.0.0.1:{port}{IDENTITY_PATH}"


def services_app(port: int, data: Path) -> Starlette:
    """The issuer, and a health answer."""

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    return Starlette(
        routes=[
            Route("/health", health),
            Mount(IDENTITY_PATH, routes=identity.routes(issuer_url(port), data)),
        ]
    )


def email_app(captured: Captured, key: str, domain: str) -> Starlette:
    """Communication Services' email on its own root, since the SDKs sign the host without any path."""
    behaviour = Behaviour(domain=domain)
    service = EmailService(captured, behaviour, key)

    async def show(_: Request) -> Response:
        return HTMLResponse(page(captured.requests()))

    return Starlette(routes=[Route("/", show), *service.routes(), *control.routes(captured, behaviour)])
