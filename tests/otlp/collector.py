"""An OTLP collector: decodes what it receives with OpenTelemetry's own package.

The first line of its output is its port. Each further line is one request as JSON: `headers`,
`body` (base64, unpacked), `resource` (its attributes) and `spans`, whose ids are hexadecimal and
whose attributes are an object.

    PYTHONPATH=DIR python3 collector.py [CERTIFICATE KEY]
"""

import base64
import gzip
import http.server
import json
import ssl
import sys

from opentelemetry.proto.collector.trace.v1 import trace_service_pb2


def value(any_value):
    kind = any_value.WhichOneof("value")
    assert kind in ("string_value", "int_value", "bool_value", "double_value"), kind
    return getattr(any_value, kind)


def attributes(pairs):
    names = [pair.key for pair in pairs]
    assert len(names) == len(set(names)), f"an attribute twice: {names}"
    return {pair.key: value(pair.value) for pair in pairs}


def decoded(span):
    assert len(span.trace_id) == 16 and len(span.span_id) == 8, span
    assert 0 < span.start_time_unix_nano <= span.end_time_unix_nano, span
    return {
        "trace": span.trace_id.hex(),
        "span": span.span_id.hex(),
        "parent": span.parent_span_id.hex(),
        "name": span.name,
        "kind": span.kind,
        "error": span.status.code == 2,
        "attributes": attributes(span.attributes),
        "links": [[link.trace_id.hex(), link.span_id.hex()] for link in span.links],
        "events": len(span.events),
    }


class Collector(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        assert self.path == "/v1/traces", self.path
        assert self.headers["content-type"] == "application/x-protobuf", self.headers
        request = trace_service_pb2.ExportTraceServiceRequest.FromString(body)
        resources = request.resource_spans
        scopes = [scope for resource in resources for scope in resource.scope_spans]
        line = {
            "headers": {name.lower(): text for name, text in self.headers.items()},
            "body": base64.b64encode(body).decode(),
            "resource": attributes(resources[0].resource.attributes),
            "spans": [decoded(span) for scope in scopes for span in scope.spans],
        }
        print(json.dumps(line), flush=True)
        answer = trace_service_pb2.ExportTraceServiceResponse().SerializeToString()
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector)
if len(sys.argv) > 1:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*sys.argv[1:])
    server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
