#!/usr/bin/env python3
"""A server that takes files: HTTP and HTTPS by Python, FTP and FTPS by pyftpdlib.

Its first line of output is its port. Each event is a line of JSON: {"stored": path, "tls": bool}.
User and password are "user" and "se+cret". The folder holds two others: "login", where FTP
clients begin, and "abs". HTTP stores the form's file as "login/<its name>".
"""

import argparse
import base64
import email
import email.policy
import json
import os
import ssl
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.filesystems import AbstractedFS
from pyftpdlib.handlers import FTPHandler, TLS_FTPHandler
from pyftpdlib.servers import FTPServer

USER, PASSWORD = "user", "se+cret"


def tell(**event):
    print(json.dumps(event), flush=True)


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    options = None

    def log_message(self, *_):
        pass

    def do_POST(self):
        expected = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if self.headers.get("Authorization") != expected:
            return self.finish_with(401)
        if self.options.breaks > 0:
            self.options.breaks -= 1
            self.rfile.read(200)
            tell(broken=True)
            self.close_connection = True
            return None
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.options.refusals > 0:
            self.options.refusals -= 1
            tell(refused=True)
            return self.finish_with(self.options.status)
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        form = email.message_from_bytes(head + body, policy=email.policy.HTTP)
        for part in form.iter_parts():
            assert part.get_param("name", header="content-disposition") == "file"
            name = os.path.basename(part.get_filename())
            with open(os.path.join(self.options.folder, "login", name), "wb") as file:
                file.write(part.get_payload(decode=True))
            tell(stored=f"login/{name}", tls=isinstance(self.connection, ssl.SSLSocket))
        return self.finish_with(200)

    def finish_with(self, status):
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.send_header("Location", "http://127.0.0.1:1/")
        self.end_headers()


class LoginBelowRoot(AbstractedFS):
    def __init__(self, root, handler):
        super().__init__(root, handler)
        self.cwd = "/login"


def ftp_handler(options):
    secure = options.kind in ("ftp+tls", "ftps")

    class Handler(TLS_FTPHandler if secure else FTPHandler):
        abstracted_fs = LoginBelowRoot
        auth_failed_timeout = 0.1

        def on_file_received(self, file):
            path = os.path.relpath(os.path.realpath(file), os.path.realpath(options.folder))
            tell(stored=path, tls=secure and getattr(self, "_ssl_established", False))

    if secure:
        Handler.certfile, Handler.keyfile = options.certificate, options.key
    if options.kind == "ftps":  # TLS from the first byte on, as on port 990
        Handler.handle = lambda self: (
            self.secure_connection(self.get_ssl_context()),
            FTPHandler.handle(self),
        )
    authorizer = DummyAuthorizer()
    authorizer.add_user(USER, PASSWORD, options.folder, perm="elradfmw")
    Handler.authorizer = authorizer
    return Handler


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=["http", "https", "ftp", "ftp+tls", "ftps"])
    parser.add_argument("folder")
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    parser.add_argument("--refusals", type=int, default=0, help="answers before the first success")
    parser.add_argument("--status", type=int, default=500, help="of these answers")
    parser.add_argument("--breaks", type=int, default=0, help="connections broken off before")
    options = parser.parse_args()
    for name in ("login/dir", "abs"):
        os.makedirs(os.path.join(options.folder, name), exist_ok=True)
    if options.kind.startswith("http"):
        Receiver.options = options
        server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        if options.kind == "https":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(options.certificate, options.key)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        print(server.server_address[1], flush=True)
    else:
        server = FTPServer(("127.0.0.1", 0), ftp_handler(options))
        print(server.address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    sys.exit(main())
