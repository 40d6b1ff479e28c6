"""Runs Python handlers: speaks the Lambda Runtime API for them.

Source: custom-auth sheet 16.1, 16.2 and 16.4.
"""
import decimal
import http.client
import importlib
import json
import logging
import os
import sys
import time
import traceback

ENV = os.environ
HOST, _, PREFIX = ENV["AWS_LAMBDA_RUNTIME_API"].partition("/")
BASE = ("/" + PREFIX if PREFIX else "") + "/2018-06-01/runtime/"


class Context:
    """What a handler gets as its second argument."""

    def __init__(self, headers):
        self.aws_request_id = headers["Lambda-Runtime-Aws-Request-Id"]
        self.function_name = ENV["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = ENV["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = ENV["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = ENV["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = ENV["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.invoked_function_arn = headers["Lambda-Runtime-Invoked-Function-Arn"]
        self.identity = None
        client = headers.get("Lambda-Runtime-Client-Context")
        self.client_context = json.loads(client) if client else None
        self._deadline = int(headers["Lambda-Runtime-Deadline-Ms"])

    def get_remaining_time_in_millis(self):
        """Milliseconds until the invocation is ended."""
        return max(0, self._deadline - int(time.time() * 1000))

    def log(self, message):
        """Writes to the function's log."""
        sys.stdout.write(str(message))


class RuntimeFault(Exception):
    """A handler that cannot be loaded, or whose result cannot be sent."""

    def __init__(self, kind, message, stack=()):
        super().__init__(message)
        self.kind, self.stack = kind, list(stack)


class Formatter(logging.Formatter):
    """[LEVEL] time request-id message"""

    converter = time.gmtime

    def __init__(self):
        super().__init__("[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n", "%Y-%m-%dT%H:%M:%S")


class Handler(logging.Handler):
    """Writes records to the function's log, one event each."""

    request_id = ""

    def emit(self, record):
        record.aws_request_id = self.request_id
        sys.stdout.write(self.format(record).rstrip("\n").replace("\n", "\r") + "\n")
        sys.stdout.flush()


def encode(value):
    """JSON, with Decimal as a number."""

    def other(item):
        if isinstance(item, decimal.Decimal):
            return float(item) if item % 1 else int(item)
        raise TypeError(f"Object of type {type(item).__name__} is not JSON serializable")

    return json.dumps(value, ensure_ascii=False, default=other).encode("utf-8", "surrogatepass")


def load():
    """Imports the handler that _HANDLER names."""
    name = ENV["_HANDLER"]
    module, dot, function = name.rpartition(".")
    if not dot or not module:
        raise RuntimeFault("Runtime.MalformedHandlerName", f"Bad handler '{name}': not enough values to unpack (expected 2, got 1)")
    try:
        loaded = importlib.import_module(module.replace("/", "."))
    except ImportError as err:
        raise RuntimeFault("Runtime.ImportModuleError", f"Unable to import module '{module}': {err}") from err
    except SyntaxError as err:
        stack = [f'  File "{err.filename}" Line {err.lineno}\n    {err.text}\n']
        raise RuntimeFault("Runtime.UserCodeSyntaxError", f"Syntax error in module '{module}': {err}", stack) from err
    if not hasattr(loaded, function):
        raise RuntimeFault("Runtime.HandlerNotFound", f"Handler '{function}' missing on module '{module}'")
    return getattr(loaded, function)


def describe(err, request_id=None):
    """The error JSON of an exception."""
    if isinstance(err, RuntimeFault):
        out = {"errorMessage": str(err), "errorType": err.kind, "stackTrace": err.stack}
    else:
        frames = traceback.extract_tb(err.__traceback__)
        own = [f for f in frames if f.filename != __file__]
        out = {"errorMessage": str(err), "errorType": type(err).__name__, "stackTrace": traceback.format_list(own)}
    if request_id is not None:
        out["requestId"] = request_id
    return out


def say(out):
    """Writes an error to the log as one event."""
    text = "[ERROR] " + out["errorType"] + ": " + out["errorMessage"]
    if out["stackTrace"]:
        text += "\nTraceback (most recent call last):\n" + "".join(out["stackTrace"])
    try:
        sys.stdout.write(text.rstrip("\n").replace("\n", "\r") + "\n")
        sys.stdout.flush()
    except (OSError, ValueError):
        pass  # the handler closed it


def main():
    connection = http.client.HTTPConnection(HOST)

    def call(method, where, body=None, kind=None):
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if kind:
            headers["Lambda-Runtime-Function-Error-Type"] = kind
        connection.request(method, BASE + where, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()

    sys.path.insert(0, ENV["LAMBDA_TASK_ROOT"])
    sys.stdout.reconfigure(line_buffering=True)
    log = Handler()
    log.setFormatter(Formatter())
    logging.getLogger().addHandler(log)
    try:
        handler = load()
    except BaseException as err:  # SystemExit too: whatever it is, the init failed
        out = describe(err)
        say(out)
        call("POST", "init/error", json.dumps(out).encode(), out["errorType"])
        sys.exit(1)
    while True:
        status, headers, event = call("GET", "invocation/next")
        if status != 200:
            sys.exit(1)
        context = Context(headers)
        log.request_id = context.aws_request_id
        ENV["_X_AMZN_TRACE_ID"] = headers.get("Lambda-Runtime-Trace-Id", "")
        where, kind = "response", None
        try:
            result = handler(json.loads(event), context)
            try:
                body = encode(result)
            except (TypeError, ValueError) as err:
                raise RuntimeFault("Runtime.MarshalError", f"Unable to marshal response: {err}") from err
        except Exception as err:  # the handler's own
            out = describe(err, context.aws_request_id)
            say(out)
            where, kind, body = "error", out["errorType"], json.dumps(out).encode()
        try:
            sys.stdout.flush()
        except (OSError, ValueError):
            pass
        call("POST", f"invocation/{context.aws_request_id}/{where}", body, kind)


main()
