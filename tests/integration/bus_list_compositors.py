#!/usr/bin/python3
import json, sys, zmq

bus = zmq.Context().socket(zmq.REQ)
bus.connect(sys.argv[1] if len(sys.argv) > 1 else "tcp://127.0.0.1:7755")
call = {"v": 1, "id": 1, "method": "list", "params": {}}
bus.send_multipart([b"MDPC01", b"bus.manifest", json.dumps(call).encode()])
reply = json.loads(bus.recv_multipart()[2])
for c in reply["result"].get("compositors", []):
    print(c["id"], c["verdict"], c["name"], c["version"])
sys.exit(reply.get("error"))
