"""Reads a simulated meter with minimalmodbus and its own decoder.

meters.py PORT ADDRESS MODEL: prints `quantity,phase,value` for each row of
meters.csv beside this file, and fails when a value is not the expected one.
The line echoes, as the board's does.
"""

import csv
import pathlib
import struct
import sys

import minimalmodbus


def instrument(port, address):
    meter = minimalmodbus.Instrument(port, address)
    meter.serial.baudrate = 9600
    meter.serial.timeout = 2.0
    meter.handle_local_echo = True
    return meter


def registers(meter, row, address, words):
    return meter.read_registers(address, words, functioncode=int(row["function"]))


def shortest(raw):
    """The shortest decimal number that is this float."""
    exact = struct.unpack(">f", raw)[0]
    decimals = (float(f"{exact:.{digits}g}") for digits in range(1, 10))
    return next((decimal for decimal in decimals if struct.pack(">f", decimal) == raw), exact)


def number(kind, order, words):
    if order == "lo-hi":
        words = words[::-1]
    raw = b"".join(struct.pack(">H", word) for word in words)
    if kind in ("t5", "t6"):
        exponent = struct.unpack(">b", raw[:1])[0]
        mantissa = int.from_bytes(raw[1:], "big", signed=kind == "t6")
        return mantissa * 10.0**exponent
    if kind == "f32":
        return shortest(raw)
    return float(int.from_bytes(raw, "big", signed=kind in ("s16", "s32")))


def text(kind, words):
    raw = b"".join(struct.pack(">H", word) for word in words)
    if kind == "digits":
        return raw.hex().upper()
    if kind == "u32":
        return str(int.from_bytes(raw, "big"))
    return raw.replace(b"\0", b"").decode("ascii").strip()


def scale(meter, row):
    factor = row["scale"]
    if not factor.startswith("10^["):
        return float(factor)
    (exponent,) = registers(meter, row, int(factor[4:-1], 16), 1)
    return 10.0 ** number("s16", "hi-lo", [exponent])


def value(meter, row):
    words = registers(meter, row, int(row["address"], 16), int(row["words"]))
    if row["quantity"] == "serial":
        return text(row["type"], words)
    return round(number(row["type"], row["order"], words) * scale(meter, row), 3)


def main(port, address, model):
    meter = instrument(port, int(address))
    table = pathlib.Path(__file__).with_name("meters.csv")
    with table.open(newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["model"] == model]
    if not rows:
        sys.exit(f"meters.csv has no model {model}")
    for row in rows:
        found = value(meter, row)
        expected = row["value"] if row["quantity"] == "serial" else float(row["value"])
        if found != expected:
            sys.exit(f"{model}: {row['quantity']} {row['phase']} is {found}, not {expected}")
        print(row["quantity"], row["phase"], found, sep=",")


if __name__ == "__main__":
    main(*sys.argv[1:])
