"""Publishes over HTTP, the WebSocket API and gRPC:  client.py API_URL GRPC_ADDRESS CHANNEL TEXT

HTTP needs nothing but Python; the others need `pip install -r requirements.txt` and are left out without it.
"""

import base64
import json
import os
import sys
import urllib.request
from pathlib import Path

PROTO_FOLDER = Path(__file__).resolve().parents[3] / "proto"


def login():
    """The Authorization header of LUMESH_USER (name:password), if there is one."""
    user = os.environ.get("LUMESH_USER")
    return {"Authorization": "Basic " + base64.b64encode(user.encode()).decode()} if user else {}


def result(answer):
    """The result of an answer's envelope."""
    if answer["E"]:
        raise SystemExit(f"error {answer['E']['c']}: {answer['E']['m']}")
    return answer["r"]


def over_http(api, channel, text):
    body = json.dumps({"c": channel, "d": text}).encode()
    headers = {"Content-Type": "application/json", **login()}
    request = urllib.request.Request(f"{api}/v1/mesh/publish", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return result(json.load(response))
    except urllib.error.HTTPError as error:
        return result(json.load(error))


def over_websocket(api, channel, text):
    from websockets.sync.client import connect

    with connect(api.replace("http", "ws", 1) + "/ws/v1", additional_headers=login()) as socket:
        # Many calls may be under way; the answers carry their ids.
        socket.send(json.dumps({"m": "mesh.publish", "p": {"c": channel, "d": text}, "i": 1}))
        return result(json.loads(socket.recv(timeout=10)))


def over_grpc(address, channel, text):
    import grpc

    sys.path.insert(0, str(PROTO_FOLDER))
    messages, services = grpc.protos_and_services("lumesh.proto")
    metadata = [(name.lower(), value) for name, value in login().items()]
    with grpc.insecure_channel(address) as connection:
        stub = services.LumeshStub(connection)
        request = messages.PublishRequest(channel=channel, data=text.encode())
        reply = stub.Publish(request, timeout=10, metadata=metadata)
        return {"s": reply.success, "f": reply.fail}


def main():
    api, grpc_address, channel, text = sys.argv[1:]
    counts = over_http(api, channel, text)
    print(f"http: success {counts['s']}, fail {counts['f']}")
    for name, publish, target in (("websocket", over_websocket, api), ("grpc", over_grpc, grpc_address)):
        try:
            counts = publish(target, channel, text)
            print(f"{name}: success {counts['s']}, fail {counts['f']}")
        except ImportError as missing:
            print(f"{name}: left out, {missing.name} is not installed")


if __name__ == "__main__":
    main()
