"""Cloud Tasks from google-cloud-tasks, over gRPC as its client speaks by itself."""

import http.server
import os
import queue
import threading

import grpc
from google.api_core import exceptions
from google.cloud import tasks_v2
from google.cloud.tasks_v2.services.cloud_tasks.transports import CloudTasksGrpcTransport
from google.protobuf import duration_pb2, timestamp_pb2

PARENT = "projects/demo-mlemu/locations/us-central1"
channel = grpc.insecure_channel(os.environ["CLOUD_TASKS_EMULATOR_HOST"])
client = tasks_v2.CloudTasksClient(transport=CloudTasksGrpcTransport(channel=channel))
came = queue.Queue()


class Target(http.server.BaseHTTPRequestHandler):
    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        came.put((self.path, body, self.headers["X-Own"], self.headers["X-CloudTasks-QueueName"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


def same(actual, expected):
    assert actual == expected, f"expected {expected!r}, but got {actual!r}"


def refused(error, call, **request):
    try:
        call(request=request)
    except error:
        return
    raise AssertionError(f"expected {error.__name__}")


target = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Target)
threading.Thread(target=target.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{target.server_port}/work"
name = client.queue_path("demo-mlemu", "us-central1", "errands")

made = client.create_queue(parent=PARENT, queue={"name": name, "retry_config": {"max_attempts": 3}})
same((made.name, made.state, made.retry_config.max_attempts), (name, tasks_v2.Queue.State.RUNNING, 3))
refused(exceptions.AlreadyExists, client.create_queue, parent=PARENT, queue={"name": name})
same([one.name for one in client.list_queues(parent=PARENT)], [name])

request = {"url": url, "http_method": tasks_v2.HttpMethod.PUT, "headers": {"X-Own": "yes"}, "body": b"\x00\x01"}
task = client.create_task(parent=name, task={"http_request": request, "dispatch_deadline": duration_pb2.Duration(seconds=20)})
assert task.name.startswith(f"{name}/tasks/")
same(came.get(timeout=60), ("/work", b"\x00\x01", "yes", "errands"))

client.pause_queue(name=name)
later = timestamp_pb2.Timestamp(seconds=4102444800)
task = client.create_task(parent=name, task={"name": f"{name}/tasks/one", "http_request": {"url": url}, "schedule_time": later})
same(client.get_task(name=task.name).schedule_time.timestamp(), 4102444800.0)
same([one.name for one in client.list_tasks(parent=name)], [task.name])
refused(exceptions.AlreadyExists, client.create_task, parent=name, task={"name": task.name, "http_request": {"url": url}})
refused(exceptions.InvalidArgument, client.create_task, parent=name, task={"http_request": {"url": "http://example.com/"}})
client.delete_task(name=task.name)
refused(exceptions.NotFound, client.get_task, name=task.name)
same(client.resume_queue(name=name).state, tasks_v2.Queue.State.RUNNING)
updated = client.update_queue(queue={"name": name, "retry_config": {"max_attempts": 5}})
same(updated.retry_config.max_attempts, 5)
client.delete_queue(name=name)
refused(exceptions.NotFound, client.get_queue, name=name)
refused(exceptions.InvalidArgument, client.get_queue, name="nonsense")
