#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
#
# rogue_registrar ADDRESS PORT TLS.pem TLS.key SIGNER.pem SIGNER.key MAKER.pem
#
# A registrar that is nobody's: it has its own certificate and answers each voucher-request with a
# voucher of its own making, which names the right device and nonce, pins this registrar and is
# signed by SIGNER. What devices report to it goes to standard output.
import base64
import datetime
import http.server
import json
import socket
import ssl
import subprocess
import sys

ADDRESS, PORT, TLS_CERT, TLS_KEY, SIGNER_CERT, SIGNER_KEY, MAKER = sys.argv[1:]
VOUCHER_TYPE = "application/voucher-cms+json"
VOUCHER_OID = "1.2.840.113549.1.9.16.1.40"


def openssl(data, *arguments):
    return subprocess.run(["openssl", *arguments], input=data, check=True, capture_output=True).stdout


def forge(request):
    asked = json.loads(openssl(request, "cms", "-verify", "-noverify", "-inform", "DER"))
    asked = asked["ietf-voucher-request:voucher"]
    with open(TLS_CERT, encoding="ascii") as f:
        own = ssl.PEM_cert_to_DER_cert(f.read())
    voucher = {
        "assertion": "proximity",
        "created-on": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "serial-number": asked["serial-number"],
        "nonce": asked["nonce"],
        "pinned-domain-cert": base64.b64encode(own).decode(),
    }
    return openssl(json.dumps({"ietf-voucher:voucher": voucher}).encode(), "cms", "-sign", "-binary",
                   "-nodetach", "-outform", "DER", "-econtent_type", VOUCHER_OID,
                   "-signer", SIGNER_CERT, "-inkey", SIGNER_KEY)


class Registrar(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", kind="text/plain"):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.endswith("/requestvoucher"):
            self.answer(200, forge(body), VOUCHER_TYPE)
        elif self.path.endswith("/voucher_status"):
            print("voucher_status", body.decode(), flush=True)
            self.answer(200)
        else:
            self.answer(404)

    def do_GET(self):
        self.answer(404)


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.minimum_version = ssl.TLSVersion.TLSv1_3
context.load_cert_chain(TLS_CERT, TLS_KEY)
context.load_verify_locations(MAKER)
context.verify_mode = ssl.CERT_OPTIONAL
server = Server(socket.getaddrinfo(ADDRESS, int(PORT))[0][4], Registrar)  # with its interface
server.socket = context.wrap_socket(server.socket, server_side=True)
print("serving", flush=True)
server.serve_forever()
