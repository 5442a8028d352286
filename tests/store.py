"""An S3 server on this machine, which holds what it is given in memory."""

import logging
from types import TracebackType
from urllib.request import Request, urlopen

from pyarrow.fs import FileSystem


class Store:
    """moto's server in a thread of this process."""

    def __enter__(self) -> "Store":
        from moto.server import ThreadedMotoServer

        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._server.start()
        _, port = self._server.get_host_and_port()
        self.address = f"127.0.0.1:{port}"
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.stop()

    @property
    def query(self) -> str:
        """What a URI needs to lead here."""
        return f"?endpoint_override={self.address}&scheme=http"

    def make_bucket(self, name: str) -> FileSystem:
        filesystem, path = FileSystem.from_uri(f"s3://{name}{self.query}&allow_bucket_creation=true")
        filesystem.create_dir(path)
        return filesystem

    def ask_for_keys(self, *, ask: bool) -> None:
        """Refuse keys that nobody has made, as all keys are that tests have."""
        request = Request(f"http://{self.address}/moto-api/reset-auth", data=b"0" if ask else b"inf", method="POST")
        with urlopen(request) as answer:
            assert answer.status == 200
