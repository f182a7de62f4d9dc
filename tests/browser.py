"""Headless Chromium for tests that look at pages as a reader does.

Debian: ``apt-get install chromium chromium-driver``. A machine without them fails these tests.
"""

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)


def _program(*names: str) -> str:
    found = next((path for path in map(shutil.which, names) if path), None)
    assert found, f"{names[0]} is missing; run: apt-get install -y chromium chromium-driver"
    return found


@contextmanager
def open_browser(width: int = 1280, height: int = 900) -> Iterator[Chrome]:
    """A fresh headless Chromium with an empty profile, gone afterwards."""
    options = ChromeOptions()
    options.binary_location = _program("chromium", "chromium-browser")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        for flag in (*FLAGS, f"--user-data-dir={profile}", f"--window-size={width},{height}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        browser = Chrome(options=options, service=Service(_program("chromedriver")))
        try:
            browser.get("about:blank")
            yield browser
        finally:
            browser.quit()


def console_errors(browser: Chrome) -> list[str]:
    """Messages of the page's console that are errors, since the last call."""
    rows: list[dict[str, Any]] = browser.get_log("browser")
    return [row["message"] for row in rows if row["level"] == "SEVERE"]


def requested_urls(browser: Chrome) -> list[str]:
    """Addresses that the page asked for since the last call.

    Data URIs, and the pages that the browser itself shows first, are left out.
    """
    rows = [json.loads(row["message"])["message"] for row in browser.get_log("performance")]
    sent = [row["params"] for row in rows if row["method"] == "Network.requestWillBeSent"]
    urls = [params["request"]["url"] for params in sent]
    return [
        url
        for url in urls
        if not url.startswith(("data:", "blob:", "about:", "chrome:", "chrome-untrusted:"))
    ]
