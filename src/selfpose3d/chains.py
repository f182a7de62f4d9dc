"""Jobs that wait for one another, and the longest chain of them."""

import json
from collections.abc import Mapping, Sequence
from functools import cache

Jobs = Mapping[str, Sequence[str]]
"""The names of the jobs that each job waits for, by its own name; all of them are jobs as well."""


def jobs_text(jobs: Jobs) -> str:
    """Jobs as short JSON: each one's name, and the numbers of those that it waits for."""
    numbers = {job: number for number, job in enumerate(jobs)}
    pairs = [[job, [numbers[one] for one in awaited]] for job, awaited in jobs.items()]
    return json.dumps(pairs, separators=(",", ":"))


def parse_jobs(text: str) -> dict[str, tuple[str, ...]]:
    """Jobs from what ``jobs_text`` makes of them."""
    pairs = json.loads(text)
    return {job: tuple(pairs[number][0] for number in numbers) for job, numbers in pairs}


def followers_of(jobs: Jobs) -> dict[str, list[str]]:
    """The jobs that wait for each job, by its name."""
    followers: dict[str, list[str]] = {job: [] for job in jobs}
    for job, awaited in jobs.items():
        for earlier in awaited:
            followers[earlier].append(job)
    return followers


def seconds_to_the_end(jobs: Jobs, seconds: Mapping[str, float]) -> dict[str, float]:
    """Seconds from each job's start to the end of the longest chain that begins with it.

    Args:
        jobs: all of them, without circles.
        seconds: that jobs take; 0 where a job is not named.
    """
    followers = followers_of(jobs)

    @cache
    def of(job: str) -> float:
        return seconds.get(job, 0.0) + max(map(of, followers[job]), default=0.0)

    return {job: of(job) for job in jobs}


def longest_chain(jobs: Jobs, seconds: Mapping[str, float]) -> list[str]:
    """The jobs that wait for one another and together take the longest, the first one first.

    With any number of cores a run takes at least as long. The arguments are those of
    ``seconds_to_the_end``.
    """
    left = seconds_to_the_end(jobs, seconds)
    chain: list[str] = []
    ready = [job for job, awaited in jobs.items() if not awaited]
    while ready:
        chain.append(max(ready, key=left.__getitem__))
        ready = [job for job, awaited in jobs.items() if chain[-1] in awaited]
    return chain
