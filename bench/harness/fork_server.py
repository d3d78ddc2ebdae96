"""What a user would build from python3 alone: an HTTP server that forks a process for each call: fork_server.py FOLDER. Prints its address.

Each FOLDER/NAME.py is run at the start; a call of NAME calls its faasm_main. A process a connection takes the requests, and forks
again for each call, so that no call sees what another one left.
"""
import http.server
import os
import pathlib
import runpy
import socketserver
import sys

MAIN = {path.stem: runpy.run_path(path)["faasm_main"] for path in pathlib.Path(sys.argv[1]).glob("*.py")}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        child = os.fork()
        if child == 0:
            output = MAIN[self.path.rsplit("/", 1)[-1]]() or b""
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
