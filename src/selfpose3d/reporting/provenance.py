"""The origin of results: revision of the source, and machine."""

import os
import platform
import subprocess
from pathlib import Path


def git_revision(folder: Path | None = None) -> str:
    """The short commit of a working tree, with ``+changes`` when it differs; "none" outside one."""
    commit = _git(folder, "rev-parse", "--short=12", "HEAD")
    if not commit:
        return "none"
    return f"{commit}+changes" if _git(folder, "status", "--porcelain", "-uno") else commit


def machine() -> str:
    """Processor, cores and memory of this machine, in one line."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    parts = [_processor(), f"{cores} cores"]
    memory = _memory_gib()
    return ", ".join([*parts, f"{memory:.0f} GiB"] if memory else parts)


def _git(folder: Path | None, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _memory_gib() -> float | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    except (ValueError, OSError, AttributeError):
        return None
