"""What OpenTelemetry's own messages read of a request with metrics: each metric with its unit, what it is, how many points
it has; and the runs that passed, by counter and by histogram. Nothing in it may be unknown to them."""

import sys

from google.protobuf import unknown_fields
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest


def all_known(message):
    assert len(unknown_fields.UnknownFieldSet(message)) == 0, message
    for field, value in message.ListFields():
        if field.message_type is not None:
            for inner in value if not hasattr(value, "ListFields") else [value]:
                all_known(inner)


request = ExportMetricsServiceRequest()
with open(sys.argv[1], "rb") as file:
    request.ParseFromString(file.read())
all_known(request)
passed = of = 0
for resource in request.resource_metrics:
    for scope in resource.scope_metrics:
        for metric in scope.metrics:
            kind = metric.WhichOneof("data")
            points = getattr(metric, kind).data_points
            print(metric.name, metric.unit, kind, len(points))
            for point in points:
                words = {it.key: it.value.string_value for it in point.attributes}
                assert 0 < point.time_unix_nano and (kind == "gauge") == (point.start_time_unix_nano == 0), point
                if metric.name == "mailsonde_runs" and words["verdict"] == "pass":
                    passed += point.as_int
                if kind == "histogram":
                    assert sum(point.bucket_counts) == point.count and point.HasField("sum"), point
                    of += point.count
print("runs", passed, "round trips", of)
