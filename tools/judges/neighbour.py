"""A customer's program that shares the EIA-485 port with the daemons, as the guide asks.

neighbour.py PORT ADDRESS COUNT: reads a simulated SDM630 so many times with
minimalmodbus, prints `voltage of L1,busy` for each, where `busy` counts how often
the port was somebody else's. Each access locks the port with TIOCEXCL and, for root,
with a file lock, and closes it again.
"""

import fcntl
import random
import sys
import termios
import time

import minimalmodbus
import serial

PATIENCE = 5  # seconds until the port must have been free once


def exclusively(port, address):
    meter = minimalmodbus.Instrument(port, address, close_port_after_each_call=True)
    meter.serial.close()
    meter.serial.exclusive = True
    meter.serial.baudrate = 9600
    meter.serial.timeout = 1.0
    meter.handle_local_echo = True
    opened = meter.serial.open

    def open_exclusively():
        opened()
        fcntl.ioctl(meter.serial.fileno(), termios.TIOCEXCL)
        # What others have said is not for us.
        meter.serial.reset_input_buffer()

    meter.serial.open = open_exclusively
    return meter


def read(meter):
    busy = 0
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return meter.read_float(0, functioncode=4), busy
        except serial.SerialException:
            if time.monotonic() > deadline:
                raise
            busy += 1
            time.sleep(random.uniform(0.01, 0.05))


def main():
    port, address, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    while True:
        try:
            # It opens the port once, to see whether it is there.
            meter = exclusively(port, address)
            break
        except serial.SerialException:
            time.sleep(0.02)
    for _ in range(count):
        voltage, busy = read(meter)
        print(f"{voltage},{busy}", flush=True)
        time.sleep(random.uniform(0.0, 0.1))


if __name__ == "__main__":
    main()
