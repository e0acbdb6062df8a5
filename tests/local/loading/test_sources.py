"""What is found in paths, and in which order it is loaded."""

from __future__ import annotations

import gzip
import hashlib
import zipfile

import pytest

from local.loading.sources import NothingToLoadError, sources_of


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "b.json").write_text("b")
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "practitionerInformation1.json").write_text("p")
    (tmp_path / "hospitalInformation1.json").write_text("h")
    (tmp_path / "notes.txt").write_text("not to be loaded")
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(b"a"))
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("inner/c.ndjson", "c\n")
        archive.writestr("readme.md", "not to be loaded")
    return tmp_path


def test_folders_and_archives_are_searched_and_care_givers_come_first(folder):
    names = [source.name.removeprefix(f"{folder}/") for source in sources_of([folder])]
    assert names == [
        "deeper/practitionerInformation1.json",
        "hospitalInformation1.json",
        "a.json.gz",
        "all.zip!inner/c.ndjson",
        "b.json",
    ]


def test_content_is_read_unzipped_wherever_it_lies(folder):
    contents = {source.file_name: source.text(10) for source in sources_of([folder])}
    assert contents["a.json.gz"] == b"a"
    assert contents["c.ndjson"] == b"c\n"


def test_a_digest_is_of_the_stored_bytes(folder):
    (source,) = sources_of([folder / "a.json.gz"])
    assert source.digest() == hashlib.sha256((folder / "a.json.gz").read_bytes()).hexdigest()


def test_content_above_the_limit_is_not_read(folder):
    (folder / "zeros.json.gz").write_bytes(gzip.compress(b"0" * 1000))
    (source,) = sources_of([folder / "zeros.json.gz"])
    assert source.text(999) is None
    assert source.text(1000) == b"0" * 1000


def test_lines_are_told_from_bundles(folder):
    assert [source.is_lines for source in sources_of([folder / "all.zip", folder / "b.json"])] == [True, False]


def test_an_archive_that_is_none_is_named(folder):
    (folder / "all.zip").write_bytes(b"not an archive")
    with pytest.raises(NothingToLoadError, match=r"all\.zip is no zip archive"):
        sources_of([folder])


@pytest.mark.parametrize("name", ["missing.json", "notes.txt"])
def test_a_path_with_nothing_to_load_is_named(folder, name):
    with pytest.raises(NothingToLoadError, match=name):
        sources_of([folder / name])
