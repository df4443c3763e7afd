"""A way that is long and wide: a TCP proxy that delivers every byte so many milliseconds later, each way.

    python bench_delay.py HOST PORT MILLISECONDS

prints its port, and ends with its standard input. What is on its way is not bounded, so the delay costs no
bandwidth. A connection is made after the three ways of TCP's handshake.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from contextlib import suppress

CHUNK = 1 << 18


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float) -> None:
    """Pass on what comes until its end, and then the end."""
    loop = asyncio.get_running_loop()
    coming: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def deliver() -> None:
        data = b"-"
        while data:
            due, data = await coming.get()
            await asyncio.sleep(due - loop.time())
            writer.write(data)
            await writer.drain()
        writer.write_eof()

    delivering = asyncio.create_task(deliver())
    data = b"-"
    while data:
        data = await reader.read(CHUNK)
        coming.put_nowait((loop.time() + delay, data))
    await delivering


def _without_delay_of_its_own(writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


async def _serve(host: str, port: int, delay: float) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(3 * delay)
        server_reader, server_writer = await asyncio.open_connection(host, port, limit=CHUNK)
        _without_delay_of_its_own(writer)
        _without_delay_of_its_own(server_writer)
        with suppress(OSError):
            await asyncio.gather(_carry(reader, server_writer, delay), _carry(server_reader, writer, delay))
        writer.close()
        server_writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, limit=CHUNK)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    host, port, milliseconds = sys.argv[1:]
    asyncio.run(_serve(host, int(port), float(milliseconds) / 1000))
