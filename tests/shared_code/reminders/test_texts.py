"""What a reminder says, with values alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from shared_code.reminders.texts import LANGUAGES, reminder

START = datetime(2026, 11, 23, 9, 5, tzinfo=timezone(timedelta(hours=1)))


@pytest.mark.parametrize(
    ("language", "subject"),
    [
        ("en", "Reminder: your appointment on Monday, 23 November 2026 at 09:05"),
        ("nl", "Herinnering: uw afspraak op maandag 23 november 2026 om 09:05 uur"),
        ("fr", "Rappel : votre rendez-vous du lundi 23 novembre 2026 à 09:05"),
        ("de", "Erinnerung: Ihr Termin am Montag, 23. November 2026 um 09:05 Uhr"),
    ],
)
def test_day_and_time_are_told_in_each_language(language: str, subject: str):
    told = reminder(language, START)
    when = subject.split(" 23")[1]
    assert told.subject == subject
    assert when in told.text
    assert when in told.html
    assert f'<html lang="{language}">' in told.html


def test_the_four_languages_are_there():
    assert {"en", "nl", "fr", "de"} == LANGUAGES


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_every_day_and_month_has_a_name_of_its_own(language: str):
    days = {reminder(language, START + timedelta(days=number)).subject.split(" 2")[0] for number in range(7)}
    months = {reminder(language, START.replace(month=number, day=10)).subject for number in range(1, 13)}
    assert (len(days), len(months)) == (7, 12)


def test_the_first_of_a_month_is_written_as_the_french_do():
    assert "vendredi 1er mai 2026" in reminder("fr", datetime(2026, 5, 1, 8, 0, tzinfo=START.tzinfo)).text
    assert "vendredi 2 mai" not in reminder("fr", datetime(2026, 5, 1, 8, 0, tzinfo=START.tzinfo)).text


def test_an_instant_written_in_utc_says_so():
    assert "at 09:05 (UTC)" in reminder("en", START.replace(tzinfo=UTC)).subject
    assert "(UTC" not in reminder("en", START).subject


def test_the_html_says_what_the_text_says():
    told = reminder("fr", START)
    for paragraph in told.text.strip().split("\n\n"):
        assert paragraph.replace("'", "&#x27;") in told.html
