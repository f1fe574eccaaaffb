#!/usr/bin/env python3
"""Which behaviours of docs/reference/behaviours.csv have a test.

A test names the behaviours that it would see broken in a comment directly above it:
`// covers: CP-001, CP-007` in Rust, `# covers: ...` in Python. Behaviours that the project
decided against stand in docs/reference/deviations.md. An unknown id is an error, and so is a
claim above no test.
"""

import argparse
import csv
import os
import re
import sys
from collections import defaultdict
from pathlib import Path

COVERS = {".rs": re.compile(r"^\s*//\s*covers:(.*)$"), ".py": re.compile(r"^\s*#\s*covers:(.*)$")}
TEST = {".rs": re.compile(r"#\[(\w+::)?test\b"), ".py": re.compile(r"def test_")}
ID = re.compile(r"^[A-Z]+-\d{3}$")
DEVIATION = re.compile(r"^\|\s*([A-Z]+-\d{3})\s*\|")
SKIPPED_DIRECTORIES = {"target", ".git", ".cache"}


def read_behaviours(path):
    """Rows by id, in the file's order."""
    with path.open(newline="", encoding="utf-8") as file:
        return {row["id"]: row for row in csv.DictReader(file)}


def read_deviations(path):
    """Ids in the first column of the table."""
    if not path.exists():
        return set()
    lines = path.read_text(encoding="utf-8").splitlines()
    return {match[1] for match in map(DEVIATION.match, lines) if match}


def find_sources(root):
    """All Rust and Python files, but no build output."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(set(folders) - SKIPPED_DIRECTORIES)
        yield from (path for name in sorted(names) if (path := Path(folder, name)).suffix in COVERS)


def stands_above_a_test(lines, suffix):
    """Whether only comments and attributes come before the test."""
    for line in map(str.strip, lines):
        if TEST[suffix].match(line):
            return True
        if not line.startswith(("//", "#")):
            return False
    return False


def read_claims(root):
    """Triples of place, id and whether a test follows."""
    for path in find_sources(root):
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        for number, line in enumerate(lines, 1):
            match = COVERS[path.suffix].match(line)
            for claim in match[1].split(",") if match else []:
                above = stands_above_a_test(lines[number:], path.suffix)
                yield f"{path.relative_to(root)}:{number}", claim.strip(), above


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--summary", action="store_true", help="one line per area")
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parent.parent)
    arguments = parser.parse_args()

    reference = arguments.root / "docs" / "reference"
    behaviours = read_behaviours(reference / "behaviours.csv")
    deviations = read_deviations(reference / "deviations.md")

    tests, errors = defaultdict(list), []
    for place, claim, above in read_claims(arguments.root):
        if not above:
            errors.append(f"{place}: {claim} stands above no test")
        elif claim in behaviours:
            tests[claim].append(place)
        else:
            known = "unknown behaviour" if ID.match(claim) else "not an id"
            errors.append(f"{place}: {known}: {claim!r}")
    errors += [f"deviations.md: unknown behaviour: {id}" for id in deviations - behaviours.keys()]

    areas = defaultdict(list)
    for row in behaviours.values():
        areas[row["area"]].append(row)
    for area, rows in areas.items():
        covered = sum(row["id"] in tests for row in rows)
        deviating = sum(row["id"] in deviations for row in rows)
        note = f", {deviating} deviating" if deviating else ""
        print(f"{area:20} {covered:3} of {len(rows):3} tested{note}")
        for row in [] if arguments.summary else rows:
            if row["id"] in deviations:
                print(f"    {row['id']:9} deviates, see deviations.md: {row['statement']}")
            elif row["id"] not in tests:
                print(f"    {row['id']:9} no test ({row['kind']}): {row['statement']}")
    print(f"{'all':20} {len(tests):3} of {len(behaviours):3} tested, {len(deviations)} deviating")

    for error in errors:
        print(error, file=sys.stderr)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
