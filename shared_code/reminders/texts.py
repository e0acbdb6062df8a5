"""What a reminder says, in each language: day and time, and nothing that tells of anybody's health."""

from __future__ import annotations

import html
from dataclasses import dataclass
from datetime import datetime

DEFAULT_LANGUAGE = "en"


@dataclass(frozen=True, slots=True)
class Reminder:
    """The parts of an email."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class _Language:
    """One language: its calendar, and its sentences, which take {when}.

    days     Monday first
    when     takes {weekday}, {day}, {month}, {year} and {time}
    first    how the first day of a month is written
    """

    days: tuple[str, ...]
    months: tuple[str, ...]
    when: str
    first: str
    subject: str
    greeting: str
    body: str
    change: str
    ending: str


_TEXTS = {
    "en": _Language(
        days=("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
        months=(
            *("January", "February", "March", "April", "May", "June"),
            *("July", "August", "September", "October", "November", "December"),
        ),
        when="{weekday}, {day} {month} {year} at {time}",
        first="1",
        subject="Reminder: your appointment on {when}",
        greeting="Hello,",
        body="This is a reminder of your appointment on {when}.",
        change="If you cannot come, please change or cancel it in your health portal.",
        ending="Your health portal",
    ),
    "nl": _Language(
        days=("maandag", "dinsdag", "woensdag", "donderdag", "vrijdag", "zaterdag", "zondag"),
        months=(
            *("januari", "februari", "maart", "april", "mei", "juni"),
            *("juli", "augustus", "september", "oktober", "november", "december"),
        ),
        when="{weekday} {day} {month} {year} om {time} uur",
        first="1",
        subject="Herinnering: uw afspraak op {when}",
        greeting="Hallo,",
        body="Dit is een herinnering aan uw afspraak op {when}.",
        change="Kunt u niet komen? Verzet of annuleer de afspraak dan in uw gezondheidsportaal.",
        ending="Uw gezondheidsportaal",
    ),
    "fr": _Language(
        days=("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"),
        months=(
            *("janvier", "février", "mars", "avril", "mai", "juin"),
            *("juillet", "août", "septembre", "octobre", "novembre", "décembre"),
        ),
        when="{weekday} {day} {month} {year} à {time}",
        first="1er",
        subject="Rappel : votre rendez-vous du {when}",
        greeting="Bonjour,",
        body="Nous vous rappelons votre rendez-vous du {when}.",
        change="Si vous ne pouvez pas venir, déplacez-le ou annulez-le dans votre portail de santé.",
        ending="Votre portail de santé",
    ),
    "de": _Language(
        days=("Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"),
        months=(
            *("Januar", "Februar", "März", "April", "Mai", "Juni"),
            *("Juli", "August", "September", "Oktober", "November", "Dezember"),
        ),
        when="{weekday}, {day}. {month} {year} um {time} Uhr",
        first="1",
        subject="Erinnerung: Ihr Termin am {when}",
        greeting="Guten Tag,",
        body="Wir erinnern Sie an Ihren Termin am {when}.",
        change="Wenn Sie nicht kommen können, verschieben Sie ihn bitte im Gesundheitsportal oder sagen ihn dort ab.",
        ending="Ihr Gesundheitsportal",
    ),
}
LANGUAGES = frozenset(_TEXTS)


def reminder(language: str, start: datetime) -> Reminder:
    """The reminder of an appointment.

    language   one of LANGUAGES
    start      in the offset in which it is to be read; one that is written in UTC says so
    """
    words = _TEXTS[language]
    when = _when(words, start)
    paragraphs = (words.greeting, words.body.format(when=when), words.change, words.ending)
    body = "".join(f"<p>{html.escape(paragraph)}</p>" for paragraph in paragraphs)
    return Reminder(
        subject=words.subject.format(when=when),
        text="\n\n".join(paragraphs) + "\n",
        html=f'<!doctype html><html lang="{language}"><head><meta charset="utf-8"></head><body>{body}</body></html>',
    )


def _when(words: _Language, start: datetime) -> str:
    told = words.when.format(
        weekday=words.days[start.weekday()],
        day=words.first if start.day == 1 else str(start.day),
        month=words.months[start.month - 1],
        year=start.year,
        time=f"{start.hour:02d}:{start.minute:02d}",
    )
    return f"{told} (UTC)" if start.tzname() == "UTC" and not start.utcoffset() else told
