"""`hoidam serve` in a process of its own, and a plain client of it."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

TIMEOUT = 120.0


class Client:
    """What asks the service at an address of this machine."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.port = int(address.rpartition(":")[2])

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the answer."""
        connection = self.connect()
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def post(self, path: str, message: Any) -> tuple[int, dict[str, str], Any]:
        """The answer to a message, both JSON."""
        body = json.dumps(message).encode()
        status, headers, answer = self.send("POST", path, body, **{"Content-Type": "application/json"})
        return status, headers, json.loads(answer)

    def figure(self, name: str) -> float:
        """One of the figures at `/metrics`; 0 where it is not there yet."""
        text = self.send("GET", "/metrics")[2].decode()
        found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
        return float(found[1]) if found else 0.0


class Service(Client):
    """A running service on a free port; as a context, it is gone at the end whatever happened."""

    def __init__(self, model: Path, *options: object) -> None:
        code = "from hoidam.cli import main; main()"
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, "serve", "--model", str(model), "--port", "0", *map(str, options)],
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        address = line.removeprefix("hoidam: ").strip()
        assert address.startswith("http://127.0.0.1:"), line + self.process.stderr.read()
        super().__init__(address)

    def __enter__(self) -> "Service":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait(TIMEOUT)

    def stop(self) -> tuple[int, str]:
        """Ask it to end; its exit code, and what it printed after its address."""
        self.process.send_signal(signal.SIGTERM)
        said = self.process.communicate(timeout=TIMEOUT)[1]
        return self.process.returncode, said
