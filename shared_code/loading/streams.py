"""A file from its chunks: unpacked where it is gzipped, told apart as a bundle or NDJSON, cut into lines. Streaming."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Iterator

from shared_code import errors

MAX_LINE_BYTES = 4_000_000
LINES_AT_ONCE, BYTES_AT_ONCE = 100, 4_000_000
MAX_UNPACKED_RATIO = 1000  # of gzip's output to its input; above, it is a bomb
PIECE_BYTES = 1 << 20
_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"


async def unpacked(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The content, unpacked where it begins as gzip does. Raises Malformed for a broken or bursting archive."""
    archive: _Gzip | None = None
    first = True
    async for chunk in _beginning_with(chunks, len(_GZIP)):
        if first:
            archive = _Gzip() if chunk.startswith(_GZIP) else None
            first = False
        if archive is None:
            yield chunk
        else:
            for piece in archive.pieces(chunk):
                yield piece
    if archive is not None:
        archive.require_whole()


async def _beginning_with(chunks: AsyncIterator[bytes], size: int) -> AsyncIterator[bytes]:
    """The same content, its first chunk long enough to tell by it what the content is."""
    begin = b""
    begun = False
    async for chunk in chunks:
        if begun:
            yield chunk
        elif len(begin := begin + chunk) >= size:
            begun = True
            yield begin
    if begin and not begun:
        yield begin


class _Gzip:
    """A gzip file being read; it may hold several streams, one after the other."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(wbits=31)
        self._begun = False  # whether the present stream has seen a byte
        self._packed = self._size = 0

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        self._packed += len(chunk)
        while chunk:
            if not self._begun and not chunk.lstrip(b"\0"):
                return  # padding after the last stream
            self._begun = True
            try:
                piece = self._stream.decompress(chunk, PIECE_BYTES)
            except zlib.error as fault:
                raise errors.Malformed(f"the file is not whole gzip: {fault}") from fault
            self._size += len(piece)
            if self._size > MAX_UNPACKED_RATIO * self._packed + PIECE_BYTES:
                raise errors.Malformed(f"the file unpacks to more than {MAX_UNPACKED_RATIO} times its size")
            if piece:
                yield piece
            chunk = self._stream.unconsumed_tail
            if self._stream.eof:
                chunk = self._stream.unused_data
                self._stream, self._begun = zlib.decompressobj(wbits=31), False

    def require_whole(self) -> None:
        if self._begun:
            raise errors.Malformed("the file is not whole gzip: it ends too early")


async def lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The lines of a text, without their ends; a byte order mark is left out, and empty lines are lines of nothing.

    raises   TooLarge: a line is longer than any resource may be
    """
    rest = b""
    first = True
    async for chunk in _beginning_with(chunks, len(_BOM)):
        *whole, rest = (rest + (chunk.removeprefix(_BOM) if first else chunk)).split(b"\n")
        first = False
        for line in whole:
            yield line.rstrip(b"\r")
        if len(rest) > MAX_LINE_BYTES:
            raise errors.TooLarge(f"a line is longer than {MAX_LINE_BYTES:,} bytes")
    if rest.strip():
        yield rest


async def groups(found: AsyncIterator[bytes], after: int) -> AsyncIterator[list[tuple[int, bytes]]]:
    """Lines with their numbers, from 1, in groups that memory holds; without those up to `after`, and empty ones."""
    group: list[tuple[int, bytes]] = []
    size = number = 0
    async for line in found:
        number += 1
        if number <= after:
            continue
        if group and (len(group) == LINES_AT_ONCE or size + len(line) > BYTES_AT_ONCE):
            yield group
            group, size = [], 0
        if line.strip():
            group.append((number, line))
            size += len(line)
    if group:
        yield group
