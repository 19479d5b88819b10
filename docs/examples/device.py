import collections
import json
import os
import random
import socket
import threading
import time

import paho.mqtt.client as mqtt

servers = os.environ.get("GATEWAYS", "10.0.0.1:1883,10.0.0.2:1883").split(",")
every = float(os.environ.get("EVERY", "1"))
waiting = collections.deque(maxlen=10_000)  # Without any gateway for hours, the oldest go.
unanswered = {}


def addresses():
    # Of a name, all: Paho tries the second only where nobody answers at the first, and may then be too late for its keep-alive.
    for server in servers:
        for *_, address in socket.getaddrinfo(*server.split(":"), type=socket.SOCK_STREAM):
            yield address[:2]


def measure():
    session, seq = format(time.time_ns(), "x"), 0
    while True:
        seq += 1
        reading = {"value": 20 + random.random(), "seq": seq, "session": session, "time": time.time_ns() // 1_000_000}
        waiting.append(json.dumps(reading))
        time.sleep(every)


def answered(_device, _userdata, number, *_):
    print("acknowledged", unanswered.pop(number), flush=True)


version = [mqtt.CallbackAPIVersion.VERSION2] if hasattr(mqtt, "CallbackAPIVersion") else []  # Paho 2 asks for it.
device = mqtt.Client(*version, client_id="press-5", clean_session=False)
device.on_publish = answered
threading.Thread(target=measure, daemon=True).start()
attempts = 0
while True:
    # The next gateway is tried whenever a connection ends, or cannot be made.
    if device.loop(0.1) != mqtt.MQTT_ERR_SUCCESS:
        time.sleep(random.uniform(0.15, 0.35))
        try:
            known = sorted(addresses())
            device.connect(*known[attempts % len(known)], keepalive=5)
        except OSError as error:
            print(error, flush=True)
        attempts += 1
    # Nothing before the connection stands: Paho would send it ahead of what it repeats.
    while device.is_connected() and waiting and len(unanswered) < 20:
        payload = waiting.popleft()
        unanswered[device.publish("sensors/press-5/temperature", payload, qos=1).mid] = payload
