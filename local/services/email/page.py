"""The page that shows what the email service caught."""

from __future__ import annotations

import html
import json
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from local.services.email.captured import SendRequest

STYLE = """
body{font:15px/1.45 system-ui,sans-serif;margin:2rem;color:#1d2733;background:#f6f8fa}
table{border-collapse:collapse;width:100%;background:#fff}
th,td{text-align:left;vertical-align:top;padding:.5rem .7rem;border-bottom:1px solid #d8dee4}
th{font-weight:600;background:#eef2f5}
pre{white-space:pre-wrap;margin:0;font:13px/1.4 ui-monospace,monospace}
iframe{border:1px solid #d8dee4;width:100%;height:14rem;background:#fff}
.refused{color:#a40e26}.quiet{color:#57606a;font-size:13px}
"""


def page(requests: Iterable[SendRequest]) -> str:
    """HTML with one row per request, the newest first."""
    kept = list(requests)
    per_operation = Counter(one.operation for one in kept)
    rows = "".join(_row(one, per_operation[one.operation]) for one in reversed(kept))
    table = (
        "<table><thead><tr><th>Received (UTC)</th><th>Answer</th><th>From, to</th><th>Message</th>"
        f"<th>Operation</th></tr></thead><tbody>{rows}</tbody></table>"
        if kept
        else "<p>Nothing was sent yet.</p>"
    )
    return (
        "<!doctype html><html lang=en><head><meta charset=utf-8><title>Caught email</title>"
        f"<style>{STYLE}</style></head><body><h1>Caught email</h1>"
        f"<p class=quiet>{len(kept)} requests in {len(per_operation)} operations. Nothing left this machine.</p>"
        f"{table}</body></html>"
    )


def _row(request: SendRequest, times: int) -> str:
    received = datetime.fromtimestamp(request.received, UTC).strftime("%Y-%m-%d %H:%M:%S")
    answer = f"{request.status}" + (f"<br><span class=refused>{_text(request.reason)}</span>" if request.reason else "")
    repeated = f"{times} requests" if times > 1 else "1 request"
    return (
        f"<tr><td>{received}</td><td>{answer}</td>{_message_cells(request.body)}"
        f"<td><code>{_text(request.operation)}</code><br><span class=quiet>{repeated}</span></td></tr>"
    )


def _message_cells(body: str) -> str:
    """Addresses and content; a body that is not a message is shown as it came."""
    try:
        message = json.loads(body)
        content, recipients = message["content"], message["recipients"]
        addresses = [f"<b>from</b> {_text(message['senderAddress'])}"]
        for kind in ("to", "cc", "bcc"):
            addresses += [f"<b>{kind}</b> {_mailbox(one)}" for one in recipients.get(kind) or []]
        return f"<td>{'<br>'.join(addresses)}</td><td>{_content(content)}</td>"
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"<td></td><td><pre>{_text(body)}</pre></td>"


def _mailbox(one: dict[str, Any]) -> str:
    name = one.get("displayName")
    return _text(f"{name} <{one['address']}>" if name else one["address"])


def _content(content: dict[str, Any]) -> str:
    parts = [f"<p><b>{_text(content['subject'])}</b></p>"]
    if content.get("plainText"):
        parts.append(f"<pre>{_text(content['plainText'])}</pre>")
    if content.get("html"):
        # Without any permission the frame can run nothing and reach nothing of this page.
        parts.append(f"<iframe sandbox title='HTML body' srcdoc=\"{_text(content['html'])}\"></iframe>")
    return "".join(parts)


def _text(value: object) -> str:
    return html.escape(str(value), quote=True)
