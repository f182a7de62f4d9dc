"""What all sources ask of synchronised videos."""

from pathlib import Path

import numpy as np
import pytest

from panoptic_layout import write_video
from selfpose3d.errors import InputError
from selfpose3d.sources.preparation import Video, check_in_step


class Stamped(Video):
    """A video with other time stamps than its file's."""

    def __init__(self, path: Path, stamps: np.ndarray) -> None:
        super().__init__(path)
        self.given = stamps

    def stamps(self) -> np.ndarray:
        return self.given


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    made = [tmp_path / f"cam0{number}.mp4" for number in (1, 2, 3)]
    for path in made:
        write_video(path, [np.full((48, 64, 3), grey, np.uint8) for grey in range(6)])
    return made


def test_time_stamps_are_those_of_the_frames(paths: list[Path]) -> None:
    np.testing.assert_allclose(np.diff(Video(paths[0]).stamps()), 1 / 30, atol=1e-3)
    assert check_in_step([Video(path) for path in paths]) == 6


def test_a_video_that_lost_frames_is_named(paths: list[Path]) -> None:
    regular = np.arange(30) / 30
    late = regular + (np.arange(30) > 12) * 2 / 30
    stamps = (regular, regular, late)
    with pytest.raises(InputError, match=r"cam03.mp4: 100 ms lie between the frames 12 and 13"):
        check_in_step([Stamped(*pair) for pair in zip(paths, stamps, strict=True)])


def test_a_pause_that_all_videos_share_is_none_of_it(paths: list[Path]) -> None:
    paused = np.arange(30) / 30 + (np.arange(30) > 12) * 2 / 30
    assert check_in_step([Stamped(path, paused) for path in paths]) == 30
