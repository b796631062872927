#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Make a table of the bench guest's output beside Xen's figures.

    table.py [--image FILE] [--check] [LOG]

LOG (default: standard input) is the console output with its `bench: KEY FIGURE` lines; lines of
other kinds are ignored. --image names the hypervisor's ELF file, whose text and data are counted.
With --check the exit status is 1 if a row is missing or not below Xen's figure, or a size is
above its limit.
"""
import argparse
import pathlib
import re
import subprocess
import sys
import textwrap

FIGURES = pathlib.Path(__file__).with_name("xen-4.17.txt")
IMAGE_LIMIT_KIB = 300
MEMORY_LIMIT_KIB = 24 * 1024


def read_reference(path):
    """The rows [(key, figure, description)] and the floors {key: text} of the data file."""
    rows, floors = [], {}
    for line in path.read_text().splitlines():
        if line.startswith("floor "):
            _, key, text = line.split(None, 2)
            floors[key] = text
        elif line and not line.startswith("#"):
            key, figure, text = line.split(None, 2)
            rows.append((key, int(figure), text))
    return rows, floors


def read_log(stream):
    """{key: figure} from the guest's output."""
    found = re.findall(r"bench: (\w+) (\d+)\b", stream.read())
    return {key: int(figure) for key, figure in found}


def image_kib(path):
    """Text and data of an ELF file in KiB, as `size` counts them; bss not."""
    text, data = subprocess.run(["size", path], check=True, capture_output=True,
                                text=True).stdout.splitlines()[1].split()[:2]
    return (int(text) + int(data) + 1023) // 1024


def print_rows(rows, floors, figures):
    """The table itself and its footnotes; returns the keys of rows that fail."""
    bad, notes = [], []
    print(f"{'operation':<44} {'Socle':>8} {'Xen':>8} {'ratio':>6}")
    for key, xen, text in rows:
        if key not in figures:
            print(f"{text:<44} {'-':>8} {xen:>8} {'':>6}  MISSING")
            bad.append(key)
            continue
        ratio = figures[key] / xen
        mark = ""
        if figures[key] >= xen:
            mark = "NOT BELOW XEN"
            bad.append(key)
        elif ratio > 0.5 and key in floors:
            notes.append(floors[key])
            mark = f"[{len(notes)}]"
        elif ratio > 0.5:
            mark = "above half"
        print(f"{text:<44} {figures[key]:>8} {xen:>8} {ratio:>6.2f}  {mark}".rstrip())
    for number, note in enumerate(notes, 1):
        print(textwrap.fill(f"[{number}] {note}", 90, subsequent_indent="    "))
    return bad


def print_size(text, kib, limit):
    """One size against its limit; returns whether it holds."""
    print(f"{text:<44} {kib:>8} {limit:>8} {kib / limit:>6.2f}"
          + ("" if kib <= limit else "  ABOVE THE LIMIT"))
    return kib <= limit


def main():
    parser = argparse.ArgumentParser(description="Table of the bench guest's figures")
    parser.add_argument("log", nargs="?", help="console output; default: standard input")
    parser.add_argument("--image", help="the hypervisor's ELF file")
    parser.add_argument("--check", action="store_true", help="fail unless all goals are met")
    args = parser.parse_args()

    rows, floors = read_reference(FIGURES)
    with open(args.log, errors="replace") if args.log else sys.stdin as stream:
        figures = read_log(stream)
    bad = print_rows(rows, floors, figures)
    print(f"\n{'size in KiB':<44} {'Socle':>8} {'limit':>8} {'ratio':>6}")
    if args.image and not print_size("hypervisor image, text and data", image_kib(args.image),
                                     IMAGE_LIMIT_KIB):
        bad.append("image")
    if "hypervisor_kib" in figures and not print_size(
            "memory kept by the hypervisor", figures["hypervisor_kib"], MEMORY_LIMIT_KIB):
        bad.append("hypervisor_kib")
    below = sum(figures[k] * 2 <= x for k, x, _ in rows if k in figures)
    print(f"\n{len(rows)} operations, {below} of them at half of Xen's figure or less;"
          f" {len(bad)} goals missed")
    return 1 if args.check and bad else 0


if __name__ == "__main__":
    sys.exit(main())
