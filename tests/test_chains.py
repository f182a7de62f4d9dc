"""The longest chain of jobs that wait for one another."""

from selfpose3d.chains import jobs_text, longest_chain, parse_jobs, seconds_to_the_end

JOBS = {
    "detect": (),
    "label": ("detect",),
    "backbone": ("label",),
    "root": ("label",),
    "pose": ("backbone", "root"),
    "trust": ("label",),
}
SECONDS = {"detect": 5.0, "label": 1.0, "backbone": 30.0, "root": 10.0, "pose": 4.0, "trust": 33.0}


def test_jobs_come_back_from_their_text() -> None:
    assert parse_jobs(jobs_text(JOBS)) == JOBS


def test_a_job_is_counted_with_the_longest_chain_that_follows_it() -> None:
    assert seconds_to_the_end(JOBS, SECONDS) == {
        "detect": 40.0, "label": 35.0, "backbone": 34.0, "root": 14.0, "pose": 4.0, "trust": 33.0,
    }  # fmt: skip


def test_the_longest_chain_is_found_from_its_first_job_on() -> None:
    assert longest_chain(JOBS, SECONDS) == ["detect", "label", "backbone", "pose"]
    assert longest_chain(JOBS, SECONDS | {"trust": 35.0}) == ["detect", "label", "trust"]
    assert longest_chain({}, {}) == []


def test_a_job_that_was_not_measured_takes_no_time_and_stays_in_its_chain() -> None:
    known = {name: taken for name, taken in SECONDS.items() if name != "label"}
    assert longest_chain(JOBS, known) == ["detect", "label", "backbone", "pose"]
    assert seconds_to_the_end(JOBS, known)["detect"] == 39.0
