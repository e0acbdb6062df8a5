"""Files as streams: unpacked whatever the chunks, cut into lines, and broken or bursting archives refused."""

from __future__ import annotations

import gzip
import os
from collections.abc import AsyncIterator

import pytest

from shared_code import errors
from shared_code.loading.streams import (
    BYTES_AT_ONCE,
    LINES_AT_ONCE,
    MAX_LINE_BYTES,
    PIECE_BYTES,
    groups,
    lines,
    unpacked,
)

TEXT = b'{"a":1}\n{"b":2}\n' * 5000


async def chunked(content: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def whole(chunks: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in chunks])


async def read(content: bytes, size: int = 1000) -> list[bytes]:
    return [line async for line in lines(unpacked(chunked(content, size)))]


@pytest.mark.parametrize("size", [1, 2, 7, 4096, 1 << 20])
async def test_gzip_is_unpacked_whatever_the_chunks(size: int) -> None:
    content = TEXT[:3000] if size < 10 else TEXT
    assert await whole(unpacked(chunked(gzip.compress(content), size))) == content
    assert await whole(unpacked(chunked(content, size))) == content


@pytest.mark.parametrize("size", [1, 1000])
async def test_several_gzip_streams_are_one_text_and_padding_is_nothing(size: int) -> None:
    packed = gzip.compress(b"one\n") + gzip.compress(b"two\n") + bytes(600)
    assert await whole(unpacked(chunked(packed, size))) == b"one\ntwo\n"


@pytest.mark.parametrize("missing", [1, 4, 8, 9, 40])
async def test_a_gzip_that_ends_too_early_is_refused(missing: int) -> None:
    packed = gzip.compress(os.urandom(100))
    with pytest.raises(errors.Malformed, match="not whole"):
        await whole(unpacked(chunked(packed[:-missing], 50)))


@pytest.mark.parametrize("at", [12, 60, -5])
async def test_a_gzip_with_a_wrong_byte_is_refused(at: int) -> None:
    packed = bytearray(gzip.compress(os.urandom(100)))
    packed[at] ^= 0xFF
    with pytest.raises(errors.Malformed):
        await whole(unpacked(chunked(bytes(packed), 50)))


async def test_junk_after_gzip_is_refused() -> None:
    with pytest.raises(errors.Malformed):
        await whole(unpacked(chunked(gzip.compress(b"x") + b"junk", 1000)))


async def test_a_bomb_is_refused_long_before_it_has_burst() -> None:
    seen = [0]

    async def burst() -> None:
        async for piece in unpacked(chunked(gzip.compress(bytes(200_000_000)), 4096)):
            assert len(piece) <= PIECE_BYTES
            seen[0] += len(piece)

    with pytest.raises(errors.Malformed, match="times its size"):
        await burst()
    assert seen[0] < 50_000_000


async def test_what_packs_well_is_no_bomb() -> None:
    content = b'{"resourceType":"Observation","status":"final"}\n' * 50_000
    assert len(await read(gzip.compress(content), 65536)) == 50_000


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", []),
        (b"a", [b"a"]),
        (b"a\n", [b"a"]),
        (b"a\nb", [b"a", b"b"]),
        (b"a\r\nb\r\n", [b"a", b"b"]),
        (b"a\n\nb", [b"a", b"", b"b"]),
        (b"\xef\xbb\xbfa\nb", [b"a", b"b"]),
        (b"a\n\xef\xbb\xbfb", [b"a", b"\xef\xbb\xbfb"]),
        (b"a\n  \n", [b"a", b"  "]),
        ("ä\nö".encode(), ["ä".encode(), "ö".encode()]),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 1000])
async def test_a_text_is_cut_at_its_line_ends_whatever_the_chunks(
    content: bytes, expected: list[bytes], size: int
) -> None:
    assert await read(content, size) == expected


async def test_a_line_longer_than_any_resource_is_refused_before_it_ends() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 100_000

    with pytest.raises(errors.TooLarge, match=f"{MAX_LINE_BYTES:,}"):
        await whole(lines(endless()))


async def test_lines_come_in_groups_of_limited_number_and_bytes() -> None:
    short, long = b"x\n" * (LINES_AT_ONCE + 1), (b"y" * (BYTES_AT_ONCE * 2 // 3) + b"\n") * 3
    found = [group async for group in groups(lines(chunked(short + b"\n" + long, 100_000)), 1)]
    assert [len(group) for group in found] == [LINES_AT_ONCE, 1, 1, 1]
    numbers = [number for group in found for number, _ in group]
    assert numbers == [*range(2, LINES_AT_ONCE + 2), *range(LINES_AT_ONCE + 3, LINES_AT_ONCE + 6)]
