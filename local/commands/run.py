"""`dev.py run`: everything on this machine, with sample people, and what to try on it."""

from __future__ import annotations

import argparse
import shlex

from local.commands.sample import load_sample
from local.commands.token import token_of
from local.samples.people import PEOPLE, PRACTITIONER
from local.services import tokens
from local.services.kept_secrets import SYSTEM_CLIENT
from local.stack.folder import StackFolder
from local.stack.session import run_stack
from local.stack.supervisor import Supervisor
from local.state_files import write_whole

HEART_RATE = "http://loinc.org%7C8867-4"

ABOUT = {
    **{person.id: f"{person.given} {person.family}, {person.email}" for person in PEOPLE},
    PRACTITIONER: "cares for all of them",
    SYSTEM_CLIENT: "may do everything",
}


def run(given: argparse.Namespace) -> int:
    """Run until Ctrl-C."""

    async def when_ready(supervisor: Supervisor) -> None:
        await load_sample(supervisor)
        print(invitation(supervisor), flush=True)

    return run_stack(StackFolder(given.data.resolve()), given.port, when_ready, fresh=given.fresh)


def invitation(supervisor: Supervisor) -> str:
    """Who is there, a token for each, lines to paste, and pages to look at; the last line says that all is ready."""
    folder, addresses = supervisor.folder, supervisor.addresses
    tokens_of = _tokens(folder)
    who = [f"  {name} ({ABOUT[name]})\n    {token}" for name, token in tokens_of.items()]
    first = PEOPLE[0].id
    fhir = f"{addresses.app}/api/fhir"
    lines = [
        _curl(folder, first, f"{fhir}/Patient/{first}"),
        _curl(folder, first, f"{fhir}/Observation?code={HEART_RATE}&_count=5"),
        _curl(folder, first, f"{fhir}/Appointment?status=booked"),
        _curl(folder, first, f"{addresses.app}/api/statistics?code={HEART_RATE}&from=2025-12-01&to=2025-12-31"),
        _curl(folder, PRACTITIONER, f"{fhir}/Practitioner/{PRACTITIONER}"),
        _curl(folder, SYSTEM_CLIENT, f"{fhir}/Patient?_count=10"),
    ]
    pages = {
        "Email that was sent": f"{addresses.email}/",
        "What the API can do": f"{fhir}/metadata",
        "Whether all is well": f"{addresses.app}/api/health/ready",
        "Logs": str(folder.logs),
    }
    return "\n".join(
        [
            "",
            "Sample people, their care giver and a program, with a token for each (valid for a day):",
            *who,
            "",
            "Try:",
            *(f"  {line}" for line in lines),
            "",
            "Look at:",
            *(f"  {title:<20} {where}" for title, where in pages.items()),
            "",
            "Ctrl-C ends everything; the data stay.",
            f"ready {addresses.app}",
        ]
    )


def _tokens(folder: StackFolder) -> dict[str, str]:
    """Name → token; each is also a file, so that a line to paste stays short."""
    subjects = {person.id: tokens.patient(person.id) for person in PEOPLE}
    subjects[PRACTITIONER] = tokens.practitioner(PRACTITIONER)
    subjects[SYSTEM_CLIENT] = tokens.system(SYSTEM_CLIENT)
    made = {name: token_of(folder, subject) for name, subject in subjects.items()}
    for name, token in made.items():
        write_whole(folder.root / "tokens" / name, token)
    return made


def _curl(folder: StackFolder, who: str, url: str) -> str:
    token = shlex.quote(str(folder.root / "tokens" / who))
    return f'curl -s -H "Authorization: Bearer $(cat {token})" {shlex.quote(url)}'
