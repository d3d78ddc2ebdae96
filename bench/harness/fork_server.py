"""What a user would build from python3 alone: an HTTP server that forks a process for each call. Prints its address.

A process a connection takes the requests, and forks again for each call, so that no call sees what another one left.
"""
import http.server
import os
import socketserver
import sys


def faasm_main():
    return b""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        child = os.fork()
        if child == 0:
            output = faasm_main()
            self.send_response(200)
            self.send_header("Content-Length", str(len(output)))
            self.end_headers()
            self.wfile.write(output)
            self.wfile.flush()
            os._exit(0)
        os.waitpid(child, 0)

    def log_message(self, *args):
        pass


class Server(socketserver.ForkingMixIn, socketserver.TCPServer):
    allow_reuse_address = True
    max_children = 1000
    request_queue_size = 1000


with Server(("127.0.0.1", 0), Handler) as server:
    print(f"serving http://127.0.0.1:{server.server_address[1]}")
    sys.stdout.flush()
    server.serve_forever(poll_interval=3600)
