"""Stands where the vendor's proxy worker stands: one stream to the host, the vendor's own runtime behind it.

Arguments are those of every language worker; before them comes a descriptor of the messages.
"""

import argparse
import asyncio
import base64
import contextvars
import importlib
import logging
import os
import sys
import threading
import types

PACKAGE = "AzureFunctionsRpcMessages"
MESSAGES = (
    "worker_init_request",
    "functions_metadata_request",
    "function_load_request",
    "invocation_request",
    "function_environment_reload_request",
)
# What the vendor's own modules say is for those who work on them.
VENDORS = ("azure.functions", "azure_functions_runtime", "azure_functions_runtime_v1", "grpc", "asyncio")


def messages(path):
    """The classes of all messages, under their names, as a generated module would have them."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    with open(path, encoding="ascii") as file:
        files = descriptor_pb2.FileDescriptorSet.FromString(base64.b64decode(file.read()))
    pool = descriptor_pool.DescriptorPool()
    for one in files.file:
        pool.Add(one)
    own = pool.FindFileByName(next(one.name for one in files.file if one.package == PACKAGE))
    module = types.SimpleNamespace()
    for name, descriptor in own.message_types_by_name.items():
        setattr(module, name, message_factory.GetMessageClass(descriptor))
    return module


def runtime(folder, settings):
    """The vendor's runtime for a folder: decorators where the file for them is there, else function.json."""
    script = settings.get("PYTHON_SCRIPT_FILE_NAME", "function_app.py")
    is_newer = os.path.exists(os.path.join(folder, script))
    return importlib.import_module("azure_functions_runtime" if is_newer else "azure_functions_runtime_v1")


def specialized(request):
    """Makes the app's folder the first to import from, and keeps what the sandbox says of this process."""
    sys.path[0] = request.function_app_directory
    scratch = os.environ.get("TMPDIR")
    if scratch:
        request.environment_variables["TMPDIR"] = scratch
    return request.environment_variables


# Which call this is.
current = contextvars.ContextVar("current", default=None)


def marked(text, invocation):
    """A line that says which call it is of: many are under way at a time."""
    return "\x1f%s\x1f%s" % (invocation, text.replace("\n", "\x1e")) if invocation else text


class Printed:
    """Standard output in whole lines, each with the call that prints it."""

    def __init__(self, stream, call):
        self.stream, self.call = stream, call
        # What calls have begun to print.
        self.begun = {}

    def __getattr__(self, name):
        return getattr(self.stream, name)

    def write(self, text):
        call = self.call()
        if not call:
            return self.stream.write(text)
        *lines, rest = (self.begun.pop(call, "") + text).split("\n")
        if rest:
            self.begun[call] = rest
        if lines:
            self.stream.write("".join(marked(line, call) + "\n" for line in lines))
        return len(text)

    def finish(self, call):
        rest = self.begun.pop(call, None)
        if rest:
            self.stream.write(marked(rest, call) + "\n")


class Lines(logging.Handler):
    """Log records become lines of the console: there they keep their order with what is printed."""

    def __init__(self, worker):
        super().__init__()
        self.worker = worker

    def emit(self, record):
        if record.name.startswith(VENDORS) and record.levelno < logging.WARNING:
            return
        try:
            print(marked(self.format(record), self.worker.call()), file=sys.stderr, flush=True)
        except Exception:  # A record that cannot be formatted must not end the function.
            self.handleError(record)


def tell(exception):
    """A failure as the host writes it."""
    text = "Result: Failure\nException: %s\nStack: %s" % (exception.message, exception.stack_trace)
    print(marked(text.rstrip(), current.get()), file=sys.stderr, flush=True)


class Worker:
    def __init__(self, options, protos, stream):
        self.options, self.protos, self.stream = options, protos, stream
        self.runtime = None
        self.tasks = set()
        self.writing = asyncio.Lock()

    def call(self):
        """The call that this is part of. Threads of functions know it by the vendor's own variable."""
        own = getattr(self.runtime, "invocation_id_cv", current)
        return current.get() or own.get()

    async def say(self, request_id, **content):
        async with self.writing:
            await self.stream.write(self.protos.StreamingMessage(request_id=request_id, **content))

    async def run(self):
        start = self.protos.StartStream(worker_id=self.options.worker_id)
        await self.say(self.options.request_id, start_stream=start)
        async for message in self.stream:
            kind = message.WhichOneof("content")
            if kind == "worker_terminate":
                return
            if kind == "worker_status_request":
                await self.say(message.request_id, worker_status_response=self.protos.WorkerStatusResponse())
            elif kind in MESSAGES:
                task = asyncio.create_task(self.answer(kind, message))
                self.tasks.add(task)
                task.add_done_callback(self.tasks.discard)

    def begin(self, folder, settings):
        self.runtime = runtime(folder, settings)
        self.runtime.start_threadpool_executor()

    async def answer(self, kind, message):
        if kind == "worker_init_request":
            self.begin(message.worker_init_request.function_app_directory, os.environ)
        elif kind == "function_environment_reload_request":
            request = message.function_environment_reload_request
            self.begin(request.function_app_directory, specialized(request))
        if kind == "invocation_request":
            current.set(message.invocation_request.invocation_id)
        properties = {"host": self.options.host, "protos": self.protos}
        request = types.SimpleNamespace(request=message, properties=properties)
        said = await getattr(self.runtime, kind)(request)
        name = {"functions_metadata_request": "function_metadata_response"}.get(
            kind, kind.replace("_request", "_response"))
        if said.HasField("result") and said.result.HasField("exception"):
            tell(said.result.exception)
        sys.stdout.finish(current.get())
        sys.stdout.flush()
        await self.say(message.request_id, **{name: said})


def options():
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--messages", required=True)
    for name, short in (("functions-uri", None), ("functions-worker-id", "worker_id"),
                        ("functions-request-id", "request_id")):
        parser.add_argument("--" + name, dest=short, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    return parser.parse_known_args()[0]


async def main():
    said = options()
    sys.path.insert(0, os.getcwd())
    import grpc

    protos = messages(said.messages)
    logging.getLogger().setLevel(logging.INFO)
    target = said.functions_uri.split("://", 1)[-1].rstrip("/")
    unlimited = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1),
                 ("grpc.enable_http_proxy", 0)]
    async with grpc.aio.insecure_channel(target, options=unlimited) as channel:
        method = channel.stream_stream(
            "/%s.FunctionRpc/EventStream" % PACKAGE,
            request_serializer=protos.StreamingMessage.SerializeToString,
            response_deserializer=protos.StreamingMessage.FromString)
        worker = Worker(said, protos, method())
        logging.getLogger().addHandler(Lines(worker))
        sys.stdout = Printed(sys.stdout, worker.call)
        await worker.run()


if __name__ == "__main__":
    asyncio.run(main())
    # Threads of the function that still run must not keep a dismissed worker alive.
    sys.stdout.flush()
    sys.stderr.flush()
    if threading.active_count() > 1:
        os._exit(0)
