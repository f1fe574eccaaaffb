"""Judge every recorded OCPP frame by the official JSON schemas.

Usage: frames.py DIRECTORY

Each *.jsonl file is the trace of one central system: one object per line with
`timestamp`, `connection` (a number that tells its connections apart),
`direction` (CS_TO_CSMS or CSMS_TO_CS, CS being the charging station) and
`message` (the OCPP-J array, or the raw text of what is none). Frames that a
test sends broken on purpose, or may send so, carry `"hostile": true`; they are
not judged, the answers to them are.
"""

import asyncio
import json
import pathlib
import sys

from ocpp.exceptions import OCPPError
from ocpp.messages import Call, CallResult, validate_payload

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
# The message id of a CALLERROR for a frame whose own id could not be read.
UNREADABLE_ID = "-1"
OTHER_SIDE = {"CS_TO_CSMS": "CSMS_TO_CS", "CSMS_TO_CS": "CS_TO_CSMS"}


class Judge:
    """Judges the frames of one trace in their order."""

    def __init__(self):
        self.frames = 0
        # The action of each call by connection, direction and message id.
        self.actions = {}
        self.saw_hostile = False

    async def complaint(self, line):
        """What is wrong with the next line of the trace, or None."""
        try:
            entry = json.loads(line)
            message, direction = entry["message"], entry["direction"]
            calls, answers = (
                (entry.get("connection"), side) for side in (direction, OTHER_SIDE[direction])
            )
        except (ValueError, LookupError, TypeError) as error:
            return f"not a line of a trace: {error!r}"
        if entry.get("hostile"):
            self.saw_hostile = True
            self.remember(calls, message)
            return None
        self.frames += 1
        self.remember(calls, message)
        match message:
            case [2 | 3 | 4, str(unique_id), *_] if not 0 < len(unique_id) <= 36:
                return f"message id of {len(unique_id)} characters"
            case [2, str(unique_id), str(action), payload]:
                return await schema_complaint(Call(unique_id, action, payload))
            case [3, str(unique_id), payload]:
                action = self.actions.get((*answers, unique_id))
                if action is None:
                    return "a result without a call"
                return await schema_complaint(CallResult(unique_id, payload, action))
            case [4, str(unique_id), str(code), str(description), dict()]:
                unreadable = unique_id == UNREADABLE_ID and self.saw_hostile
                if (*answers, unique_id) not in self.actions and not unreadable:
                    return "an error without a call"
                if code not in ERROR_CODES or len(description) > 255:
                    return "not a valid error code and description"
                return None
        return "not a CALL, CALLRESULT or CALLERROR"

    def remember(self, calls, message):
        """Note a call, broken or not, so that its answer can be judged."""
        match message:
            case [2, str(unique_id), str(action), *_]:
                self.actions[(*calls, unique_id)] = action


async def schema_complaint(message):
    try:
        await validate_payload(message, "1.6")
    except OCPPError as error:
        return f"{type(error).__name__} {error.description} {error.details}"


async def main(directory):
    traces = sorted(pathlib.Path(directory).glob("*.jsonl"))
    frames, complaints = 0, []
    for trace in traces:
        judge = Judge()
        for number, line in enumerate(trace.read_text().splitlines(), 1):
            complaint = await judge.complaint(line)
            if complaint:
                complaints.append(f"{trace.name}:{number}: {complaint}\n    {line[:400]}")
        frames += judge.frames
    print(f"{frames} OCPP frames of {len(traces)} traces judged, {len(complaints)} complaints")
    for complaint in complaints:
        print(complaint)
    # No frames at all means that nothing was judged, which is no good verdict.
    return 1 if complaints or frames == 0 else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1])))
