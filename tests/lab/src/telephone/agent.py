"""A telephone of an agent, which logs in at Kamailio and calls a number, over UDP or as a browser does over WebSocket
with TLS; or of somebody else, who calls without a login. It stays until SIGTERM and writes what it sees to a file of
JSON, which replaces the one before.

usage: agent.py '{"do": "call" | "register" | "connect", "status": FILE, ...}'

Messages are those of RFC 3261 and RFC 7118, the login is that of Kamailio's module auth_ephemeral, media are G.711
in RTP (RFC 3550, 3551)."""

import base64
import hashlib
import hmac
import json
import os
import random
import re
import select
import signal
import socket
import ssl
import struct
import sys
import time

# How long an answer may take, in seconds, and how often media are sent.
LIMIT_S = 15.0
FRAME_S = 0.02
# How often the file of status is written.
STATUS_S = 0.2
KEEP_ALIVE_S = 5.0


class Failed(Exception):
    """Something that ends the telephone, in words for people."""


class Status:
    """What the telephone sees."""

    def __init__(self, path):
        self.path = path
        self.seen = {"pid": os.getpid(), "state": "starting", "sent": 0, "received": 0, "longest_gap_ms": 0, "calls": 0}
        self.at = 0.0
        self.write()

    def set(self, **seen):
        self.seen.update(seen)
        self.write()

    def tick(self):
        if time.monotonic() - self.at >= STATUS_S:
            self.write()

    def write(self):
        self.at = time.monotonic()
        with open(self.path + ".new", "w") as file:
            json.dump(self.seen, file)
        os.replace(self.path + ".new", self.path)


class Udp:
    """SIP over UDP, where requests are sent again until an answer comes."""

    repeats = True

    def __init__(self, asked):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        if asked.get("from"):
            self.socket.bind((asked["from"], 0))
        self.socket.connect((asked["address"], asked["port"]))
        self.host = self.socket.getsockname()[0]
        # A name that nobody knows, as browsers have. A contact at Kamailio's own address would count as Kamailio.
        self.contact = f"{random.getrandbits(48):x}.invalid"
        self.via = f"UDP {self.contact};rport"

    def send(self, text):
        try:
            self.socket.send(text.encode())
        except ConnectionRefusedError:
            pass  # Nobody listens yet, or no longer: the time limit decides.

    def receive(self, wait_s):
        if not select.select([self.socket], [], [], wait_s)[0]:
            return None
        try:
            return self.socket.recv(65535).decode()
        except ConnectionRefusedError:
            return None


class WebSocket:
    """SIP over WebSocket with TLS, whose certificate must be one for this name from this authority."""

    repeats = False

    def __init__(self, asked):
        context = ssl.create_default_context(cafile=asked["authority"])
        plain = socket.create_connection((asked["address"], asked["port"]), LIMIT_S)
        self.socket = context.wrap_socket(plain, server_hostname=asked["name"])
        shown = self.socket.getpeercert(binary_form=True)
        self.certificate = hashlib.sha256(shown).hexdigest()
        self.bytes = b""
        self.handshake(asked)
        self.socket.setblocking(False)
        end = f"{random.getrandbits(48):x}.invalid"
        self.host, self.via, self.contact = end, f"WSS {end}", f"{end};transport=ws"

    def handshake(self, asked):
        key = base64.b64encode(random.randbytes(16)).decode()
        self.socket.sendall(
            f"GET {asked['path']} HTTP/1.1\r\nHost: {asked['name']}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: sip\r\n\r\n".encode()
        )
        while b"\r\n\r\n" not in self.bytes:
            more = self.socket.recv(65535)
            if not more:
                raise Failed("the handshake was cut")
            self.bytes += more
        head, self.bytes = self.bytes.split(b"\r\n\r\n", 1)
        first, *lines = head.decode().split("\r\n")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        magic = key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(magic.encode()).digest()).decode()
        if first.split(" ")[1:2] != ["101"]:
            raise Failed(f"the handshake was answered with {first}")
        if headers.get("sec-websocket-accept") != accept or headers.get("sec-websocket-protocol") != "sip":
            raise Failed(f"the handshake was answered with {headers}")

    def send(self, text):
        self.frame(0x81, text.encode())

    def frame(self, kind, payload):
        size = len(payload)
        head = struct.pack("!BB", kind, 0x80 | size) if size < 126 else struct.pack("!BBH", kind, 0x80 | 126, size)
        mask = random.randbytes(4)
        self.socket.setblocking(True)
        self.socket.sendall(head + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload)))
        self.socket.setblocking(False)

    def receive(self, wait_s):
        message = self.whole_frame()
        if message is None and (self.socket.pending() or select.select([self.socket], [], [], wait_s)[0]):
            try:
                more = self.socket.recv(65535)
            except (ssl.SSLWantReadError, BlockingIOError):
                return None
            if not more:
                raise Failed("the connection was closed")
            self.bytes += more
            message = self.whole_frame()
        return message

    def whole_frame(self):
        if len(self.bytes) < 4:
            return None
        kind, size, start = self.bytes[0] & 0x0F, self.bytes[1], 2
        if size == 126:
            size, start = struct.unpack("!H", self.bytes[2:4])[0], 4
        if size > 65535 or len(self.bytes) < start + size:
            return None
        payload, self.bytes = self.bytes[start : start + size], self.bytes[start + size :]
        if kind == 8:
            raise Failed("the connection was closed")
        if kind == 9:
            self.frame(0x8A, payload)
        return payload.decode() if kind in (1, 2) else None


class Message:
    """A request or an answer."""

    def __init__(self, text):
        head, _, self.body = text.partition("\r\n\r\n")
        self.first, *lines = head.split("\r\n")
        fields = [line.partition(":") for line in lines]
        self.fields = [(name.strip().lower(), value.strip()) for name, _, value in fields]
        is_answer = self.first.startswith("SIP/2.0 ")
        self.status = int(self.first.split(" ")[1]) if is_answer else None
        self.method = None if is_answer else self.first.split(" ")[0]

    def all(self, name):
        return [value for field, value in self.fields if field == name]

    def one(self, name):
        return (self.all(name) or [""])[0]

    def uri(self, name):
        found = re.search(r"<([^>]+)>", self.one(name))
        return found.group(1) if found else self.one(name).split(";")[0]


class Telephone:
    """One agent behind one transport."""

    def __init__(self, asked, transport):
        self.asked, self.transport, self.sequence, self.headers = asked, transport, 0, []
        self.domain = asked.get("domain") or asked["address"]
        self.call_id, self.tag = f"{random.getrandbits(64):x}", f"{random.getrandbits(32):x}"
        self.name = asked.get("caller") or f"{int(time.time()) + 3600}:{asked.get('agent', '1001')}"

    def request(self, method, uri, to, more="", body="", sequence=None):
        if sequence is None:
            self.sequence += 1
        kind = "Content-Type: application/sdp\r\n" if body else ""
        return (
            f"{method} {uri} SIP/2.0\r\n"
            f"Via: SIP/2.0/{self.transport.via};branch=z9hG4bK{random.getrandbits(64):x}\r\n"
            f"From: <sip:{self.name}@{self.domain}>;tag={self.tag}\r\nTo: {to}\r\n"
            f"Call-ID: {self.call_id}\r\nCSeq: {sequence or self.sequence} {method}\r\n"
            f"Contact: <sip:{self.asked.get('agent', '1001')}@{self.transport.contact}>\r\n"
            f"Max-Forwards: 70\r\n{more}{kind}Content-Length: {len(body)}\r\n\r\n{body}"
        )

    def ask(self, text):
        """Sends a request and returns its final answer."""
        method = text.split(" ", 1)[0]
        limit, again, pause = time.monotonic() + LIMIT_S, time.monotonic(), 0.5
        repeats = True
        while time.monotonic() < limit:
            if repeats and time.monotonic() >= again:
                self.transport.send(text)
                again, pause = time.monotonic() + pause, pause * 2
                repeats = self.transport.repeats
            message = self.next(0.1)
            if message is None or message.status is None:
                continue
            if message.one("cseq") != f"{self.sequence} {method}" or message.one("call-id") != self.call_id:
                continue
            if message.status >= 200:
                return message
            repeats = False
        raise Failed(f"{method} was not answered within {LIMIT_S:.0f} s")

    def next(self, wait_s):
        text = self.transport.receive(wait_s)
        return Message(text) if text and text.strip() else None

    def ask_logged_in(self, method, uri, to, more="", body=""):
        """Sends a request again with a login when it is asked for one."""
        answer = self.ask(self.request(method, uri, to, more, body))
        if answer.status not in (401, 407) or "key_file" not in self.asked:
            return answer
        if method == "INVITE":
            self.transport.send(self.request("ACK", uri, answer.one("to"), sequence=self.sequence))
        wanted, given = "proxy-authenticate", "Proxy-Authorization"
        if answer.status == 401:
            wanted, given = "www-authenticate", "Authorization"
        challenge = dict(re.findall(r'(\w+)="([^"]*)"', answer.one(wanted)))
        realm, nonce = challenge["realm"], challenge["nonce"]
        with open(self.asked["key_file"], "rb") as file:
            key = file.read().strip()
        password = base64.b64encode(hmac.new(key, self.name.encode(), hashlib.sha1).digest()).decode()
        md5 = lambda *parts: hashlib.md5(":".join(parts).encode()).hexdigest()
        response = md5(md5(self.name, realm, password), nonce, md5(method, uri))
        login = (
            f'{given}: Digest username="{self.name}", realm="{realm}", nonce="{nonce}", uri="{uri}", '
            f'response="{response}", algorithm=MD5\r\n'
        )
        return self.ask(self.request(method, uri, to, more + login, body))

    def answer(self, message, status="200 OK"):
        kept = "".join(
            f"{name}: {value}\r\n"
            for name in ["Via", "From", "To", "Call-ID", "CSeq"]
            for value in message.all(name.lower())
        )
        # The first answer to a request gives the dialog its second tag.
        if ";tag=" not in message.one("to"):
            kept = kept.replace("\r\nCall-ID: ", f";tag={self.tag}\r\nCall-ID: ")
        self.transport.send(f"SIP/2.0 {status}\r\n{kept}Content-Length: 0\r\n\r\n")


class Media:
    """RTP with the far end, whose packets are counted."""

    def __init__(self, host):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.port = self.socket.getsockname()[1]
        self.sent = self.received = self.longest_gap_ms = 0
        self.source, self.next_at, self.last = random.getrandbits(32), time.monotonic(), None

    def offer(self, host):
        return (
            f"v=0\r\no=agent 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
            f"m=audio {self.port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=sendrecv\r\n"
        )

    def connect(self, body):
        address = re.search(r"^c=IN IP4 (\S+)", body, re.M)
        port = re.search(r"^m=audio (\d+)", body, re.M)
        if not address or not port:
            raise Failed("the answer has no media")
        self.far = (address.group(1), int(port.group(1)))

    def exchange(self):
        """Sends what is due and counts what has come."""
        now = time.monotonic()
        while self.next_at <= now:
            head = struct.pack("!BBHII", 0x80, 0, self.sent & 0xFFFF, self.sent * 160 & 0xFFFFFFFF, self.source)
            try:
                self.socket.sendto(head + b"\xff" * 160, self.far)
            except ConnectionRefusedError:
                pass  # A port that was closed shows as silence.
            self.sent, self.next_at = self.sent + 1, self.next_at + FRAME_S
        while select.select([self.socket], [], [], 0)[0]:
            try:
                packet = self.socket.recv(2048)
            except ConnectionRefusedError:
                continue
            if len(packet) > 12 and packet[0] >> 6 == 2:
                self.received += 1
                self.silence(now)
                self.last = now
        self.silence(now)

    def silence(self, now):
        if self.last is not None:
            self.longest_gap_ms = max(self.longest_gap_ms, int((now - self.last) * 1000))

    def counts(self):
        return {"sent": self.sent, "received": self.received, "longest_gap_ms": self.longest_gap_ms}


def call(telephone, status, requested):
    """Holds a call until it is ended from here; an end from the other side is a failure."""
    host, asked = telephone.transport.host, telephone.asked
    media = Media(host)
    uri = f"sip:{asked['number']}@{telephone.domain}"
    answer = telephone.ask_logged_in("INVITE", uri, f"<{uri}>", body=media.offer(host))
    if answer.status != 200:
        raise Failed(f"the call was answered with {answer.first}")
    target, to, began = answer.uri("contact"), answer.one("to"), telephone.sequence
    routes = [route.strip() for line in answer.all("record-route") for route in line.split(",")]
    way = "".join(f"Route: {route}\r\n" for route in reversed(routes))
    acknowledge = lambda: telephone.transport.send(telephone.request("ACK", target, to, way, sequence=began))
    acknowledge()
    media.connect(answer.body)
    status.set(state="up", media="%s:%d" % media.far, **media.counts())
    while not requested():
        message = telephone.next(FRAME_S / 2)
        media.exchange()
        if message and message.status == 200 and message.one("cseq") == f"{began} INVITE":
            acknowledge()
        elif message and message.method == "BYE":
            telephone.answer(message)
            status.set(**media.counts())
            raise Failed("the other side hung up")
        elif message and message.method not in (None, "ACK"):
            telephone.answer(message)
        status.seen.update(media.counts())
        status.tick()
    answer = telephone.ask(telephone.request("BYE", target, to, way))
    if answer.status != 200:
        raise Failed(f"the end of the call was answered with {answer.first}")


def register(telephone, status, requested):
    """Logs in as an agent and stays."""
    uri = f"sip:{telephone.domain}"
    to = f"<sip:{telephone.name}@{telephone.domain}>"
    answer = telephone.ask_logged_in("REGISTER", uri, to, "Expires: 120\r\n")
    if answer.status != 200:
        raise Failed(f"the login was answered with {answer.first}")
    stay(telephone, status, requested)


def connect(telephone, status, requested):
    """Asks for an answer and stays."""
    uri = f"sip:{telephone.domain}"
    answer = telephone.ask(telephone.request("OPTIONS", uri, f"<{uri}>"))
    status.set(server=answer.one("server"))
    if answer.status != 200:
        raise Failed(f"OPTIONS was answered with {answer.first}")
    stay(telephone, status, requested)


def stay(telephone, status, requested):
    status.set(state="up")
    alive = time.monotonic()
    while not requested():
        message = telephone.next(0.05)
        if message and message.method not in (None, "ACK"):
            is_call = message.method == "INVITE"
            status.set(calls=status.seen["calls"] + is_call)
            telephone.answer(message, "486 Busy Here" if is_call else "200 OK")
        if time.monotonic() - alive > KEEP_ALIVE_S:
            uri = f"sip:{telephone.domain}"
            telephone.ask(telephone.request("OPTIONS", uri, f"<{uri}>"))
            alive = time.monotonic()
        status.tick()


def main():
    asked = json.loads(sys.argv[1])
    status, ends = Status(asked["status"]), []
    signal.signal(signal.SIGTERM, lambda *_: ends.append(True))
    try:
        transport = WebSocket(asked) if "authority" in asked else Udp(asked)
        status.set(certificate=getattr(transport, "certificate", ""))
        does = {"call": call, "register": register, "connect": connect}[asked["do"]]
        does(Telephone(asked, transport), status, lambda: bool(ends))
    except (Failed, OSError, ValueError) as error:
        status.set(state="failed", why=str(error))
        print(error, file=sys.stderr)
        return 1
    status.set(state="ended")
    return 0


if __name__ == "__main__":
    sys.exit(main())
