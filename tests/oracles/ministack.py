"""Runs MiniStack on a free loopback port; takes the folder of its venv. Standard library only."""

import os
import signal
import subprocess
import sys
import time

from dynamodb_local import answers, free_port, stop

READY_WITHIN = 60  # seconds: less than one was measured on two cores
TRIES = 3  # a port found free can be taken before it is bound


def start(folder, port):
    # Nothing is kept, and nothing but loopback is listened on.
    environment = {"PATH": os.environ.get("PATH", ""), "HOME": folder, "GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1"}
    command = [os.path.join(folder, "bin", "ministack")]
    return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=sys.stderr)


def serve(ministack, port, parent):
    """True once it has been served to the end; False when it ended before it answered."""
    deadline = time.monotonic() + READY_WITHIN
    while not answers(port):
        if ministack.poll() is not None:
            return False
        if time.monotonic() > deadline or os.getppid() != parent:
            sys.exit(f"MiniStack did not answer within {READY_WITHIN} s")
        time.sleep(0.1)
    print(f"export EVENKEEL_MINISTACK_ENDPOINT=http://127.0.0.1:{port}", flush=True)
    while ministack.poll() is None and os.getppid() == parent:
        time.sleep(0.5)
    return True


def main():
    parent = os.getppid()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    for _ in range(TRIES):
        port = free_port()
        ministack = start(sys.argv[1], port)
        try:
            if serve(ministack, port, parent):
                return
        finally:
            stop(ministack)
    sys.exit("MiniStack ended before it answered")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
