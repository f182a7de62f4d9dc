"""What a change of each parameter makes anew is what the committed table says."""

from leaf_table import TABLE, table


def test_each_leaf_changes_the_keys_that_the_table_says() -> None:
    kept, now = TABLE.read_text().splitlines(), table().splitlines()
    changed = [line for line in now if line not in kept] + [
        line for line in kept if line not in now
    ]
    assert not changed, (
        "if these changes are meant: PYTHONPATH=src:tests python tests/plan/leaf_table.py"
    )
