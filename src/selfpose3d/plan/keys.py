"""What a node's id is made of: a readable name, and a key of all that its result depends on."""

import hashlib
import json
from typing import Any

VERSIONS: dict[str, int] = {"detections": 2, "reconstructions": 2, "joined": 2}
"""Of the code behind each kind of node, 1 where nothing is said. Raised with every change of what
the same parameters give: part of the key, so that no older result passes for a new one."""


def node_id(kind: str, name: str, *depends_on: Any) -> str:
    """``name`` and a key of what a node of that kind depends on."""
    text = json.dumps([VERSIONS.get(kind, 1), *depends_on], sort_keys=True)
    return f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
