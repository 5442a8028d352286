"""An S3 server on this machine, which holds what it is given in memory."""

import socket
import subprocess
import sys
import time
from types import TracebackType
from urllib.error import URLError
from urllib.request import Request, urlopen

from pyarrow.fs import FileSystem


class Store:
    """moto's server, in a process of its own: pyarrow may hold this one while it waits for an answer."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.address = f"127.0.0.1:{free.getsockname()[1]}"

    def __enter__(self) -> "Store":
        words = [sys.executable, "-m", "moto.server", "--port", self.address.partition(":")[2]]
        self._process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        ends = time.monotonic() + 120
        while not self._answers():
            assert self._process.poll() is None
            assert time.monotonic() < ends
            time.sleep(0.1)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.kill()
        self._process.wait()

    def _answers(self) -> bool:
        try:
            with urlopen(f"http://{self.address}/moto-api/data.json") as answer:
                return answer.status == 200
        except URLError:
            return False

    @property
    def query(self) -> str:
        """What a URI needs to lead here."""
        return f"?endpoint_override={self.address}&scheme=http"

    def make_bucket(self, name: str) -> None:
        filesystem, path = FileSystem.from_uri(f"s3://{name}{self.query}&allow_bucket_creation=true")
        filesystem.create_dir(path)

    def ask_for_keys(self, *, ask: bool) -> None:
        """Refuse keys that nobody has made, as all keys are that tests have."""
        allowed = b"0" if ask else b"inf"
        plain = {"Content-Type": "text/plain"}
        request = Request(f"http://{self.address}/moto-api/reset-auth", data=allowed, headers=plain, method="POST")
        with urlopen(request) as answer:
            assert answer.status == 200
