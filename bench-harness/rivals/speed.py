"""The table of speeds: the median of what each scanner spent.

    speed.py < LINES

A line is the scanner, `six` or `all` types, and CPU nanoseconds per byte, between tabs; other lines are ignored.
"""

import statistics
import sys
from collections import defaultdict


def number(value):
    """Three digits that count."""
    return f"{float(f'{value:.3g}'):,g}"


def main():
    costs = defaultdict(list)
    for line in sys.stdin:
        fields = line.rstrip("\n").split("\t")
        if len(fields) == 3:
            costs[fields[0], fields[1]].append(float(fields[2]))
    medians = {key: statistics.median(values) for key, values in costs.items()}
    print("| scanner | six types: CPU ns/B | x gateway | all it has: CPU ns/B | x gateway |")
    print("|---|---|---|---|---|")
    for scanner in dict.fromkeys(scanner for scanner, _ in costs):
        spent = [(medians[scanner, types], medians["Engine", types]) for types in ("six", "all")]
        cells = (f"{number(cost)} | {number(cost / gateway)}" for cost, gateway in spent)
        print(f"| {scanner} | {' | '.join(cells)} |")


main()
