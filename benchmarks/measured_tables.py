"""Keep the study's tables as measured: in results/measured, and in docs/tables.md.

    snakemake --cores all ablations
    python benchmarks/measured_tables.py

takes every table of the study that stands in results/tables. In docs/tables.md a table stands
between ``<!-- name -->`` and ``<!-- end -->``; a test holds the page to the files.
"""

import argparse
import re
import shutil
from pathlib import Path

from selfpose3d.errors import InputError
from selfpose3d.files.atomic import write_text

ROOT = Path(__file__).resolve().parent.parent
MEASURED = ROOT / "results" / "measured"
PAGE = ROOT / "docs" / "tables.md"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--results", type=Path, default=ROOT / "results", help="of the run (results)"
    )
    tables = parser.parse_args().results / "tables"
    page = PAGE.read_text()
    kept = [name for name in places(page) if (tables / f"{name}.csv").exists()]
    if not kept:
        raise SystemExit(f"{tables}: no table of the study; run 'snakemake --cores all ablations'")
    MEASURED.mkdir(exist_ok=True)
    for name in kept:
        for suffix in (".csv", ".md"):
            shutil.copyfile(tables / f"{name}{suffix}", MEASURED / f"{name}{suffix}")
        page = with_table(page, name, (MEASURED / f"{name}.md").read_text())
    write_text(PAGE, page)
    print(f"kept {', '.join(kept)}")


def places(page: str) -> list[str]:
    """The tables that a page has a place for, in its order."""
    return re.findall(r"^<!-- (\w+) -->$.*?^<!-- end -->$", page, re.MULTILINE | re.DOTALL)


def with_table(page: str, name: str, table: str) -> str:
    """The page with a table, without its heading, at its place."""
    body = table.partition("\n\n")[2].strip()
    start, end = f"<!-- {name} -->\n", "<!-- end -->"
    before, found, rest = page.partition(start)
    if not found or end not in rest:
        raise InputError(f"the page has no place {start.strip()} ... {end}")
    return before + start + f"\n{body}\n\n" + rest[rest.index(end) :]


if __name__ == "__main__":
    main()
