"""Runs one test of the Eclipse Paho interoperability suite, which expects a broker with QoS 2.

usage: driver.py SUITE_DIR SCRIPT PORT TEST MAXIMUM_QOS

AWS IoT Core serves QoS 0 and 1. With MAXIMUM_QOS 1 every QoS 2 that the suite asks for becomes
QoS 1, so that what else a test expects is still looked at; with 2 the suite runs as it is.

The suite's client reads nothing more once it is to disconnect, and then fails if a PUBACK is missing.
One that waits for the disk comes after the message itself, so here the client reads on until it has all.
"""
import runpy
import sys
import time

suite, script, port, test, maximum = sys.argv[1:6]
port, maximum = int(port), int(maximum)
sys.path.insert(0, suite)

import mqtt.clients.V311 as v311  # noqa: E402
import mqtt.clients.V5 as v5  # noqa: E402


def adapt(client):
    """Has every connection go to the port, and no QoS above the maximum."""
    connect, publish, subscribe, disconnect = client.connect, client.publish, client.subscribe, client.disconnect

    def connect_(self, *args, **kw):
        kw["port"] = port
        kw["willQoS"] = min(kw.get("willQoS", 2), maximum) if kw.get("willFlag") else 0
        for more in (True, True, False):
            try:
                return connect(self, *args, **kw)
            except TimeoutError:  # the suite gives a TLS handshake behind the tunnel half a second
                if not more:
                    raise

    def publish_(self, topic, payload, qos=0, *args, **kw):
        return publish(self, topic, payload, min(qos, maximum), *args, **kw)

    def subscribe_(self, topics, options, *args, **kw):
        for i, o in enumerate(options):
            if isinstance(o, int):
                options[i] = min(o, maximum)
            else:
                o.QoS = min(o.QoS, maximum)
        return subscribe(self, topics, options, *args, **kw)

    def disconnect_(self, *args, **kw):
        receiver, end = self._Client__receiver, time.monotonic() + 5
        while receiver and receiver.outMsgs and not receiver.paused and time.monotonic() < end:
            time.sleep(.01)
        return disconnect(self, *args, **kw)

    client.connect, client.publish, client.subscribe, client.disconnect = connect_, publish_, subscribe_, disconnect_


adapt(v311.Client)
adapt(v5.Client)
sys.argv = [script, "Test." + test]  # unittest.main reads the name of the test there
runpy.run_path(suite + "/" + script, run_name="__main__")
