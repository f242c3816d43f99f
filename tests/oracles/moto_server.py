"""Serves moto on a free loopback port, with the two corrections it needs to be an oracle; runs in moto's own venv.

1. CloudWatch. The Rust SDK speaks only rpc-v2-cbor (Smithy RPC v2 with CBOR bodies), moto only awsJson and awsQuery.
   Requests under /service/GraniteServiceVersion20100801/operation/ are translated to awsJson1.0, their answers back.
2. ECS. moto never finishes a rollout: CreateService leaves running 0 and pending = desired, UpdateService leaves the
   deployment IN_PROGRESS and keeps the old one beside it. Answers of DescribeServices are therefore shown as finished.
   So nothing about rollouts is proved against moto; that they run, fail and roll back is the twin's business.

Everything else goes through unchanged. The two corrections wrap moto's WSGI application: one process, one port.
"""

import datetime
import gzip
import io
import json
import os
import re
import sys
import threading
import time
import traceback

import cbor2
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

CBOR_PATH = re.compile(r"^/service/GraniteServiceVersion20100801/operation/([A-Za-z]+)$")

# JSON has one kind of number and no time, CBOR has both: what these members hold is restored by name.
TIMES = {
    "AlarmConfigurationUpdatedTimestamp",
    "LastModified",
    "StateTransitionedTimestamp",
    "StateUpdatedTimestamp",
    "Timestamp",
    "Timestamps",
}
DOUBLES = {"Average", "Counts", "Maximum", "Minimum", "SampleCount", "Sum", "Threshold", "Value", "Values"}


def as_json(value):
    """What json.dumps cannot write itself: CBOR times are seconds since 1970 in awsJson."""
    if isinstance(value, datetime.datetime):
        return value.timestamp()
    raise TypeError(f"a CBOR {type(value).__name__} has no place in awsJson")


def as_cbor(value, member=None):
    """A JSON answer with its times tagged and its doubles made doubles, down through lists and structures."""
    if isinstance(value, dict):
        return {name: as_cbor(inner, name) for name, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [as_cbor(inner, member) for inner in value]
    if member in TIMES:
        if isinstance(value, str):
            value = datetime.datetime.fromisoformat(value.replace("Z", "+00:00")).timestamp()
        return cbor2.CBORTag(1, value)
    if member in DOUBLES and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value


def finished(answer):
    """An ECS DescribeServices answer in which every service is where it was told to be."""
    for service in answer.get("services", []):
        service["runningCount"] = service.get("desiredCount", 0)
        service["pendingCount"] = 0
        deployments = service.get("deployments", [])
        if not deployments:
            continue  # not the ECS controller
        own = [one for one in deployments if one.get("taskDefinition") == service.get("taskDefinition")]
        primary = (own or deployments)[0]
        primary.update(
            status="PRIMARY",
            taskDefinition=service.get("taskDefinition"),
            desiredCount=service["runningCount"],
            runningCount=service["runningCount"],
            pendingCount=0,
            failedTasks=0,
            rolloutState="COMPLETED",
            rolloutStateReason=f"ECS deployment {primary.get('id')} completed.",
        )
        service["deployments"] = [primary]
    return answer


class Corrected:
    """moto's WSGI application with the corrections around it."""

    def __init__(self, moto):
        self.moto = moto

    def __call__(self, environ, start_response):
        path = CBOR_PATH.match(environ.get("PATH_INFO", ""))
        if path is not None:
            status, headers, body = self.cloudwatch(path[1], environ)
        elif environ.get("HTTP_X_AMZ_TARGET", "").endswith(".DescribeServices"):
            status, headers, body = self.ask(environ)
            if status.startswith("200"):
                body = json.dumps(finished(json.loads(body))).encode()
        else:
            return self.moto(environ, start_response)
        kept = [(name, value) for name, value in headers if name.lower() != "content-length"]
        start_response(status, [*kept, ("Content-Length", str(len(body)))])
        return [body]

    def ask(self, environ):
        """moto's whole answer: status line, headers, body."""
        told = {}

        def start_response(status, headers, _exc_info=None):
            told.update(status=status, headers=headers)

        parts = self.moto(environ, start_response)
        try:
            body = b"".join(parts)
        finally:
            if hasattr(parts, "close"):
                parts.close()
        return told["status"], told["headers"], body

    def cloudwatch(self, operation, environ):
        """One rpc-v2-cbor call, made to moto as awsJson1.0."""
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        if environ.pop("HTTP_CONTENT_ENCODING", "") == "gzip":  # large PutMetricData
            body = gzip.decompress(body)
        asked = json.dumps(cbor2.loads(body) if body else {}, default=as_json).encode()
        asking = {
            **environ,
            "PATH_INFO": "/",
            "REQUEST_URI": "/",
            "RAW_URI": "/",
            "CONTENT_TYPE": "application/x-amz-json-1.0",
            "HTTP_ACCEPT": "application/json",
            "HTTP_X_AMZ_TARGET": f"GraniteServiceVersion20100801.{operation}",
            "CONTENT_LENGTH": str(len(asked)),
            "wsgi.input": io.BytesIO(asked),
        }
        try:
            status, headers, body = self.ask(asking)
            answer = json.loads(body) if body.strip() else {}
        except Exception as fault:  # moto raises what it does not implement, and answers 500, which an SDK would retry
            traceback.print_exc()
            status, headers = "400 Bad Request", []
            answer = {"__type": "NotInMoto", "message": f"moto cannot do {operation}: {fault!r}"}
        kept = [(name, value) for name, value in headers if name.lower() in ("x-amzn-requestid", "x-amzn-query-error")]
        answered = [*kept, ("Content-Type", "application/cbor"), ("smithy-protocol", "rpc-v2-cbor")]
        return status, answered, cbor2.dumps(as_cbor(answer))


class Quiet(MotoRequestHandler):
    """Says nothing about requests that went well."""

    def log_request(self, code="-", size="-"):
        if str(code).startswith("5"):
            super().log_request(code, size)


def end_with(parent):
    """Ends this process when the one that started it is gone, however that ended."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(0)


def main():
    parent = os.getppid()
    application = Corrected(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Quiet)
    threading.Thread(target=end_with, args=(parent,), daemon=True).start()
    # The socket listens from here on: a connection waits in its backlog until serve_forever takes it.
    print(f"export EVENKEEL_MOTO_ENDPOINT=http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
