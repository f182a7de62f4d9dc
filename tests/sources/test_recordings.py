"""What is asked of synchronised recordings: videos in any container, and folders of images."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from panoptic_layout import write_video
from selfpose3d.errors import InputError
from selfpose3d.files.scenes import write_image
from selfpose3d.sources.recordings import (
    ImageFolder,
    Video,
    by_camera,
    common_frames,
    common_rate,
    recordings_in,
    tell_turns,
)

WIDTH, HEIGHT, N_FRAMES = 64, 48, 6
IDENTITY = np.array([1, 0, 0, 0, 1], dtype=">i4") << 16
"""Begin of the matrix by which an MP4 file places its frames, in 16.16."""


def ramp(index: int) -> np.ndarray:
    """(H, W, 3) darker on the left, and brighter from frame to frame."""
    return np.repeat(np.linspace(20, 120, WIDTH)[None, :, None], HEIGHT, 0).repeat(3, 2).astype(
        np.uint8
    ) + np.uint8(20 * index)


def write_as(path: Path, codec: str) -> Path:
    write_video(path, [ramp(index) for index in range(N_FRAMES)], codec=codec)
    return path


def images(folder: Path, numbers: range) -> Path:
    for number in numbers:
        write_image(folder / f"img_{number:06d}.jpg", ramp(0))
    return folder


class Stamped(Video):
    """A video with other time stamps than its file's."""

    def __init__(self, path: Path, stamps: np.ndarray) -> None:
        super().__init__(path)
        self._stamps = stamps


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    return [write_as(tmp_path / f"cam0{number}.mp4", "mp4v") for number in (1, 2, 3)]


def test_time_stamps_are_those_of_the_frames(paths: list[Path]) -> None:
    np.testing.assert_allclose(np.diff(Video(paths[0]).stamps()), 1 / 30, atol=1e-3)
    assert common_frames([Video(path) for path in paths]) == tuple(range(N_FRAMES))


def test_a_video_that_lost_frames_is_named(paths: list[Path]) -> None:
    regular = np.arange(30) / 30
    late = regular + (np.arange(30) > 12) * 2 / 30
    stamps = (regular, regular, late)
    with pytest.raises(InputError, match=r"cam03.mp4: 100 ms lie between the frames 12 and 13"):
        common_frames([Stamped(*pair) for pair in zip(paths, stamps, strict=True)])


def test_a_pause_that_all_videos_share_is_none_of_it(paths: list[Path]) -> None:
    paused = np.arange(30) / 30 + (np.arange(30) > 12) * 2 / 30
    assert common_frames([Stamped(path, paused) for path in paths]) == tuple(range(30))


@pytest.mark.parametrize(
    ("suffix", "container", "codec"),
    [
        ("avi", "avi", "MJPG"),
        ("mov", "mov", "mp4v"),
        ("mkv", "mkv", "mp4v"),
        ("m4v", "mp4", "mp4v"),
        ("MP4", "mp4", "mp4v"),
        ("webm", "webm", "VP80"),
        ("mts", "ts", "mpg2"),
        ("mpg", "mpg", "mpg2"),
        ("wmv", "wmv", "WMV2"),
    ],
)
def test_videos_are_found_and_read_in_every_container(
    tmp_path: Path, suffix: str, container: str, codec: str
) -> None:
    made = write_as(tmp_path / f"made.{container}", codec)
    path = made.rename(tmp_path / f"left.{suffix}")
    (tmp_path / "notes.txt").write_text("a note\n")

    assert recordings_in(tmp_path) == [path]
    video = Video(path)
    frames = dict(video.read([1, 4]))

    assert (video.width, video.height, len(video.numbers())) == (WIDTH, HEIGHT, N_FRAMES)
    for number, image in frames.items():
        assert abs(float(image.mean()) - float(ramp(number).mean())) < 6


def test_two_recordings_of_one_camera_are_refused(paths: list[Path]) -> None:
    other = write_as(paths[0].with_suffix(".avi"), "MJPG")
    images(paths[1].with_suffix(""), range(2))
    with pytest.raises(InputError, match=r"cam01.avi and cam01.mp4 are both of the camera 'cam01'"):
        by_camera(recordings_in(other.parent), "take")
    other.unlink()
    with pytest.raises(InputError, match=r"cam02 and cam02.mp4 are both of the camera 'cam02'"):
        by_camera(recordings_in(other.parent), "take")


def test_recordings_that_cannot_be_opened_are_named_and_kept(tmp_path: Path) -> None:
    """The message never advises to delete what can't be recorded again."""
    whole = write_as(tmp_path / "whole.mp4", "mp4v").read_bytes()
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "cut.mp4").write_bytes(whole[: whole.index(b"moov") - 4])
    (tmp_path / "away.mp4").symlink_to(tmp_path / "disk" / "away.mp4")
    (tmp_path / "new.mp4").write_bytes(whole.replace(b"mp4v", b"vvc1").replace(b"esds", b"free"))
    reasons = {
        "empty": "an empty file; copy the recording again",
        "cut": r"no video can be opened in its \d+ bytes.*power cut.*Keep the original",
        "away": "a link to .*away.mp4, which is not there",
        "missing": "there is no such video",
        "new": "codec vvc1 can't be decoded.*into a folder 'originals'",
    }
    for name, reason in reasons.items():
        with pytest.raises(InputError, match=rf"{name}.mp4: .*{reason}"):
            Video(tmp_path / f"{name}.mp4")


def test_of_a_video_that_cannot_be_decoded_only_our_message_is_printed(tmp_path: Path) -> None:
    whole = write_as(tmp_path / "whole.mp4", "mp4v").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: whole.index(b"moov") - 4])
    (tmp_path / "new.mp4").write_bytes(whole.replace(b"mp4v", b"av01").replace(b"esds", b"free"))
    code = "import sys; from pathlib import Path; from selfpose3d.sources.recordings import Video\n"
    code += "try: Video(Path(sys.argv[1]))\nexcept Exception as error: print(error)"
    for name, reason in (("cut", "no video can be opened"), ("new", "codec AV01 can't be decoded")):
        call = [sys.executable, "-c", code, str(tmp_path / f"{name}.mp4")]
        done = subprocess.run(call, capture_output=True, text=True, check=True)
        assert reason in done.stdout and done.stderr == ""


def turned_by_180(path: Path) -> Path:
    """The same MP4 file, whose frames are to be shown upside down."""
    content = bytearray(path.read_bytes())
    place = content.index(IDENTITY.tobytes(), content.index(b"tkhd"))
    half_turn = (IDENTITY * -1).astype(">i4").tobytes()
    moved = np.array([0, WIDTH << 16, HEIGHT << 16], dtype=">i4").tobytes()
    content[place : place + len(half_turn)] = half_turn
    content[place + len(half_turn) : place + len(half_turn) + len(moved)] = moved
    path.write_bytes(content)
    return path


def test_a_turn_is_made_and_told(paths: list[Path], capfd: pytest.CaptureFixture[str]) -> None:
    videos = [Video(paths[0]), Video(turned_by_180(paths[1]))]

    tell_turns(videos)
    ((_, upright),), ((_, turned),) = (video.read([0]) for video in videos)

    said = capfd.readouterr().err
    assert "cam02.mp4" in said and "180 degrees" in said and "cam01" not in said
    difference = np.abs(turned.astype(int) - upright[::-1, ::-1].astype(int))
    assert difference.mean() < 2


def test_folders_of_images_are_recordings(tmp_path: Path) -> None:
    """The images' numbers are the frames', wherever they begin."""
    for name in ("left", "right"):
        images(tmp_path / "images" / name, range(1, 5))
    (tmp_path / "pose").mkdir()
    found = by_camera(recordings_in(tmp_path), "take")
    folders = [ImageFolder(path, 50.0) for path in found.values()]

    assert list(found) == ["left", "right"]
    assert common_frames(folders) == (1, 2, 3, 4) and common_rate(folders) == 50
    np.testing.assert_allclose(folders[0].stamps(), [0.02, 0.04, 0.06, 0.08])
    ((number, image),) = folders[0].read([3])
    assert number == 3 and image.shape == (HEIGHT, WIDTH, 3)


def test_images_that_do_not_tell_their_frame_are_refused(tmp_path: Path) -> None:
    images(tmp_path / "left", range(3))
    write_image(tmp_path / "left" / "2.png", ramp(0))
    with pytest.raises(InputError, match=r"2.png and img_000002.jpg are both of frame 2"):
        ImageFolder(tmp_path / "left", 25.0)
    (tmp_path / "left" / "2.png").rename(tmp_path / "left" / "cover.png")
    with pytest.raises(InputError, match=r"cover.png: its name holds no number"):
        ImageFolder(tmp_path / "left", 25.0)


def test_recordings_of_other_frames_are_refused(tmp_path: Path, paths: list[Path]) -> None:
    six = images(tmp_path / "six", range(1, 7))
    five = images(tmp_path / "five", range(1, 6))
    with pytest.raises(InputError, match=r"unequal frame counts .*cam01.mp4: 6, .*five: 5"):
        common_frames([Video(paths[0]), ImageFolder(five, 30.0)])
    with pytest.raises(InputError, match=r"numbers of the frames differ .*six: 1 to 6"):
        common_frames([Video(paths[0]), ImageFolder(six, 30.0)])


def test_recordings_of_other_rates_are_refused(tmp_path: Path, paths: list[Path]) -> None:
    slow = tmp_path / "slow.mp4"
    write_video(slow, [ramp(0)] * 3, rate=25.0)
    with pytest.raises(InputError, match=r"frame rates differ .*slow.mp4: 25"):
        common_rate([Video(paths[0]), Video(slow)])
