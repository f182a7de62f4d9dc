"""Two methods together: one's people, and those of the other's who are none of them."""

from selfpose3d.methods.entry import Method
from selfpose3d.tables import Step

JOINED = Method(
    stages=(), predict=Step("selfpose3d.methods.joined.joining:predict"), given=("parts",), joins=2
)
