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
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn has its own handlers while it runs and repeats the signal to these after it has ended in order.
        signal.signal(number, signal.SIG_IGN)
    shown = f"[{host}]" if family == socket.AF_INET6 else host
    on_listen(f"http://{shown}:{listener.getsockname()[1]}")
    uvicorn.Server(config).run(sockets=[listener])
