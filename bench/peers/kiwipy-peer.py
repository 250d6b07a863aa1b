"""The measurement of bench/broker.ts with kiwipy: one process sends and calls, another takes and answers.

Usage: kiwipy-peer.py URL NAME COUNTS    measures and prints JSON
       kiwipy-peer.py URL NAME           is the other process: says ready, ends with its input
"""

import json
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import kiwipy.rmq

BODY = {"process": 12345, "text": "x" * 64}


def connect(url, name):
    return kiwipy.rmq.RmqThreadCommunicator.connect(
        connection_params={"url": url},
        message_exchange=f"{name}.messages",
        task_exchange=f"{name}.tasks",
        task_queue=f"{name}.queue",
        task_prefetch_count=32,
        async_task_timeout=60.0,
    )


def be_peer(url, name):
    communicator = connect(url, name)
    communicator.add_task_subscriber(lambda _, task: None)
    communicator.add_rpc_subscriber(lambda _, message: message, identifier="peer")
    print("ready", flush=True)
    sys.stdin.read()
    communicator.close()


def per_second(count, in_flight, work):
    began = time.perf_counter()
    if in_flight == 1:
        for _ in range(count):
            work()
    else:
        with ThreadPoolExecutor(in_flight) as pool:
            for future in [pool.submit(work) for _ in range(count)]:
                future.result()
    return count / (time.perf_counter() - began)


def times_of(count, work):
    times = []
    for _ in range(count):
        began = time.perf_counter()
        work()
        times.append((time.perf_counter() - began) * 1000)
    return times


def measure(url, name, counts):
    command = [sys.executable, __file__, url, name]
    peer = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    peer.stdout.readline()
    communicator = connect(url, name)

    def send():
        communicator.task_send(BODY, no_reply=True)

    def call():
        communicator.rpc_send("peer", BODY).result()

    for _ in range(counts["warmUp"]):
        send()
        call()
    one_by_one = per_second(counts["oneByOne"], 1, send)
    pipelined = per_second(counts["pipelined"], counts["inFlight"], send)
    # Whatever is still in the queue would disturb the calls: the last of these is answered when all are done.
    communicator.task_send(BODY).result()
    idle = times_of(counts["calls"], call)
    busy = threading.Event()

    def load():
        while not busy.is_set():
            send()

    threads = [threading.Thread(target=load) for _ in range(counts["inFlight"])]
    for thread in threads:
        thread.start()
    loaded = times_of(counts["busyCalls"], call)
    busy.set()
    for thread in threads:
        thread.join()
    communicator.close()
    peer.stdin.close()
    peer.wait()
    print(json.dumps({"oneByOne": one_by_one, "pipelined": pipelined, "idleCalls": idle, "busyCalls": loaded}))


if len(sys.argv) == 3:
    be_peer(*sys.argv[1:])
else:
    measure(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))
