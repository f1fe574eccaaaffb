"""Judge every recorded OCPP frame by the official JSON schemas.

Usage: frames.py DIRECTORY

Each *.jsonl file is the trace of one connection: one object per line with
`timestamp`, `direction` (CS_TO_CSMS or CSMS_TO_CS, CS being the charging
station) and `message` (the OCPP-J array). Frames that a test sends broken on
purpose carry `"hostile": true`; they are not judged, the answers to them are.
"""

import asyncio
import json
import pathlib
import sys

from ocpp.messages import Call, CallResult, validate_payload
from ocpp.exceptions import OCPPError

ERROR_CODES = {
    "NotImplemented",
    "NotSupported",
    "InternalError",
    "ProtocolError",
    "SecurityError",
    "FormationViolation",
    "PropertyConstraintViolation",
    "OccurenceConstraintViolation",
    "TypeConstraintViolation",
    "GenericError",
}


async def judge(path):
    """The number of judged frames and the list of complaints of one trace."""
    actions, frames, complaints = {}, 0, []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        entry = json.loads(line)
        if entry.get("hostile"):
            continue
        message, frames = entry["message"], frames + 1
        where = f"{path.name}:{number}"
        kind, unique_id = message[0], message[1]
        if not 0 < len(unique_id) <= 36:
            complaints.append(f"{where}: message id of {len(unique_id)} characters")
        try:
            if kind == 2:
                actions[unique_id] = message[2]
                await validate_payload(
                    Call(unique_id=unique_id, action=message[2], payload=message[3]), "1.6"
                )
            elif kind == 3:
                if unique_id not in actions:
                    complaints.append(f"{where}: a result without a call")
                    continue
                await validate_payload(
                    CallResult(unique_id=unique_id, action=actions[unique_id], payload=message[2]),
                    "1.6",
                )
            elif kind == 4:
                if message[2] not in ERROR_CODES or len(message) != 5:
                    complaints.append(f"{where}: not a valid CALLERROR: {line}")
            else:
                complaints.append(f"{where}: message type {kind}")
        except OCPPError as error:
            complaints.append(f"{where}: {type(error).__name__} {error.description} {error.details}")
    return frames, complaints


async def main(directory):
    traces = sorted(pathlib.Path(directory).glob("*.jsonl"))
    frames, complaints = 0, []
    for trace in traces:
        judged, found = await judge(trace)
        frames, complaints = frames + judged, complaints + found
    print(f"{frames} OCPP frames of {len(traces)} connections judged, {len(complaints)} complaints")
    for complaint in complaints:
        print(complaint)
    return 1 if complaints or frames == 0 else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1])))
