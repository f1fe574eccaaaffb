"""A central system of other people's making, driven line by line.

It is built on the PyPI package `ocpp`, which checks everything that the
station sends, calls and answers alike, by the official JSON schemas.

On stdout one JSON object per event, each with `at`, the seconds of a clock that only
moves forward:
  {"event": "listening", "port": 41234}
  {"event": "connected", "station": "A"}     also "disconnected"
  {"event": "boot", "payload": {...}}        a call of the station, once answered;
                                             the names are those of EVENTS below
  {"event": "start", "payload": {...}, "transactionId": 1}
  {"event": "status", "payload": {...}, "refused": "NotSupported"}   see --reply
  {"event": "result", "id": 7, "action": "Reset", "payload": {...}}
  {"event": "error", "id": 7, "action": "Reset", "code": "...", "description": "..."}
  {"event": "complaint", "text": "..."}      the station broke the rules; with `id`
                                             and `action` where its answer did

On stdin one JSON object per command; `id` is any value, it comes back with the answer:
  {"id": 7, "call": "Reset", "payload": {"type": "Soft"}}
  {"id": 8, "limit": 11, "profile": {}}      SetChargingProfile in amperes, as evcc does,
                                             with other values of the profile's fields
  {"quit": true}
"""

import argparse
import asyncio
import datetime
import json
import logging
import random
import sys
import time

import ocpp.messages
import websockets
from ocpp.charge_point import (
    camel_to_snake_case,
    remove_nones,
    serialize_as_dict,
    snake_to_camel_case,
)
from ocpp.exceptions import OCPPError, UnknownCallErrorCodeError
from ocpp.routing import after, on
from ocpp.v16 import ChargePoint, call, call_result

# Validate in the event loop: executor threads would let messages overtake each other.
ocpp.messages.ASYNC_VALIDATION = False

ANSWER_TIME = 15  # seconds that a station may take to answer
ACCEPTED = {"status": "Accepted"}
ERRORS = {error.code: error for error in OCPPError.__subclasses__()}

# Each action of a station: the event that tells of it.
EVENTS = {
    "Authorize": "authorize",
    "BootNotification": "boot",
    "DataTransfer": "data",
    "DiagnosticsStatusNotification": "diagnostics",
    "FirmwareStatusNotification": "firmware",
    "Heartbeat": "heartbeat",
    "LogStatusNotification": "log",
    "MeterValues": "meter",
    "SecurityEventNotification": "security",
    "SignCertificate": "sign",
    "SignedFirmwareStatusNotification": "signed-firmware",
    "StartTransaction": "start",
    "StatusNotification": "status",
    "StopTransaction": "stop",
}
CALLS_BEFORE_BOOT = [
    call.GetConfiguration(key=["SupportedFeatureProfiles"]),
    call.ChangeAvailability(connector_id=0, type="Operative"),
]


def emit(event, **facts):
    at = round(time.monotonic(), 3)
    # The package reads limits as decimals.
    print(json.dumps({"event": event, "at": at, **facts}, default=float), flush=True)


def timestamp(seconds_ago=0):
    moment = datetime.datetime.now(datetime.timezone.utc)
    moment -= datetime.timedelta(seconds=seconds_ago)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def evcc_limit(amperes, fields):
    """The payload with which evcc limits the current; `fields` are what it has read."""
    return {
        "connectorId": 1,
        "csChargingProfiles": {
            "chargingProfileId": 0,
            "stackLevel": 0,
            "chargingProfilePurpose": "TxDefaultProfile",
            "chargingProfileKind": "Absolute",
            "chargingSchedule": {
                "startSchedule": timestamp(seconds_ago=60),
                "chargingRateUnit": "A",
                "chargingSchedulePeriod": [{"startPeriod": 0, "limit": amperes}],
            },
            **fields,
        },
    }


class Complaints(logging.Handler):
    """The package logs what it dislikes; tell it as an event."""

    def emit(self, record):
        error = record.exc_info[1] if record.exc_info else None
        if not getattr(error, "scripted", False):
            emit("complaint", text=f"{record.getMessage()}: {error!r}")


class Trace:
    """Writes every frame in the form that tools/judges/frames.py reads."""

    def __init__(self, path):
        self.file = open(path, "w", encoding="utf-8") if path else None

    def write(self, connection, direction, text):
        if self.file is None:
            return
        try:
            message = json.loads(text)
        except ValueError:
            message = str(text)
        entry = {
            "timestamp": timestamp(),
            "connection": connection,
            "direction": direction,
            "message": message,
        }
        self.file.write(json.dumps(entry) + "\n")
        self.file.flush()


class TracedConnection:
    """What the package needs of a WebSocket, with a copy of everything to the trace."""

    def __init__(self, websocket, trace, number):
        self.websocket, self.trace, self.number = websocket, trace, number
        # Message ids that the station answered with a CALLERROR.
        self.refused = set()

    async def recv(self):
        text = await self.websocket.recv()
        self.trace.write(self.number, "CS_TO_CSMS", text)
        try:
            message = json.loads(text)
            if message[0] == 4:
                self.refused.add(message[1])
        except (ValueError, LookupError, TypeError):
            pass  # The package complains about it.
        return text

    async def send(self, text):
        self.trace.write(self.number, "CSMS_TO_CS", text)
        await self.websocket.send(text)


class CentralSystem:
    """What outlives a connection."""

    def __init__(self, options):
        self.options = options
        self.trace = Trace(options.trace)
        self.next_transaction_id = options.transaction_id
        self.pending_boots = options.pending
        self.transaction_ids = {}
        self.connections = 0
        self.station = None

    async def serve(self, websocket):
        self.connections += 1
        connection = TracedConnection(websocket, self.trace, self.connections)
        station = Station(self, websocket.request.path.rsplit("/", 1)[-1], connection)
        self.station = station
        emit("connected", station=station.id)
        try:
            await station.start()
        except websockets.ConnectionClosed:
            pass
        if self.station is station:
            self.station = None
        emit("disconnected", station=station.id)

    def registration(self):
        """The answer to a BootNotification."""
        status = "Accepted" if self.pending_boots == 0 else "Pending"
        self.pending_boots = max(0, self.pending_boots - 1)
        return call_result.BootNotification(
            current_time=timestamp(), interval=self.options.interval, status=status
        )

    def transaction_id(self, request):
        """Counting; a repeated StartTransaction gets the id of the first one."""
        words = json.dumps(request, sort_keys=True)
        if words not in self.transaction_ids:
            self.transaction_ids[words] = self.next_transaction_id
            self.next_transaction_id += 1
        return self.transaction_ids[words]

    def forget(self, transaction_id):
        """After its stop, the same words would start another transaction."""
        known = self.transaction_ids.items()
        self.transaction_ids = {words: id for words, id in known if id != transaction_id}

    async def obey(self, command):
        """Send the call of one command; its outcome is an event."""
        if "limit" in command:
            payload = evcc_limit(command["limit"], command.get("profile", {}))
            action = "SetChargingProfile"
        else:
            action, payload = command["call"], command.get("payload", {})
        origin = {"id": command.get("id"), "action": action}
        try:
            request = getattr(call, action)(**camel_to_snake_case(payload))
        except (AttributeError, TypeError) as error:
            emit("error", **origin, code="NotACall", description=str(error))
            return
        if self.station is None:
            emit("error", **origin, code="NotConnected", description="no station is connected")
            return
        await self.station.request(request, origin)


class Station(ChargePoint):
    """The central system's end of one station's connection."""

    def __init__(self, central, identity, connection):
        super().__init__(identity, connection, response_timeout=ANSWER_TIME)
        self.central, self.connection = central, connection

    async def start(self):
        """Handle each message in a task of its own: a handler may make calls."""
        tasks = set()
        while True:
            message = await self.connection.recv()
            task = asyncio.create_task(self.handle(message))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    async def handle(self, message):
        try:
            await self.route_message(message)
        except websockets.ConnectionClosed:
            pass  # The answer is lost with its connection.

    async def request(self, request, origin):
        """Make a call. Ten digits as message id, as evcc has them."""
        unique_id = str(random.randrange(10**9, 10**10))
        try:
            result = await self.call(request, suppress=False, unique_id=unique_id)
        except (OCPPError, UnknownCallErrorCodeError) as error:
            if unique_id in self.connection.refused and isinstance(error, OCPPError):
                emit("error", **origin, code=error.code, description=error.description)
            else:
                emit("complaint", **origin, text=repr(error))
        except asyncio.TimeoutError:
            emit("complaint", **origin, text=f"no answer within {ANSWER_TIME} s")
        except websockets.ConnectionClosed:
            emit("error", **origin, code="NotConnected", description="the connection ended")
        else:
            payload = remove_nones(snake_to_camel_case(serialize_as_dict(result)))
            emit("result", **origin, payload=payload)

    async def answer(self, action, request):
        """The answer of a willing central system, unless the options say otherwise."""
        if action in self.central.options.reply:
            error = self.central.options.reply[action](f"Unsupported feature {action}")
            error.scripted = True
            self.tell(action, request, refused=error.code)
            raise error
        match action:
            case "BootNotification":
                if self.central.options.calls_before_boot:
                    for number, early in enumerate(CALLS_BEFORE_BOOT):
                        origin = {"id": f"early-{number}", "action": type(early).__name__}
                        await self.request(early, origin)
                return self.central.registration()
            case "Heartbeat":
                return call_result.Heartbeat(current_time=timestamp())
            case "Authorize":
                return call_result.Authorize(id_tag_info=ACCEPTED)
            case "StartTransaction":
                transaction_id = self.central.transaction_id(request)
                return call_result.StartTransaction(
                    transaction_id=transaction_id, id_tag_info=ACCEPTED
                )
            case "StopTransaction":
                self.central.forget(request["transaction_id"])
                return call_result.StopTransaction()
            case "DataTransfer" | "SignCertificate":
                return getattr(call_result, action)(status="Accepted")
            case _:
                return getattr(call_result, action)()

    def tell(self, action, request, **facts):
        facts["payload"] = snake_to_camel_case(request)
        if action == "StartTransaction" and "refused" not in facts:
            facts["transactionId"] = self.central.transaction_id(request)
        emit(EVENTS[action], **facts)


def add_handlers(action):
    """Give Station its handlers of an action, in the way that the package wants them."""

    async def on_action(self, **request):
        return await self.answer(action, request)

    def after_action(self, **request):
        self.tell(action, request)

    # The package finds handlers by the names of their functions.
    on_action.__name__, after_action.__name__ = f"on_{action}", f"after_{action}"
    setattr(Station, on_action.__name__, on(action)(on_action))
    setattr(Station, after_action.__name__, after(action)(after_action))


for name in EVENTS:
    add_handlers(name)


def reply(text):
    """`Action=ErrorCode` of the command line as (action, exception class)."""
    action, _, code = text.partition("=")
    if action not in EVENTS or code not in ERRORS:
        raise argparse.ArgumentTypeError(f"{text!r} is not an action of a station = an error code")
    return action, ERRORS[code]


def parse_options():
    parser = argparse.ArgumentParser(description="An OCPP 1.6J central system, driven line by line")
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; 0 chooses a free one")
    parser.add_argument("--trace", help="file for every frame, as JSON lines")
    parser.add_argument(
        "--reply",
        type=reply,
        action="append",
        default=[],
        metavar="ACTION=CODE",
        help="answer this action with a CALLERROR",
    )
    parser.add_argument(
        "--calls-before-boot",
        action="store_true",
        help="send GetConfiguration and ChangeAvailability before answering BootNotification",
    )
    parser.add_argument(
        "--pending", type=int, default=0, help="answer so many BootNotifications with Pending"
    )
    parser.add_argument("--interval", type=int, default=300, help="of BootNotification.conf")
    parser.add_argument("--transaction-id", type=int, default=1, help="the first one")
    options = parser.parse_args()
    options.reply = dict(options.reply)
    return options


async def read_commands(central):
    """Obey stdin until `quit` or its end."""
    reader = asyncio.StreamReader(limit=2**20)
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    tasks = set()
    while line := await reader.readline():
        command = json.loads(line)
        if command.get("quit"):
            break
        task = asyncio.create_task(central.obey(command))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


async def main():
    logger = logging.getLogger("ocpp")
    logger.addHandler(Complaints(level=logging.ERROR))
    logger.propagate = False
    central = CentralSystem(parse_options())
    server = await websockets.serve(
        central.serve, "127.0.0.1", central.options.port, subprotocols=["ocpp1.6"]
    )
    async with server:
        emit("listening", port=server.sockets[0].getsockname()[1])
        await read_commands(central)


if __name__ == "__main__":
    asyncio.run(main())
