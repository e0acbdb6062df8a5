"""One sweep of the outbox in a process of its own, for tests that kill it: `python -m … <JSON of where and when>`."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import datetime

from azure.communication.email.aio import EmailClient
from azure.core.credentials import AzureKeyCredential
from azure.cosmos.aio import CosmosClient

from tests.shared_code.reminders.journey import Clock, Journey


async def main(where: dict[str, str]) -> None:
    async with (
        CosmosClient(where["cosmos"], credential=where["cosmos_key"]) as account,
        EmailClient(where["email"], AzureKeyCredential(where["email_key"]), retry_total=0) as client,
    ):
        clock = Clock(datetime.fromisoformat(where["now"]))
        await Journey(account.get_database_client(where["database"]), client, clock).sweep()


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
