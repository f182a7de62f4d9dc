"""A loopback HTTP server with Range support that misbehaves on demand, for tests."""

import threading
import time
from collections import Counter
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType

PAGE = b"<!DOCTYPE html><html><body>Please log in</body></html>"


class Host:
    """Serves a folder.

    ``faults`` lists, by a file's name, what its next answers are instead of the file:
    "truncate", "stall", "empty", "page", "hidden page", "garbage", or a status number.
    """

    def __init__(self, folder: Path, ranges_work: bool = True) -> None:
        self.faults: dict[str, list[str]] = {}
        self.asked: Counter[str] = Counter()
        self.ranges: list[str] = []
        self.ranges_work = ranges_work
        self.closing = threading.Event()
        handler = partial(_Handler, host=self, directory=str(folder))
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))

    def __enter__(self) -> "Host":
        self.thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.closing.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, *args: object, host: Host, directory: str) -> None:
        self.host = host
        super().__init__(*args, directory=directory)

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        self.host.asked[path.name] += 1
        waiting = self.host.faults.get(path.name, [])
        fault = waiting.pop(0) if waiting else ""
        if fault.isdigit() or not path.is_file():
            self.send_error(int(fault or 404))
        elif fault in ("page", "hidden page"):
            self._answer(PAGE, "text/html" if fault == "page" else "application/octet-stream")
        elif fault in ("empty", "garbage"):
            self._answer(b"" if fault == "empty" else b"garbage" * 100)
        else:
            self._file(path.read_bytes(), fault)

    def _answer(self, data: bytes, content_type: str = "application/octet-stream") -> None:
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _file(self, data: bytes, fault: str) -> None:
        wanted = self.headers.get("Range")
        start = 0
        if wanted:
            self.host.ranges.append(wanted)
            if self.host.ranges_work:
                start = int(wanted.removeprefix("bytes=").rstrip("-"))
        if start and start >= len(data):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(data)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        self._body(data[start:], fault)

    def _body(self, data: bytes, fault: str) -> None:
        if not fault:
            self.wfile.write(data)
            return
        self.wfile.write(data[: max(len(data) // 2, 1)])
        self.wfile.flush()
        end = time.monotonic() + 3
        while fault == "stall" and time.monotonic() < end and not self.host.closing.is_set():
            time.sleep(0.02)
