#!/usr/bin/env python3
"""Makes the figures of agreements again from exported raw data, with nothing of Mailsonde's own code.

    mailsonde-collector export observations --csv  --since 2026-09-28T00:00Z --until 2026-11-02T00:00Z -o observations.csv
    mailsonde-collector export definitions --jsonl -o definitions.jsonl
    tests/recount.py observations.csv definitions.jsonl --month 2026-10

The month must be over: what is still to come would count as unknown.

Prints a line of JSON for each agreement: good, bad and unknown minutes or runs, what was left out, and the runs behind
it; and one for each service with the percentiles of its round trips. Only Python's standard library is needed.

The rules, as `sla explain` has them:
- A minute belongs to a window when its first moment does. A run belongs to it when the UTC hour it was scheduled in
  begins in it.
- Who belongs to a service in a minute is asked of the minute's first moment. A run counts in every hour in which its
  check at its vantage point belonged to the service at any time.
- In a minute, a check at a vantage point is as its newest minute with a run, at most one cadence (and one day) back:
  down when at least half of the runs that passed or failed did fail; unknown when all were void, or there was none.
- A voice is as bad as the worst of its members (down, then unknown, then up). The quorum judges the voices.
- A minute is left out when any part of it lies in excluded time, and a run with the minute it was scheduled in. Where
  excluded time was noted more than 8 days after the end of the hour in which it begins or ends, runs of that hour are
  not left out. Of an hour of which a part is left out, runs count that came within those 8 days.
"""

import argparse
import bisect
import csv
import datetime
import json
import sys
import zoneinfo
from collections import defaultdict
from fractions import Fraction

S = 1_000_000_000
MINUTE, HOUR, DAY = 60 * S, 3600 * S, 86400 * S
AHEAD, BEHIND, TAKEN = HOUR, 35 * DAY, 8 * DAY
UTC = datetime.timezone.utc
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=UTC)


def matches(pattern, text):
    """Whether a text fits a pattern whose stars stand for any characters."""
    if "*" not in pattern:
        return pattern == text
    first, *rest = pattern.split("*")
    if not text.startswith(first):
        return False
    text = text[len(first):]
    for part in rest[:-1]:
        at = text.find(part)
        if at < 0:
            return False
        text = text[at + len(part):]
    return text.endswith(rest[-1])


def selects(selector, name, labels):
    """Whether a selector means the vantage point of this name and these labels."""
    if selector.strip() == "*":
        return True
    for term in map(str.strip, selector.split(",")):
        negated = "!=" in term
        key, equals, values = term.partition("!=" if negated else "=")
        if not equals:
            absent = key.startswith("!")
            key = key.lstrip("!").strip()
            if (key == "name" or key in labels) == absent:
                return False
            continue
        value = name if key.strip() == "name" else labels.get(key.strip())
        among = value is not None and any(matches(v.strip(), value) for v in values.split("|"))
        if among == negated:
            return False
    return True


def held(history, at):
    """What held at a time, of (from, what) in order; what came first holds back."""
    found = None
    for since, what in history:
        if since <= at:
            found = what
    return found if found is not None or any(since <= at for since, _ in history) else history[0][1]


class Chronicle:
    """What was in force when."""

    def __init__(self, path):
        self.definitions, self.names, self.schedules = [], defaultdict(list), []
        self.excluded = []
        with open(path, encoding="utf-8") as lines:
            for line in map(json.loads, lines):
                if line["what"] == "definitions":
                    self.definitions.append((line["from_ns"], line["definitions"]))
                elif line["what"] == "agent":
                    named = (line["name"], line["labels"]) if line["name"] is not None else ()
                    self.names[line["agent"]].append((line["from_ns"], named))
                elif line["what"] == "schedule":
                    self.schedules.append(line)
                elif line["what"] == "excluded":
                    self.excluded.append(line)

    def service(self, name, at):
        services = held(self.definitions, at)["services"]
        return next((service for service in services if service["name"] == name), None)

    def belongs(self, service, schedule, at):
        """The voice that a schedule's check is part of in a service at a time, or None."""
        if not schedule["from_ns"] <= at < (schedule["until_ns"] or 1 << 63):
            return None
        if not any(matches(pattern, schedule["check"]) for pattern in service["checks"]):
            return None
        named = held(self.names[schedule["agent"]], at) if self.names[schedule["agent"]] else ()
        if not named or not selects(service["on"], *named):
            return None
        name, labels = named
        return name if service["voice"] == "name" else labels.get(service["voice"], name)

    def stays(self, name, schedule):
        """The times in which a schedule's check belonged to a service."""
        cuts = [at for at, _ in self.definitions[1:]]
        cuts += [at for at, _ in self.names[schedule["agent"]][1:]]
        first, last = schedule["from_ns"], schedule["until_ns"] or 1 << 62
        cuts = sorted({first, last} | {at for at in cuts if first < at < last})
        for start, end in zip(cuts, cuts[1:]):
            service = self.service(name, start)
            if service and self.belongs(service, schedule, start) is not None:
                yield start, end


def quorum(rule, up, down, unknown):
    """What voices come to."""
    everything = up + down + unknown
    half = -(-everything // 2)
    words = rule.split()
    if rule == "any":
        needed = 1
    elif rule == "half":
        needed = half
    elif rule == "all":
        needed = everything
    else:
        needed = min(int(words[0]), everything)
        if words[1:] == ["or", "half"]:
            needed = min(needed, half)
    needed = max(needed, 1)
    if down >= needed:
        return "down"
    return "unknown" if down + unknown >= needed else "up"


def read_observations(path):
    """By agent and check: the runs that count."""
    runs = defaultdict(list)
    with open(path, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            slot, received = int(row["scheduled_us"]) * 1000, int(row["received_us"]) * 1000
            dated = received - BEHIND <= slot <= received + AHEAD
            if row["cause"] == "scheduled" and row["amends"] == "false" and dated:
                run = (slot, received, row["verdict"], int(row["total_us"]))
                runs[row["agent"], row["check"]].append(run)
    return runs


def by_minute(runs):
    """What the runs of each minute come to, by minute, in order."""
    counts = defaultdict(lambda: [0, 0])
    for slot, received, verdict, _ in runs:
        if received < slot // HOUR * HOUR + HOUR + TAKEN:
            count = counts[slot // MINUTE]
            count[0] += verdict == "pass"
            count[1] += verdict == "fail"
    states = []
    for minute in sorted(counts):
        passed, failed = counts[minute]
        state = "unknown" if passed + failed == 0 else "down" if 2 * failed >= passed + failed else "up"
        states.append((minute, state))
    return [minute for minute, _ in states], [state for _, state in states]


def state_at(minutes, states, minute, cadence_us):
    """What a member is in a minute."""
    back = max(1, min(1440, -(-cadence_us // 60_000_000)))
    at = bisect.bisect_right(minutes, minute) - 1
    return states[at] if at >= 0 and minutes[at] > minute - back else "unknown"


def to_ns(moment):
    return int((moment - EPOCH) // datetime.timedelta(microseconds=1)) * 1000


def window_of(window, month, zone):
    """The calendar window that a month lies in."""
    year, number = map(int, month.split("-"))
    first, months = {"month": (number, 1), "quarter": ((number - 1) // 3 * 3 + 1, 3), "year": (1, 12)}[window]
    end = first + months
    begin = datetime.datetime(year, first, 1, tzinfo=zone)
    finish = datetime.datetime(year + (end - 1) // 12, (end - 1) % 12 + 1, 1, tzinfo=zone)
    return to_ns(begin), to_ns(finish)


def in_hours(hours, at, zone):
    """Whether a moment lies in business hours."""
    moment = (EPOCH + datetime.timedelta(microseconds=at // 1000)).astimezone(zone)
    minute = moment.hour * 60 + moment.minute
    return moment.date().isoformat() not in hours.get("holidays", []) and any(
        s["weekday"] == moment.weekday() and s["from_minute"] <= minute < s["until_minute"] for s in hours["weekly"]
    )


def expected(schedule, start, end):
    """How many slots lie in a time."""
    start, end = max(start, schedule["from_ns"]), min(end, schedule["until_ns"] or end)
    if start >= end:
        return 0
    cadence, offset = schedule["cadence_us"], schedule["slot_offset_us"]
    def first(ns):  # how many slots lie before it
        return -(-(-(-ns // 1000) - offset) // cadence)
    return first(end) - first(start)


class Recount:
    def __init__(self, chronicle, runs, month):
        self.chronicle, self.runs, self.month = chronicle, runs, month
        self.minutes = {key: by_minute(these) for key, these in runs.items()}
        self.latest = chronicle.definitions[-1][1]
        self.zone = zoneinfo.ZoneInfo(self.latest.get("time_zone") or "UTC")

    def excluded(self, service, agreement):
        return [
            (e["from_ns"], e["until_ns"], e["noted_ns"])
            for e in self.chronicle.excluded
            if e["service"] == service["name"] and e["kind"] in agreement["excludes"]
        ]

    def counts_time(self, service, agreement, at):
        hours = service.get("hours")
        return not agreement.get("in_hours") or not hours or in_hours(hours, at, self.zone)

    def uptime(self, service, agreement, start, end):
        counts = {"up": 0, "down": 0, "unknown": 0}
        left_out, excluded = 0, self.excluded(service, agreement)
        for minute in range(-(-start // MINUTE), -(-end // MINUTE)):
            at = minute * MINUTE
            if not self.counts_time(service, agreement, at):
                continue
            then = self.chronicle.service(service["name"], at)
            voices = {}
            for schedule in self.chronicle.schedules if then else ():
                voice = self.chronicle.belongs(then, schedule, at)
                if voice is not None:
                    seen = self.minutes.get((schedule["agent"], schedule["check"]), ([], []))
                    voices.setdefault(voice, set()).add(state_at(*seen, minute, schedule["cadence_us"]))
            if not voices:
                continue
            if any(since < at + MINUTE and at < until for since, until, _ in excluded):
                left_out += 1
                continue
            worst = [next(s for s in ("down", "unknown", "up") if s in states) for states in voices.values()]
            counts[quorum(then["down_when"], *(worst.count(s) for s in ("up", "down", "unknown")))] += 1
        return counts["up"], counts["down"], counts["unknown"], left_out

    def hours(self, service, agreement, start, end):
        """The UTC hours that count for runs, each with those of its minutes that are left out."""
        excluded = self.excluded(service, agreement)
        for hour in range(-(-start // HOUR), -(-end // HOUR)):
            at = hour * HOUR
            if not self.counts_time(service, agreement, at):
                continue
            out = set()
            for since, until, noted in excluded:
                first = max(0, (since // MINUTE) - hour * 60)
                last = min(60, -(-until // MINUTE) - hour * 60)
                if first < last and (last - first == 60 or noted <= at + HOUR + TAKEN):
                    out.update(range(first, last))
            if len(out) < 60:
                yield hour, out

    def events(self, service, agreement, start, end):
        name, within_us = next(iter(agreement["sli"].items())) if isinstance(agreement["sli"], dict) else (agreement["sli"], None)
        cut = dict(self.hours(service, agreement, start, end))
        wanted = set(cut)
        counted = defaultdict(set)
        for schedule in self.chronicle.schedules:
            if name in ("delivery", "latency") and schedule["kind"] != "round-trip":
                continue
            for since, until in self.chronicle.stays(service["name"], schedule):
                first, last = since // HOUR, -(-min(until, end) // HOUR)
                counted[schedule["agent"], schedule["check"]] |= wanted & set(range(max(first, start // HOUR), last))
        totals = {"pass": 0, "fail": 0, "void": 0, "missed": 0, "within": 0}
        for key, hours in counted.items():
            observed = defaultdict(int)
            for slot, received, verdict, total_us in self.runs.get(key, ()):
                hour, minute = slot // HOUR, slot // MINUTE % 60
                if hour in hours and minute not in cut[hour]:
                    if cut[hour] and received >= hour * HOUR + HOUR + TAKEN:
                        continue
                    totals[verdict] += 1
                    observed[slot // MINUTE if cut[hour] else hour] += 1
                    if within_us and verdict == "pass" and total_us <= within_us["within_us"]:
                        totals["within"] += 1
            schedules = [s for s in self.chronicle.schedules if (s["agent"], s["check"]) == key]
            for hour in hours:
                parts = [(hour, hour * HOUR, HOUR)]
                if cut[hour]:
                    minutes = (hour * 60 + minute for minute in range(60) if minute not in cut[hour])
                    parts = [(minute, minute * MINUTE, MINUTE) for minute in minutes]
                for number, at, length in parts:
                    slots = sum(expected(s, at, at + length) for s in schedules)
                    totals["missed"] += max(0, slots - observed[number])
        unknown = totals["void"] + totals["missed"]
        if name == "latency":
            return totals["within"], totals["pass"] - totals["within"], unknown, totals
        return totals["pass"], totals["fail"], unknown, totals

    def agreements(self):
        for service in self.latest["services"]:
            for agreement in service.get("agreements", []):
                start, end = window_of(agreement["window"], self.month, self.zone)
                line = {"agreement": agreement["name"], "service": service["name"]}
                if agreement["sli"] == "uptime":
                    good, bad, unknown, left_out = self.uptime(service, agreement, start, end)
                    line.update(good=good, bad=bad, unknown=unknown, excluded=left_out)
                else:
                    good, bad, unknown, runs = self.events(service, agreement, start, end)
                    line.update(good=good, bad=bad, unknown=unknown, runs=runs)
                reached = Fraction(good, max(1, good + bad + unknown))
                line["lower"] = float(reached)
                yield line

    def percentiles(self):
        """Of the passes of each check at each vantage point, by UTC hours that begin in the month."""
        start, end = window_of("month", self.month, self.zone)
        first, last = -(-start // HOUR) * HOUR, -(-end // HOUR) * HOUR
        for (agent, check), runs in sorted(self.runs.items()):
            took = sorted(total for slot, _, verdict, total in runs if verdict == "pass" and first <= slot < last)
            if took:
                at = {p: took[(len(took) - 1) * p // 1000] for p in (500, 950)}
                yield {"agent": agent, "check": check, "passes": len(took), "p50_us": at[500], "p95_us": at[950]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("observations", help="as `export observations --csv` wrote it")
    parser.add_argument("definitions", help="as `export definitions --jsonl` wrote it")
    parser.add_argument("--month", required=True, help="such as 2026-10")
    arguments = parser.parse_args()
    recount = Recount(Chronicle(arguments.definitions), read_observations(arguments.observations), arguments.month)
    for line in [*recount.agreements(), *recount.percentiles()]:
        json.dump(line, sys.stdout)
        print()


if __name__ == "__main__":
    main()
