"""A connection to pymap outlives the garbage collector of its process."""

from __future__ import annotations

import asyncio
import gc
from asyncio import StreamReader, StreamWriter

from proxyprotocol.noop import ProxyProtocolNoop
from proxyprotocol.reader import ProxyProtocolReader

from practice.servers.pymap_server import holding_tasks


async def talk() -> bytes:
    ended = asyncio.Event()

    async def echo(reader: StreamReader, writer: StreamWriter, _info: object) -> None:
        while line := await reader.readline():
            writer.write(line)
        writer.close()
        await writer.wait_closed()
        ended.set()

    handler = ProxyProtocolReader(ProxyProtocolNoop()).get_callback(holding_tasks(echo))
    server = await asyncio.start_server(handler, "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
        said = b""
        for number in range(3):
            writer.write(b"%d\n" % number)
            said += await asyncio.wait_for(reader.readline(), 20)
            await asyncio.sleep(0)
            gc.collect()
        writer.close()
        await writer.wait_closed()
        await asyncio.wait_for(ended.wait(), 20)
        return said


def test_a_connection_outlives_the_garbage_collector() -> None:
    assert asyncio.run(talk()) == b"0\n1\n2\n"
