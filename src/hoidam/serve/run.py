"""The service as a process: listens, says where, and ends in order."""

import signal
import socket
from collections.abc import Callable

import uvicorn

from hoidam.serve.app import make_app
from hoidam.serve.limits import Limits
from hoidam.tag.tagger import Tagger

GRACE_SECONDS = 60


def run(tagger: Tagger, *, host: str, port: int, limits: Limits, on_listen: Callable[[str], None]) -> None:
    """Serve until SIGTERM or Ctrl-C; then take no more, finish what has begun, and return.

    `on_listen` is told the address; port 0 takes a free one. Raises OSError where the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=512)
    config = uvicorn.Config(
        make_app(tagger, limits=limits),
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server = uvicorn.Server(config)
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn sets these itself only once it runs, by when the address is known and a signal may have come; and it
        # repeats a signal to what was set before after it has ended in order, which then must not end the process.
        signal.signal(number, server.handle_exit)
    shown = f"[{host}]" if family == socket.AF_INET6 else host
    on_listen(f"http://{shown}:{listener.getsockname()[1]}")
    server.run(sockets=[listener])
