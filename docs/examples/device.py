import collections
import json
import os
import random
import threading
import time

import paho.mqtt.client as mqtt

# Gateways of the site: the next one is tried whenever a connection ends, or cannot be made.
servers = collections.deque(os.environ.get("GATEWAYS", "10.0.0.1:1883,10.0.0.2:1883").split(","))
every = float(os.environ.get("EVERY", "1"))
waiting = collections.deque(maxlen=10_000)  # Without any gateway for hours, the oldest go.
unanswered = {}


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
while True:
    if device.loop(0.1) != mqtt.MQTT_ERR_SUCCESS:
        time.sleep(random.uniform(0.15, 0.35))
        host, port = servers[0].split(":")
        servers.rotate(-1)
        try:
            device.connect(host, int(port), keepalive=5)
        except OSError as error:
            print(host, port, error, flush=True)
    # Nothing before the connection stands: Paho would send it ahead of what it repeats.
    while device.is_connected() and waiting and len(unanswered) < 20:
        payload = waiting.popleft()
        unanswered[device.publish("sensors/press-5/temperature", payload, qos=1).mid] = payload
