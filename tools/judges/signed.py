"""Reads what a simulated meter has signed, with minimalmodbus, and lets openssl judge it.

signed.py PORT ADDRESS MODEL: prints the public key as hexadecimal digits of its DER and
the record, each on a line. Fails when the signature is not that of the key. Addresses are
the decimal ones of the makers. The line echoes, as the board's does.
"""

import json
import pathlib
import struct
import subprocess
import sys
import tempfile

from meters import instrument

KEY_HEAD = "3059301306072a8648ce3d020106082a8648ce3d03010703420004"


def content(meter, start, length):
    """`length` bytes from the register `start` on."""
    raw = b""
    while len(raw) < length:
        count = min(120, (length - len(raw) + 1) // 2)
        words = meter.read_registers(start + len(raw) // 2, count)
        raw += struct.pack(f">{count}H", *words)
    return raw[:length]


def wm3m4c(meter):
    key = KEY_HEAD + content(meter, 8124, 64).hex()
    length, signature_length = meter.read_registers(7057, 2)
    message = content(meter, 7612, length).decode("ascii")
    signature = content(meter, 8188, signature_length).hex().upper()
    return key, f'OCMF|{message}|{{"SD":"{signature}"}}'


def bsm(meter):
    (length,) = meter.read_registers(40450, 1)
    key = content(meter, 40451, length).hex()
    return key, content(meter, 43295, 992).rstrip(b"\0").decode("ascii")


def judge(key, record):
    _, message, signature = record.split("|")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "key").write_bytes(bytes.fromhex(key))
        (folder / "signature").write_bytes(bytes.fromhex(json.loads(signature)["SD"]))
        (folder / "message").write_text(message)
        command = "openssl dgst -sha256 -keyform DER -verify key -signature signature message"
        verdict = subprocess.run(command.split(), cwd=folder, capture_output=True, check=False)
    if verdict.returncode != 0:
        sys.exit(f"{record} is not signed by {key}")


def main(port, address, model):
    meter = instrument(port, int(address))
    key, record = {"iskra/wm3m4c": wm3m4c, "sunspec/bsm-ws36a": bsm}[model](meter)
    judge(key, record)
    print(key)
    print(record)


if __name__ == "__main__":
    main(*sys.argv[1:])
