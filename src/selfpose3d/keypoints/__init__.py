"""KEYPOINTS: formats in which 2D estimators write people, by the name of each.

A format is recognised by what stands in a file, not by the file's name. ``reading`` finds the
files of a folder and brings the people to the cameras and frames that they are of.
"""

from selfpose3d.keypoints import coco, mmpose, mvor, openpose, rtmlib, ultralytics
from selfpose3d.keypoints.entry import KeypointFormat
from selfpose3d.tables import Table, extensible

KEYPOINTS: Table[KeypointFormat] = extensible(
    "keypoints",
    {
        "openpose": KeypointFormat(
            "OpenPose, Pose2Sim",
            "one file an image: an object with people, of pose_keypoints_2d",
            openpose.recognises,
            openpose.rows,
        ),
        "mvor": KeypointFormat(
            "MVOR's detections",
            "a list of people with coco_keypoints",
            mvor.recognises,
            mvor.rows,
        ),
        "coco": KeypointFormat(
            "COCO results: HRNet, ViTPose, AlphaPose, OpenPose's --write_coco_json",
            "a list of people with image_id or file_name, and flat keypoints",
            coco.recognises_results,
            coco.rows,
        ),
        "coco-annotations": KeypointFormat(
            "COCO annotations",
            "an object with images and annotations",
            coco.recognises_annotations,
            coco.rows,
        ),
        "mmpose-video": KeypointFormat(
            "MMPose, of a video",
            "a list of frames with frame_id and instances",
            mmpose.recognises_video,
            mmpose.rows_of_video,
            one_camera=True,
        ),
        "mmpose": KeypointFormat(
            "MMPose, of an image",
            "a list of people with keypoints and keypoint_scores",
            mmpose.recognises_image,
            mmpose.rows_of_image,
        ),
        "rtmlib": KeypointFormat(
            "rtmlib",
            "a list of frames with keypoints and scores",
            rtmlib.recognises,
            rtmlib.rows,
            one_camera=True,
        ),
        "ultralytics-video": KeypointFormat(
            "Ultralytics, of a video",
            "a list of frames, each the list of its people",
            ultralytics.recognises_video,
            ultralytics.rows_of_video,
            one_camera=True,
        ),
        "ultralytics": KeypointFormat(
            "Ultralytics, of an image",
            "a list of people whose keypoints have x, y and visible",
            ultralytics.recognises_image,
            ultralytics.rows_of_image,
        ),
    },
)
"""The formats, in the order in which they are tried."""

__all__ = ["KEYPOINTS", "KeypointFormat"]
