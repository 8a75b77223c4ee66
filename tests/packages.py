#!/usr/bin/env python3
"""Says whether anything was lost of an agent's observations while programs were exchanged, and how long the pause was.

    tests/packages.py OBSERVATIONS SINCE

OBSERVATIONS is what `mailsonde-collector observations --json` printed, newest first. Whatever the agent produced has a sequence
of its own, without gaps: one that is missing, or there twice, is a loss or a double. The pause is the longest time between the
scheduled slots of two neighbouring runs of the checks called load-*, which are due every second; slots of theirs that nobody
carried out are missed, and counted: a tenth at most. Exit code 2: the load has not gone on for long enough since then to say anything.
"""

import datetime
import json
import sys

LONGEST_S = 10
MOST_MISSED = 0.1  # of what was due
GOES_ON_S = 15


def at(time):
    return datetime.datetime.fromisoformat(time[:19] + "+00:00")


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        observations = json.load(file)["observations"]
    exchanged = datetime.datetime.fromisoformat(sys.argv[2].replace("Z", "+00:00"))
    if not any(it["check"].startswith("load-") for it in observations):
        sys.exit(2)
    sequences = sorted((it["epoch"], it["sequence"]) for it in observations)
    wrong = 0
    for (epoch, one), (other_epoch, next_one) in zip(sequences, sequences[1:]):
        if epoch == other_epoch and next_one != one + 1:
            print(f"    after sequence {one} comes {next_one}")
            wrong += 1
    epochs = {epoch for epoch, _ in sequences}
    if len(epochs) != 1:
        print(f"    {len(epochs)} epochs: the outbox was made anew")
        wrong += 1
    slots = sorted(
        at(it["scheduled_for"])
        for it in observations
        if it["check"].startswith("load-") and it["verdict"] != "void"
    )
    by_check = {}
    for it in observations:
        if it["check"].startswith("load-"):
            by_check.setdefault(it["check"], set()).add(it["scheduled_for"][:19])
    spans = [(len(seen), (at(max(seen)) - at(min(seen))).total_seconds() + 1) for seen in by_check.values()]
    missed = sum(int(span) - seen for seen, span in spans)
    due = sum(int(span) for _, span in spans)
    pauses = [((b - a).total_seconds(), a) for a, b in zip(slots, slots[1:])]
    pause, begun = max(pauses)
    voids = sum(1 for it in observations if it["verdict"] == "void")
    after = sum(1 for slot in slots if slot > exchanged)
    if (slots[-1] - exchanged).total_seconds() < GOES_ON_S:
        sys.exit(2)
    print(
        f"    {len(sequences)} observations in a row, {after} runs since then, {voids} void; "
        f"{missed} of {due} slots missed, longest pause {pause:.0f} s, from {begun:%H:%M:%S}"
    )
    if wrong or pause >= LONGEST_S or missed > MOST_MISSED * due:
        sys.exit(1)


main()
